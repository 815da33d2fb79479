//! Making a read replica an instance of its own.

use std::time::Duration;

use super::instance::{Status, invalid_state};
use super::lifecycle::{ASKED, PROMOTING, REBOOTING};
use super::moves::{self, Move};
use super::store::StoreKey;
use super::{create, describe, place};
use crate::place::Place;
use crate::wire::{Answer, ApiError, Request};
use crate::world::World;

/// Takes a while, restarts the instance, and cannot be taken back. For some seconds the status is still `available`:
/// that alone says nothing about whether the promotion is done.
///
/// <https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_ReadRepl.Promote.html>
pub(super) fn replica(world: &mut World, request: &Request) -> Result<Answer, ApiError> {
    let input = request.input();
    let here = place(request);
    let id = input.need("DBInstanceIdentifier")?.to_lowercase();
    let retention = create::retention(&input)?.unwrap_or(1);
    let instance = world.rds(&here).instance_mut(&id)?;
    if instance.source.is_none() {
        return Err(invalid_state(format!("DB Instance {id} is not a read replica.")));
    }
    instance.must_be_available()?;
    if instance.promoting {
        return Err(invalid_state(format!("DB Instance {id} is already being promoted.")));
    }
    instance.promoting = true;
    let shown = instance.clone();
    let answer = describe::one(world, &shown);
    moves::begin(
        world,
        &here,
        &id,
        [
            (ASKED, Move::Status(Status::Modifying)),
            (Duration::ZERO, Move::Detached),
            (PROMOTING, Move::Status(Status::Rebooting)),
            (Duration::ZERO, Move::Down),
            (REBOOTING, Move::Promoted),
            (Duration::ZERO, Move::Retention(retention)),
            (Duration::ZERO, Move::Restarted),
            (Duration::ZERO, Move::Status(Status::Available)),
            (
                Duration::ZERO,
                Move::Tell("read replica", "Promoted read replica to a stand-alone database instance."),
            ),
        ],
    );
    Ok(answer)
}

/// From here on nothing more comes from the source.
pub(super) fn detach(world: &mut World, key: &StoreKey) {
    let now = world.clock.now();
    if let Some(follow) = world.stores.get_mut(key).and_then(|store| store.follow.as_mut()) {
        follow.cut = true;
        if follow.is_active() {
            follow.activity.push((now, false));
        }
    }
}

/// The instance is on its own: it takes writes, and its source has one replica less.
pub(super) fn complete(world: &mut World, place: &Place, id: &str) {
    let Ok(instance) = world.rds(place).instance_mut(id) else { return };
    instance.promoting = false;
    let source = instance.source.take();
    let key = instance.store();
    if let Some(store) = world.stores.get_mut(&key) {
        store.follow = None;
    }
    if let Some((source_place, source_id)) = source
        && let Ok(source) = world.rds(&source_place).instance_mut(&source_id)
    {
        source.replicas.retain(|(replica_place, replica)| replica_place != place || replica != id);
    }
}
