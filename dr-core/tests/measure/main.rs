//! Measuring: instruments in stopped time, readers against generated truths.

#![expect(clippy::unwrap_used, clippy::panic, reason = "these are tests and their own helpers")]

mod ledger;
mod outage;
mod probe;
mod silence;
mod verdict;
