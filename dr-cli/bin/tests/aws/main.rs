//! The e-commerce platform's plans as `examples/plans` has them, carried out by the real binary: against a strict
//! simulator of AWS with its own name servers, and two real Kubernetes API servers. The state store is S3's.
#![expect(
    clippy::print_stderr,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on has failed"
)]

mod asking;
mod aurora;
mod by_hand;
#[path = "../seeds/callers.rs"]
#[expect(dead_code, reason = "the seeds' worlds use the rest")]
mod callers;
mod cloud;
mod crashes;
mod crew;
mod ecommerce;
mod failback;
mod fitting;
#[path = "../seeds/host.rs"]
mod host;
mod manual;
mod orders;
mod probers;
#[path = "../e2e/support.rs"]
#[expect(dead_code, reason = "the other tests of the command use all of it")]
mod support;
#[path = "../e2e/sweep.rs"]
#[expect(dead_code, reason = "the sandbox's journals are files")]
mod sweep;
mod taken_over;
