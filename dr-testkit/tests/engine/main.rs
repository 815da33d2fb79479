//! The engine over strict models, in paused time: order, failure, safety, control, and crashes at every event.

mod control;
mod crashes;
mod doubt;
mod dry_run;
mod failure;
mod gates;
mod gradual;
mod harnesses;
mod order;
mod room;
mod safety;
mod support;
mod switching;
