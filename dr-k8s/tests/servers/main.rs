//! Real Kubernetes API servers, two regions of them, and what the backend does there.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has failed")]

mod conformance;
mod fencing;
mod owning;
mod scaling;
mod seeing;
mod telling;
mod town;
