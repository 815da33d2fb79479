//! Strict models of resources, in tokio's time: what a real database, fleet, name or service does to a run, without
//! any of them.
//!
//! A [`World`] holds everything; handles ([`ModelStore`], [`ModelWorkloads`], [`ModelTraffic`], [`ModelService`],
//! [`ModelAlarm`]) act on it through the same traits as any backend, and levers on them break it. The models are stricter than the real
//! thing: a promotion without a basis is refused, an undo after somebody else's change is a conflict. What reality
//! does not prevent they do not prevent either: a world with two writable sides is possible, and is *recorded* as a
//! [`Violation`], so that a test can assert that a run never led there.
//!
//! Nothing is spawned and nothing is random: a change that takes time is a due date in the world, carried out when
//! somebody looks, also when whoever asked for it is gone. [`World::snapshot`] compares two worlds.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> dr_core::Result<()> {
//! use dr_core::model::World;
//! use dr_core::resource::{Cx, Observe, Replication, Role};
//! use std::time::Duration;
//!
//! let world = World::new(["east", "west"]);
//! let orders = world.store("orders");
//! let cx = Cx::new("run".into(), "look".into(), Duration::from_secs(1));
//! let seen: Replication = orders.observe(&cx).await?;
//! assert_eq!(seen.leader(&"east".into()).map(|node| node.role), Some(Role::Primary));
//! assert_eq!(seen.writable_sides(), [&dr_core::Side::new("east")]);
//! # Ok(()) }
//! ```

mod agreeing;
mod alarm;
mod backend;
mod backups;
mod change;
mod configuring;
mod fault;
mod fencing;
mod following;
mod ledger;
mod node;
mod pausing;
mod promoting;
mod restoring;
mod room;
mod scaling;
mod seeing;
mod service;
mod snapshot;
mod standing_down;
mod store;
mod traffic;
mod workloads;
mod world;
mod zone;

pub use agreeing::Agreeing;
pub use alarm::ModelAlarm;
pub use backend::ModelBackend;
pub use fault::Fault;
pub use service::ModelService;
pub use snapshot::Snapshot;
pub use store::ModelStore;
pub use traffic::ModelTraffic;
pub use workloads::ModelWorkloads;
pub use world::{Pace, Violation, World};
