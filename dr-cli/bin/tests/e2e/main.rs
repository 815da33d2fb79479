//! The command as a person, a pipeline and an accident use it: the real binary on real regions.
#![expect(
    clippy::print_stderr,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on has failed"
)]

mod bad_input;
#[path = "../seeds/callers.rs"]
#[expect(dead_code, reason = "the seeds' worlds use the rest")]
mod callers;
mod canaries;
mod examples;
mod ledger;
mod regions;
mod support;
mod sweep;
mod words;
