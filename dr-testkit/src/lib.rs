//! For authors of backends: strict twins of every kind of resource, conformance suites for yours, decorators that break
//! things between a run and its resources, and harnesses that run a whole plan on them.
//!
//! - [`suite`]: one case for each sentence of a trait's documentation. Your backend runs the suites of the capabilities
//!   that it offers; so do the twins, and the real PostgreSQL and DNS of this project.
//! - [`model`]: the twins, a world in memory with a database and its copies, a fleet, a name, a service and an alarm, in
//!   tokio's time.
//! - [`decorate`]: what goes wrong with a call (lost replies, time-outs, failures, black holes, stale looks), by a
//!   schedule that a failing test prints and replays; and a recorder of every call.
//! - [`Rig`]: a few lines of plan, run on a world.
//! - [`harness`]: that run crashed, interrupted and in trouble at each of its steps and events in turn, held against the
//!   undisturbed one.
//! - [`simulate`]: random plans with random mishaps, and every promise over each history.
//!
//! It ships with no command. Next door is `dr-core`, whose traits a backend implements. From nothing to a backend that passes,
//! step by step: `docs/BACKENDS.md`; one that was written so, on two real servers: `examples/custom-backend`.
//!
//! # A backend's own test
//!
//! A fixture makes a fresh subject for each case and pulls levers on it. Say `false` to a lever that you have not: its
//! cases are listed as skipped. Print a report once, read what was skipped and why, and then assert the number that passed:
//! a lever that breaks later makes its cases skipped, and the number says so. A broken sentence is told with what was seen,
//! with what the trait's documentation says of it, and with a way out. Here the twin of a DNS name stands for your resource.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")] async fn main() {
//! use dr_core::{Result, async_trait};
//! use dr_testkit::model::{ModelTraffic, World};
//! use dr_testkit::suite::{self, Fixture, Lever, Levers, Subject};
//! use std::time::Duration;
//!
//! #[derive(Debug)]
//! struct Names;
//!
//! #[async_trait]
//! impl Fixture for Names {
//!     async fn fresh(&self) -> Result<Subject> {
//!         let entry = World::new(["east", "west"]).traffic("entry", Duration::from_secs(1));
//!         Ok(Subject::new(entry.resource(), "east", "west", Hands(entry)))
//!     }
//! }
//!
//! #[derive(Debug)]
//! struct Hands(ModelTraffic);
//!
//! #[async_trait]
//! impl Levers for Hands {
//!     async fn pull(&self, lever: &Lever) -> bool {
//!         match lever {
//!             Lever::Meddle("route") => self.0.point_at("203.0.113.9"),
//!             _ => return false,
//!         }
//!         true
//!     }
//! }
//!
//! let report = suite::traffic(&Names).await;
//! report.assert(10);
//! assert!(!report.skipped().is_empty(), "nothing silences it here, and the report says so:\n{report}");
//! # }
//! ```

pub mod decorate;
pub mod harness;
mod promises;
mod rig;
pub mod simulate;
pub mod suite;

pub use dr_core::model;
pub use rig::{Controls, Rig, Run, settled};
