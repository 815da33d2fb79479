//! Kind `rds`: a PostgreSQL or MySQL instance and its read replica in another region, without a session in either.
//!
//! ```yaml
//! kind: rds
//! sides:
//!   us-east-1: { instance: ecommerce-db, fence: { security_group: sg-0123456789abcdef0 } }
//!   us-west-2: { instance: ecommerce-db-dr, fence: { security_group: sg-0fedcba9876543210 } }
//! ```
//!
//! | verb | what it does | what it rests on |
//! |---|---|---|
//! | `observe` | roles, state and lag | RDS's description; `ReplicaLag`, one sample a minute, never better than its age |
//! | `fence` | cuts the instance off at its own edge | [`crate::edge_fence`] |
//! | `promote`, planned | waits until the replica has replayed a commit of after the fence | `proof` |
//! | `promote`, forced | at once | the loss bound: the last commit that is proven to be there |
//! | `follow` | renames the old instance, makes a new replica under its name | the old one stays, cut off |
//! | `backup`, `restore` | snapshots; a new instance beside the old | tags that say who made it |
//!
//! Engines: what is said of commit times holds for PostgreSQL. `ReplicaLag` of MySQL and MariaDB counts from what was
//! *received*, so nothing can be proven from it: a planned promotion of theirs is never ready, and an unplanned one has
//! no loss bound and wants `accept_loss: unknown`.
//!
//! A promotion cannot be cancelled at RDS. Before it is asked for, the moment is noted on the replica; a doubt is settled
//! by the instance's own state, and "it did not happen and will not" is said only a quarter of an hour after the last
//! request. In China and GovCloud `follow` and copies across regions need a signed address, which is not made here.

mod backend;
mod config;
mod copies;
mod edge;
mod fence;
mod follow;
mod hand;
mod hazards;
mod observe;
mod promote;
mod proof;
mod prove;
mod restore;
mod store;

pub use backend::RdsBackend;
