//! The API of snapshots.

use super::instance::{Status, identifier};
use super::lifecycle::SNAPSHOT;
use super::moves::Due;
use super::snapshot::{self, Snapshot};
use super::{describe, place, tags};
use crate::place::{Arn, Place};
use crate::wire::{Answer, ApiError, Node, Request};
use crate::world::World;

/// <https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_CreateDBSnapshot.html>
pub(super) fn create(world: &mut World, request: &Request) -> Result<Answer, ApiError> {
    let input = request.input();
    let here = place(request);
    let name = identifier("DBSnapshotIdentifier", input.need("DBSnapshotIdentifier")?)?;
    let instance = world.rds(&here).instance(input.need("DBInstanceIdentifier")?)?.clone();
    instance.must_be_available()?;
    let mut taken = snapshot::take(world, &here, &name, &instance, "manual")?;
    taken.tags = tags::read(&input)?;
    world.rds(&here).snapshots.insert(name, taken.clone());
    world.rds(&here).instance_mut(&instance.id)?.status = Status::BackingUp;
    Ok(one(world, &taken))
}

/// Within a region, or from another one by ARN: it is read there, so that region has to be up.
///
/// <https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_CopyDBSnapshot.html>
pub(super) fn copy(world: &mut World, request: &Request) -> Result<Answer, ApiError> {
    let input = request.input();
    let here = place(request);
    let name = identifier("TargetDBSnapshotIdentifier", input.need("TargetDBSnapshotIdentifier")?)?;
    let named = input.need("SourceDBSnapshotIdentifier")?;
    let (from, source) = find(&here, named)?;
    if world.is_lost(&from.region) {
        return Err(ApiError::new(
            503,
            "ServiceUnavailable",
            format!("The source region {} cannot be reached.", from.region),
        ));
    }
    let source = world.rds(&from).snapshots.get(&source).cloned().ok_or_else(|| missing(named))?;
    if !source.done {
        return Err(ApiError::new(400, "InvalidDBSnapshotState", "The source snapshot is not available."));
    }
    snapshot::must_be_free(world, &here, &name)?;
    let copied = Snapshot {
        place: here.clone(),
        id: name.clone(),
        kind: "manual",
        created: world.clock.wall(),
        begun: world.clock.now(),
        done: false,
        source: (from != here).then(|| (from.region.clone(), source.arn())),
        tags: tags::read(&input)?,
        ..source
    };
    world.rds(&here).snapshots.insert(name.clone(), copied.clone());
    let after = world.clock.takes(SNAPSHOT);
    world.later(after, Due::Snapshot { place: here, id: name, instance: None });
    Ok(one(world, &copied))
}

/// <https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DescribeDBSnapshots.html>
pub(super) fn describe(world: &mut World, request: &Request) -> Result<Answer, ApiError> {
    let input = request.input();
    let here = place(request);
    let of = input.text("DBInstanceIdentifier").map(str::to_lowercase);
    let name = input.text("DBSnapshotIdentifier");
    let kind = input.text("SnapshotType");
    if let Some(kind) = kind
        && !["automated", "manual", "shared", "public", "awsbackup"].contains(&kind)
    {
        return Err(ApiError::invalid(format!("Invalid snapshot type: {kind}")));
    }
    let found: Vec<Snapshot> = match name {
        Some(name) => {
            let (from, id) = find(&here, name)?;
            let snapshot = world.rds(&from).snapshots.get(&id).filter(|_| from == here).cloned();
            vec![snapshot.ok_or_else(|| missing(name))?]
        }
        None => world.rds(&here).snapshots.values().cloned().collect(),
    };
    let found: Vec<Snapshot> = found
        .into_iter()
        .filter(|snapshot| of.as_ref().is_none_or(|of| snapshot.of.id == *of))
        .filter(|snapshot| kind.is_none_or(|kind| snapshot.kind == kind))
        .collect();
    let (page, marker) = describe::page(&input, &found, |snapshot| snapshot.id.clone())?;
    let nodes: Vec<Node> = page.iter().map(|snapshot| snapshot.node(world)).collect();
    Ok(Answer::of(Node::map().maybe("Marker", marker).put("DBSnapshots", Node::list("DBSnapshot", nodes))))
}

/// Only those made by hand.
///
/// <https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DeleteDBSnapshot.html>
pub(super) fn delete(world: &mut World, request: &Request) -> Result<Answer, ApiError> {
    let named = request.input().need("DBSnapshotIdentifier")?;
    let here = place(request);
    let snapshot =
        world.rds(&here).snapshots.get(&named.to_lowercase()).cloned().ok_or_else(|| missing(named))?;
    if snapshot.kind != "manual" || !snapshot.done {
        return Err(ApiError::new(
            400,
            "InvalidDBSnapshotState",
            format!("Cannot delete the snapshot {named}: only available manual snapshots can be deleted."),
        ));
    }
    world.rds(&here).snapshots.remove(&snapshot.id);
    Ok(one(world, &snapshot))
}

fn one(world: &World, snapshot: &Snapshot) -> Answer {
    Answer::of(Node::map().put("DBSnapshot", snapshot.node(world)))
}

/// The place and name of a snapshot named by itself or by ARN.
pub(super) fn find(here: &Place, named: &str) -> Result<(Place, String), ApiError> {
    if named.starts_with("arn:") {
        return Arn::of_kind(named, "snapshot");
    }
    Ok((here.clone(), named.to_lowercase()))
}

pub(super) fn missing(named: &str) -> ApiError {
    ApiError::new(404, "DBSnapshotNotFound", format!("DBSnapshot {named} not found."))
}
