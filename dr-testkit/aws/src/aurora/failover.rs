//! Asking for another writer.

use super::cluster::{ClusterStatus, invalid_state as invalid_cluster, not_found};
use super::global::{Failover, GlobalStatus, Member, invalid_state};
use super::global_api::one;
use super::switch::{ASKED, Due};
use crate::place::{Arn, Place};
use crate::rds;
use crate::wire::{Answer, ApiError, Request};
use crate::world::World;

/// Loses nothing: the old writer stops, the target catches up, then the roles change.
///
/// <https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_SwitchoverGlobalCluster.html>
pub(super) fn switchover(world: &mut World, request: &Request) -> Result<Answer, ApiError> {
    begin(world, request, false)
}

/// Without `AllowDataLoss` it is a switchover.
///
/// <https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_FailoverGlobalCluster.html>
pub(super) fn failover(world: &mut World, request: &Request) -> Result<Answer, ApiError> {
    let input = request.input();
    let loses = input.flag("AllowDataLoss")?.unwrap_or(false);
    if loses && input.flag("Switchover")? == Some(true) {
        return Err(ApiError::combination("AllowDataLoss and Switchover cannot be specified together"));
    }
    begin(world, request, loses)
}

fn begin(world: &mut World, request: &Request, loses: bool) -> Result<Answer, ApiError> {
    let input = request.input();
    let id = input.need("GlobalClusterIdentifier")?.to_lowercase();
    let target = input.need("TargetDbClusterIdentifier")?;
    let (place, name) = if target.starts_with("arn:") {
        Arn::of_kind(target, "cluster")?
    } else {
        (rds::place(request), target.to_lowercase())
    };
    let global = world.global(&request.account, &id)?.clone();
    global.must_be_available()?;
    let to = find(&global.members, &place, &name).ok_or_else(|| not_found(target))?;
    let from = global.writer().cloned().ok_or_else(|| invalid_state("The global cluster has no writer"))?;
    if to.writer {
        return Err(invalid_cluster(format!(
            "DBCluster {name} is the writer of the global cluster already."
        )));
    }
    if world.is_lost(&to.place.region) {
        return Err(invalid_cluster(format!("DBCluster {name} cannot be reached.")));
    }
    world.cluster(&to.place, &to.id)?.must_be_available()?;
    if !loses && (world.is_lost(&from.place.region) || !world.runs(&from.store())) {
        return Err(invalid_state(
            "A switchover needs a healthy primary cluster. Use failover with data loss allowed instead.",
        ));
    }
    if !loses && to.detached {
        return Err(invalid_cluster(format!(
            "DBCluster {name} is not synchronized with the primary cluster."
        )));
    }
    let (global_status, status) = if loses {
        (GlobalStatus::FailingOver, ClusterStatus::FailingOver)
    } else {
        (GlobalStatus::SwitchingOver, ClusterStatus::SwitchingOver)
    };
    let global = world.global(&request.account, &id)?;
    global.status = global_status;
    global.failover = Some(Failover { pending: true, from: from.name(), to: to.name(), loses });
    let shown = global.clone();
    for member in [&from, &to] {
        if !world.is_lost(&member.place.region) {
            world.cluster(&member.place, &member.id)?.status = status;
        }
    }
    let after = world.clock.takes(ASKED);
    world.later(after, Due::Begin { account: request.account.clone(), id });
    Ok(one(world, &shown))
}

fn find(members: &[Member], place: &Place, name: &str) -> Option<Member> {
    members.iter().find(|member| member.place == *place && member.id == name).cloned()
}
