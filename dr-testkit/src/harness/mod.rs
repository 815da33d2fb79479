//! Harnesses: each takes a whole run, does one thing to it at every place in turn, and compares what it left with what
//! the undisturbed run leaves, and every promise with its history.
//!
//! Each is given a way to make the run: a fresh world every time, the same each time. A run that was disturbed may end
//! - *the same*: as the undisturbed one, with the same world;
//! - *back*: rolled back or refused, with the world as it was before the run;
//! - *held*, and the same or back once the trouble was over and it was resumed.
//!
//! Anything else is wrong, and told with its journal. Steps that a plan calls optional have an end more; leave them out.
//!
//! ```
//! # fn main() {
//! use dr_core::model::World;
//! use dr_testkit::decorate::{Called, Trouble};
//! use dr_testkit::{Rig, harness};
//!
//! let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
//! let rig = || {
//!     let world = World::new(["east", "west"]);
//!     world.store("orders");
//!     Rig::new(&world, "phases: [ { name: move, within: 20s, steps: [ { fence: orders }, { promote: orders } ] } ]")
//! };
//! let trials = runtime.block_on(harness::trouble_everywhere(rig, Called::Apply, 1..=1, Trouble::LostReply));
//! assert!(trials.wrong.is_empty(), "{trials}");
//! assert_eq!(trials.same, trials.tried, "a lost reply is read again: {trials}");
//! assert!(trials.tried >= 3, "it shows nothing if nothing was tried");
//! # }
//! ```

mod again;
mod crash;
mod interrupt;
mod trials;
mod trouble;

pub use again::run_twice;
pub use crash::crash_everywhere;
pub(crate) use crash::mortal;
pub use interrupt::{Interrupts, interrupt_everywhere};
pub use trials::Trials;
pub use trouble::trouble_everywhere;
