//! The engine over strict models, in paused time: order, failure, safety, control, and crashes at every event.

#![expect(clippy::expect_used, reason = "helpers of tests fail as tests do")]

mod attempts;
mod control;
mod crashes;
mod doubt;
mod draining;
mod dry_run;
mod ending;
mod failure;
mod gates;
mod gradual;
mod harnesses;
mod journals;
mod observing;
mod order;
mod room;
mod safety;
mod support;
mod switching;
mod two_stores;
mod verbs;
