//! Kind `aurora-global`: an Aurora global database, one cluster in each region.
//!
//! ```yaml
//! kind: aurora-global
//! global_cluster: orders
//! sides:
//!   us-east-1: { cluster: orders-use1, fence: { security_group: sg-0123456789abcdef0 } }
//!   us-west-2: { cluster: orders-usw2, fence: { security_group: sg-0fedcba9876543210 } }
//! ```
//!
//! | verb | what it does | what it rests on |
//! |---|---|---|
//! | `observe` | who writes, state and lag | RDS in every region that answers; two that disagree know nothing |
//! | `promote`, planned | `SwitchoverGlobalCluster` | Aurora: it stops the writer and waits for the secondary; no fence is needed |
//! | `promote`, forced | `FailoverGlobalCluster` with `AllowDataLoss` | a confirmed fence or an accepted silence; the loss bound |
//! | `fence` | cuts the cluster off at its own edge | [`crate::edge_fence`]; Aurora's own fencing is best effort, no proof |
//! | `follow` | waits until Aurora has taken the old writer back, opens its edge | Aurora |
//!
//! A switch that is under way is joined, never asked for twice; one to another cluster is a conflict. Aurora takes no
//! request to cancel: a doubt is settled by what it tells, and "it did not happen and will not" is said only a quarter of
//! an hour after the last request.

mod backend;
mod cluster;
mod config;
mod edge;
mod fence;
mod follow;
mod global;
mod hand;
mod observe;
mod promote;
mod prove;
mod store;

pub use backend::AuroraGlobalBackend;
