//! Kind `aurora-global` on the strict simulator: the sentences of the traits, and what can go wrong in between.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on fails")]

mod conformance;
#[path = "../rds_support/forced.rs"]
mod forced;
mod proving;
#[path = "../rds_support/mod.rs"]
mod support;
mod switching;
mod world;
