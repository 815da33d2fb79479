//! The command as a person, a pipeline and an accident use it: the real binary on real regions.
#![expect(
    clippy::print_stderr,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on has failed"
)]

mod bad_input;
mod canaries;
mod examples;
mod regions;
mod support;
mod words;
