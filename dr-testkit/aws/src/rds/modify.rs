//! Changing an instance's settings.

use std::time::Duration;

use super::instance::{GroupState, Status};
use super::lifecycle::{GROUPS, MODIFYING};
use super::moves::{self, Move};
use super::{create, describe, place};
use crate::wire::{Answer, ApiError, Request};
use crate::world::World;

/// Security groups change at once whatever `ApplyImmediately` says; other settings wait for the maintenance window
/// without it.
///
/// <https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_ModifyDBInstance.html>
pub(super) fn instance(world: &mut World, request: &Request) -> Result<Answer, ApiError> {
    let input = request.input();
    let here = place(request);
    let id = input.need("DBInstanceIdentifier")?.to_lowercase();
    let groups = input.texts("VpcSecurityGroupIds");
    let retention = create::retention(&input)?;
    let protected = input.flag("DeletionProtection")?;
    let at_once = input.flag("ApplyImmediately")?.unwrap_or(false);
    let class = input.text("DBInstanceClass").map(str::to_owned);
    if class.is_some() {
        return Err(ApiError::new(
            501,
            "NotImplemented",
            "the simulator does not model a change of the class",
        ));
    }
    let renamed = input.text("NewDBInstanceIdentifier").map(str::to_owned);
    let renamed = super::rename::asked(world, &here, renamed, at_once)?;
    let instance = world.rds(&here).instance_mut(&id)?;
    instance.must_be_available()?;
    if let Some(groups) = &groups {
        if groups.is_empty() {
            return Err(ApiError::combination("An instance must have at least one security group"));
        }
        if instance.cluster.is_some() {
            return Err(ApiError::combination(
                "The DB instance and EC2 security group are managed by its DB cluster: use ModifyDBCluster",
            ));
        }
        regroup(&mut instance.groups, groups);
    }
    if let Some(protected) = protected {
        instance.protected = protected;
    }
    let mut change = Vec::new();
    match retention {
        Some(days) if days != instance.retention && at_once => {
            instance.status = Status::Modifying;
            change.extend([
                (MODIFYING, Move::Retention(days)),
                (Duration::ZERO, Move::Status(Status::Available)),
            ]);
        }
        Some(days) if days != instance.retention => instance.pending_retention = Some(days),
        Some(_) | None => {}
    }
    if let Some(to) = renamed {
        instance.status = Status::Renaming;
        change.extend(super::rename::moves(to));
    }
    let shown = instance.clone();
    if groups.is_some() {
        moves::begin(world, &here, &id, [(GROUPS, Move::Groups)]);
    }
    moves::begin(world, &here, &id, change);
    Ok(describe::one(world, &shown))
}

/// New groups are coming, the others are going.
pub(crate) fn regroup(current: &mut std::collections::BTreeMap<String, GroupState>, wanted: &[String]) {
    for (group, state) in current.iter_mut() {
        *state = match (wanted.contains(group), *state) {
            (true, GroupState::Adding) => GroupState::Adding,
            (true, GroupState::Active | GroupState::Removing) => GroupState::Active,
            (false, _) => GroupState::Removing,
        };
    }
    for group in wanted {
        current.entry(group.clone()).or_insert(GroupState::Adding);
    }
}
