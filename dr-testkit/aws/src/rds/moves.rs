//! What happens to an instance or a snapshot by itself, one move after another.

use std::collections::VecDeque;
use std::time::Duration;

use super::instance::{GroupState, Status};
use super::{promote, snapshot};
use crate::place::Place;
use crate::world::World;

/// One thing that happens.
#[derive(Debug, Clone)]
pub(crate) enum Move {
    /// The status becomes this.
    Status(Status),
    /// The database stops running: every session ends.
    Down,
    /// It runs again after a restart.
    Restarted,
    /// Security groups that were coming are in force, those that were going are gone.
    Groups,
    /// A pending retention period is in force.
    Retention(i64),
    /// A replica takes nothing more from its source.
    Detached,
    /// A replica has become an instance of its own.
    Promoted,
    /// It has another name from now on.
    Renamed(String),
    /// It is gone.
    Gone,
    /// An event.
    Tell(&'static str, &'static str),
    /// An automated backup is there.
    Backup,
}

/// What comes about by itself.
#[derive(Debug, Clone)]
pub(crate) enum Due {
    /// The next of an instance's moves. An instance of the same name that was made since is not meant.
    Instance { place: Place, id: String, resource: String, moves: VecDeque<(Duration, Move)> },
    /// A snapshot is complete.
    Snapshot { place: Place, id: String, instance: Option<String> },
}

/// Lets moves happen, each so long after the one before, as AWS documents it.
pub(super) fn begin(
    world: &mut World,
    place: &Place,
    id: &str,
    moves: impl IntoIterator<Item = (Duration, Move)>,
) {
    let Some(instance) = world.rds(place).instances.get(id) else { return };
    let resource = instance.resource_id.clone();
    go_on(world, place.clone(), id.to_owned(), resource, moves.into_iter().collect());
}

/// Carries out the moves that take no time, then waits for the next one.
fn go_on(
    world: &mut World,
    place: Place,
    id: String,
    resource: String,
    mut moves: VecDeque<(Duration, Move)>,
) {
    while let Some((after, _)) = moves.front() {
        if !after.is_zero() {
            let after = world.clock.takes(*after);
            world.later(after, Due::Instance { place, id, resource, moves });
            return;
        }
        if let Some((_, next)) = moves.pop_front() {
            carry_out_move(world, &place, &id, next);
        }
    }
}

/// Carries out what has come about.
pub(crate) fn carry_out(world: &mut World, due: Due) {
    match due {
        Due::Instance { place, id, resource, mut moves } => {
            let same =
                world.rds(&place).instances.get(&id).is_some_and(|found| found.resource_id == resource);
            if !same {
                return;
            }
            let mut id = id;
            if let Some((_, next)) = moves.pop_front() {
                let renamed = match &next {
                    Move::Renamed(to) => Some(to.clone()),
                    _ => None,
                };
                carry_out_move(world, &place, &id, next);
                id = renamed.unwrap_or(id);
            }
            go_on(world, place, id, resource, moves);
        }
        Due::Snapshot { place, id, instance } => snapshot::complete(world, &place, &id, instance.as_deref()),
    }
}

fn carry_out_move(world: &mut World, place: &Place, id: &str, next: Move) {
    let Some(instance) = world.rds(place).instances.get_mut(id) else { return };
    let store = instance.store();
    match next {
        Move::Status(status) => instance.status = status,
        Move::Down => world.cut_sessions(&store),
        Move::Restarted => {
            world.cut_sessions(&store);
            world.tell(place, id, "availability", "DB instance restarted");
        }
        Move::Groups => {
            instance.groups.retain(|_, state| *state != GroupState::Removing);
            instance.groups.values_mut().for_each(|state| *state = GroupState::Active);
        }
        Move::Retention(days) => {
            instance.retention = days;
            instance.pending_retention = None;
        }
        Move::Detached => promote::detach(world, &store),
        Move::Promoted => promote::complete(world, place, id),
        Move::Renamed(to) => super::rename::complete(world, place, id, &to),
        Move::Gone => {
            world.rds(place).instances.remove(id);
            if !store.cluster {
                world.stores.remove(&store);
            }
        }
        Move::Tell(category, message) => world.tell(place, id, category, message),
        Move::Backup => snapshot::automated(world, place, id),
    }
}
