//! New instances out of snapshots and logs.

use super::create::{apply_common, copy_of, free_name, insert, name_for};
use super::instance::Instance;
use super::lifecycle::{CREATING, latest_restorable};
use super::place;
use super::snapshot_api::{find, missing};
use super::store::{Entry, Store};
use crate::wire::{Answer, ApiError, Request};
use crate::world::World;

/// <https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_RestoreDBInstanceFromDBSnapshot.html>
pub(super) fn from_snapshot(world: &mut World, request: &Request) -> Result<Answer, ApiError> {
    let input = request.input();
    let here = place(request);
    let id = free_name(world, &here, &input)?;
    let named = input.need("DBSnapshotIdentifier")?;
    let (from, name) = find(&here, named)?;
    let snapshot = world
        .rds(&from)
        .snapshots
        .get(&name)
        .filter(|_| from == here)
        .cloned()
        .ok_or_else(|| missing(named))?;
    if !snapshot.done {
        return Err(ApiError::new(
            400,
            "InvalidDBSnapshotState",
            format!("The snapshot {named} is not available."),
        ));
    }
    restored(world, request, &id, &snapshot.of, snapshot.rows)
}

/// To a moment between the oldest backup and the last upload of logs.
///
/// <https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_RestoreDBInstanceToPointInTime.html>
pub(super) fn to_point_in_time(world: &mut World, request: &Request) -> Result<Answer, ApiError> {
    let input = request.input();
    let here = place(request);
    let id = name_for(world, &here, input.need("TargetDBInstanceIdentifier")?)?;
    let named = input.need("SourceDBInstanceIdentifier")?;
    let source = world.rds(&here).instance(named)?.clone();
    let when = input.time("RestoreTime")?;
    let latest = input.flag("UseLatestRestorableTime")?.unwrap_or(false);
    if when.is_some() == latest {
        return Err(ApiError::combination(
            "Either RestoreTime or UseLatestRestorableTime must be specified, and not both.",
        ));
    }
    let last = latest_restorable(world, &source).ok_or_else(|| {
        ApiError::new(
            400,
            "PointInTimeRestoreNotEnabled",
            format!("DBInstance {named} has no automated backups to restore from."),
        )
    })?;
    let when = when.unwrap_or(last);
    if when > last {
        return Err(ApiError::invalid(format!(
            "The specified instance cannot be restored to a time later than {last} because the latest restorable time is {last}"
        )));
    }
    if when < source.created {
        return Err(ApiError::invalid(format!(
            "The specified instance cannot be restored to a time earlier than {}",
            source.created
        )));
    }
    let rows: Vec<Entry> = world
        .stores
        .get(&source.store())
        .into_iter()
        .flat_map(|store| store.log.iter())
        .filter(|entry| world.clock.wall_at(entry.at) <= when)
        .cloned()
        .collect();
    restored(world, request, &id, &source, rows)
}

fn restored(
    world: &mut World,
    request: &Request,
    id: &str,
    of: &Instance,
    rows: Vec<Entry>,
) -> Result<Answer, ApiError> {
    let input = request.input();
    let here = place(request);
    let mut instance = copy_of(world, of, &here, id);
    apply_common(&mut instance, &input)?;
    if let Some(class) = input.text("DBInstanceClass") {
        instance.class = class.to_owned();
    }
    // A restored instance keeps its backups as long as the one it comes from.
    instance.retention = of.retention;
    let now = world.clock.now();
    world.stores.insert(instance.store(), Store { log: rows, ..Store::new(now) });
    insert(world, instance, CREATING)
}
