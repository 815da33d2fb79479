//! Another name for an instance: its rows, tags and replicas go with it, its old name and endpoint are free.

use std::time::Duration;

use super::instance::{Status, identifier};
use super::lifecycle::RENAMING;
use super::moves::Move;
use super::store::StoreKey;
use crate::place::Place;
use crate::wire::ApiError;
use crate::world::World;

/// The new name, if there is one and it can be had. Without `ApplyImmediately` it would wait for the maintenance window,
/// which no world here lives to see.
///
/// <https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_RenameInstance.html>
pub(super) fn asked(
    world: &mut World,
    place: &Place,
    name: Option<String>,
    at_once: bool,
) -> Result<Option<String>, ApiError> {
    let Some(name) = name else { return Ok(None) };
    if !at_once {
        return Err(ApiError::new(
            501,
            "NotImplemented",
            "the simulator does not model a change of the name in the maintenance window",
        ));
    }
    let name = identifier("NewDBInstanceIdentifier", &name)?;
    if world.rds(place).instances.contains_key(&name) {
        return Err(ApiError::new(400, "DBInstanceAlreadyExists", "DB instance already exists"));
    }
    Ok(Some(name))
}

/// The instance restarts within it.
pub(super) fn moves(to: String) -> [(Duration, Move); 4] {
    [
        (Duration::ZERO, Move::Down),
        (RENAMING, Move::Renamed(to)),
        (Duration::ZERO, Move::Restarted),
        (Duration::ZERO, Move::Status(Status::Available)),
    ]
}

/// Everything that knows it by its old name knows it by the new one, but for clients: the old endpoint is gone.
pub(super) fn complete(world: &mut World, place: &Place, from: &str, to: &str) {
    let Some(mut instance) = world.rds(place).instances.remove(from) else { return };
    instance.id = to.to_owned();
    let (source, replicas) = (instance.source.clone(), instance.replicas.clone());
    world.rds(place).instances.insert(to.to_owned(), instance);
    let (old, new) = (StoreKey::instance(place, from), StoreKey::instance(place, to));
    if let Some(store) = world.stores.remove(&old) {
        world.stores.insert(new.clone(), store);
    }
    for store in world.stores.values_mut() {
        if let Some(follow) = store.follow.as_mut().filter(|follow| follow.source == old) {
            follow.source = new.clone();
        }
    }
    for (at, id) in replicas {
        if let Ok(replica) = world.rds(&at).instance_mut(&id) {
            replica.source = Some((place.clone(), to.to_owned()));
        }
    }
    if let Some((at, id)) = source
        && let Ok(source) = world.rds(&at).instance_mut(&id)
    {
        for replica in source.replicas.iter_mut().filter(|(of, name)| of == place && name == from) {
            replica.1 = to.to_owned();
        }
    }
}
