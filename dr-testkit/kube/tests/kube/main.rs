//! Real servers, and what a client sees of pods on which nothing runs.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::expect_used,
    reason = "a test that cannot go on has failed"
)]

mod fleet;
mod kubelet;
mod lifetime;
mod region;
mod support;
