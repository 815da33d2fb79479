//! The seeds' failovers as the example plans say them, carried out by the real binary on real servers: PostgreSQL, two
//! Kubernetes API servers, and name servers that answer what a strict simulator of Route 53 holds.
#![expect(
    clippy::print_stderr,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on has failed"
)]

mod callers;
mod clusters;
mod crashes;
mod fitted;
mod host;
#[path = "../e2e/ledger.rs"]
#[expect(dead_code, reason = "the sandbox's own histories use all of it")]
mod ledger;
mod runbook;
#[path = "../e2e/support.rs"]
#[expect(dead_code, reason = "the other tests of the command use all of it")]
mod support;
#[path = "../e2e/sweep.rs"]
#[expect(dead_code, reason = "the command's other sweeps use all of it")]
mod sweep;
mod world;
