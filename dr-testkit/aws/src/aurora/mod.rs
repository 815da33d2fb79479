//! Aurora clusters and global databases.
//!
//! <https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/aurora-global-database.html>

mod cluster;
mod cluster_api;
mod failover;
mod global;
mod global_api;
mod lag;
mod switch;

pub(crate) use cluster::Cluster;
pub(crate) use cluster_api::{add_instance, seed as seed_cluster};
pub(crate) use global::GlobalCluster;
pub(crate) use global_api::seed as seed_global;
pub(crate) use switch::{Due, carry_out};

use crate::wire::{Answer, ApiError, Request};
use crate::world::World;

/// Carries a call out; `None` for an action that is not Aurora's.
pub(crate) fn perform(world: &mut World, request: &Request) -> Option<Result<Answer, ApiError>> {
    Some(match request.action.as_str() {
        "DescribeDBClusters" => cluster_api::describe(world, request),
        "CreateDBCluster" => cluster_api::create(world, request),
        "ModifyDBCluster" => cluster_api::modify(world, request),
        "DescribeGlobalClusters" => global_api::describe(world, request),
        "CreateGlobalCluster" => global_api::create(world, request),
        "RemoveFromGlobalCluster" => global_api::remove(world, request),
        "SwitchoverGlobalCluster" => failover::switchover(world, request),
        "FailoverGlobalCluster" => failover::failover(world, request),
        _ => return None,
    })
}
