//! The sandbox on the real thing: real servers, real processes, real kills.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has failed")]

mod conformance;
mod exec;
mod partition;
mod plan;
mod story;
mod support;
mod workloads;
mod zone;
