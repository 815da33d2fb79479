//! Restarting, stopping and starting.

use std::time::Duration;

use super::instance::{Status, invalid_state};
use super::lifecycle::{REBOOTING, STARTING, STOPPING};
use super::moves::{self, Move};
use super::{describe, place};
use crate::wire::{Answer, ApiError, Request};
use crate::world::World;

/// Every session ends.
///
/// <https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_RebootDBInstance.html>
pub(super) fn reboot(world: &mut World, request: &Request) -> Result<Answer, ApiError> {
    let (here, id) = (place(request), request.input().need("DBInstanceIdentifier")?.to_lowercase());
    let instance = world.rds(&here).instance_mut(&id)?;
    instance.must_be_available()?;
    if request.input().flag("ForceFailover")? == Some(true) && !instance.multi_az {
        return Err(ApiError::combination("Cannot reboot with failover a DB instance that is not Multi-AZ"));
    }
    instance.status = Status::Rebooting;
    let shown = instance.clone();
    moves::begin(
        world,
        &here,
        &id,
        [
            (Duration::ZERO, Move::Down),
            (Duration::ZERO, Move::Tell("availability", "DB instance shutdown")),
            (REBOOTING, Move::Restarted),
            (Duration::ZERO, Move::Status(Status::Available)),
        ],
    );
    Ok(describe::one(world, &shown))
}

/// Refused for a replica, and for what has one.
///
/// <https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_StopInstance.html#USER_StopInstance.Limitations>
pub(super) fn stop(world: &mut World, request: &Request) -> Result<Answer, ApiError> {
    let (here, id) = (place(request), request.input().need("DBInstanceIdentifier")?.to_lowercase());
    let instance = world.rds(&here).instance_mut(&id)?;
    if instance.source.is_some() {
        return Err(invalid_state("Cannot stop or start a read replica instance"));
    }
    if !instance.replicas.is_empty() {
        return Err(invalid_state("Cannot stop or start an instance with a read replica"));
    }
    if instance.cluster.is_some() {
        return Err(invalid_state(
            "aurora-postgresql DB instances are not eligible for stopping or starting.",
        ));
    }
    instance.must_be_available()?;
    instance.status = Status::Stopping;
    let shown = instance.clone();
    moves::begin(
        world,
        &here,
        &id,
        [
            (Duration::ZERO, Move::Down),
            (STOPPING, Move::Status(Status::Stopped)),
            (Duration::ZERO, Move::Tell("notification", "DB instance stopped")),
        ],
    );
    Ok(describe::one(world, &shown))
}

/// <https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_StartDBInstance.html>
pub(super) fn start(world: &mut World, request: &Request) -> Result<Answer, ApiError> {
    let (here, id) = (place(request), request.input().need("DBInstanceIdentifier")?.to_lowercase());
    let instance = world.rds(&here).instance_mut(&id)?;
    if instance.status != Status::Stopped {
        return Err(invalid_state(format!("Instance {id} is not stopped.")));
    }
    instance.status = Status::Starting;
    let shown = instance.clone();
    moves::begin(
        world,
        &here,
        &id,
        [
            (STARTING, Move::Status(Status::Available)),
            (Duration::ZERO, Move::Tell("notification", "DB instance started")),
        ],
    );
    Ok(describe::one(world, &shown))
}
