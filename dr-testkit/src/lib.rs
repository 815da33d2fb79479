//! For authors of backends: strict twins of every kind of resource, decorators that break them, and harnesses that run
//! a whole plan on them.
//!
//! - [`model`] are the twins: a world in memory with a database, a fleet, a name and a service, in tokio's time.
//! - [`decorate`] puts lost replies, failures and recorders before any verb.
//! - [`Rig`] runs a few lines of plan on a world; [`crash_everywhere`] crashes that run at each append of its journal.
//!
//! It is no part of what a command ships: next door is `dr-core`, whose traits a backend implements.

mod crash;
pub mod decorate;
mod rig;

pub use crash::{Crashes, crash_everywhere};
pub use dr_core::model;
pub use rig::{Controls, Rig, Run, settled};
