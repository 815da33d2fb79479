//! Deleting an instance.

use std::time::Duration;

use super::instance::{Status, identifier, invalid_state};
use super::lifecycle::DELETING;
use super::moves::{self, Move};
use super::{describe, place, promote, snapshot};
use crate::wire::{Answer, ApiError, Request};
use crate::world::World;

/// Its copies in the same region become instances of their own; those in other regions keep their name as replicas
/// and get nothing more.
///
/// <https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_DeleteInstance.html>
pub(super) fn instance(world: &mut World, request: &Request) -> Result<Answer, ApiError> {
    let input = request.input();
    let here = place(request);
    let id = input.need("DBInstanceIdentifier")?.to_lowercase();
    let skip = input.flag("SkipFinalSnapshot")?.unwrap_or(false);
    let last = input.text("FinalDBSnapshotIdentifier").map(str::to_owned);
    let instance = world.rds(&here).instance(&id)?.clone();
    if instance.protected {
        return Err(ApiError::combination(
            "Cannot delete protected DB Instance, please disable deletion protection and try again.",
        ));
    }
    if matches!(instance.status, Status::Deleting | Status::Creating) {
        return Err(invalid_state(format!("Instance {id} is already being deleted or created.")));
    }
    match (skip, &last) {
        _ if instance.cluster.is_some() => {}
        (true, Some(_)) => {
            return Err(ApiError::combination(
                "FinalDBSnapshotIdentifier can not be specified when deleting with SkipFinalSnapshot",
            ));
        }
        (false, None) => {
            return Err(ApiError::combination(
                "FinalDBSnapshotIdentifier is required unless SkipFinalSnapshot is specified.",
            ));
        }
        (false, Some(_)) if instance.source.is_some() => {
            return Err(ApiError::combination(
                "FinalDBSnapshotIdentifier can not be specified when deleting a replica instance",
            ));
        }
        (false, Some(name)) => {
            let name = identifier("FinalDBSnapshotIdentifier", name)?;
            snapshot::take(world, &here, &name, &instance, "manual")?;
        }
        (true, None) => {}
    }
    for (replica_place, replica) in &instance.replicas {
        if *replica_place == here {
            promote::complete(world, replica_place, replica);
        }
    }
    if let Some((source_place, source)) = &instance.source
        && let Ok(source) = world.rds(source_place).instance_mut(source)
    {
        source.replicas.retain(|(place, name)| *place != here || *name != id);
    }
    let instance = world.rds(&here).instance_mut(&id)?;
    instance.status = Status::Deleting;
    let shown = instance.clone();
    moves::begin(
        world,
        &here,
        &id,
        [
            (Duration::ZERO, Move::Down),
            (DELETING, Move::Tell("deletion", "DB instance deleted")),
            (Duration::ZERO, Move::Gone),
        ],
    );
    Ok(describe::one(world, &shown))
}
