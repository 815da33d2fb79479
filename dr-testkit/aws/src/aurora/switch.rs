//! How a switch of the writer goes on by itself.

use std::time::Duration;

use super::cluster::ClusterStatus;
use super::global::{Failover, GlobalStatus, Member};
use crate::place::Place;
use crate::rds::{Follow, GroupState, StoreKey};
use crate::world::World;

/// Until a switch that was asked for begins.
pub(super) const ASKED: Duration = Duration::from_secs(5);
/// "Typically within a minute or two": the roles change.
///
/// <https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/aurora-global-database-disaster-recovery.html>
const ROLES: Duration = Duration::from_secs(60);
/// How often it is looked whether the target has caught up, or a lost region is back.
const LOOK: Duration = Duration::from_secs(10);

/// What comes about by itself.
#[derive(Debug, Clone)]
pub(crate) enum Due {
    ClusterStatus {
        place: Place,
        id: String,
        status: ClusterStatus,
    },
    ClusterGroups {
        place: Place,
        id: String,
    },
    /// A switch begins: the old writer stops if it can be reached.
    Begin {
        account: String,
        id: String,
    },
    /// The roles change, as soon as a planned one's target has caught up.
    Roles {
        account: String,
        id: String,
    },
    /// A writer that was left behind becomes a copy, as soon as its region is back.
    Reattach {
        account: String,
        id: String,
        place: Place,
        name: String,
    },
    /// A cluster that left its global database takes writes.
    Alone {
        place: Place,
        id: String,
    },
}

/// Carries out what has come about.
pub(crate) fn carry_out(world: &mut World, due: Due) {
    match due {
        Due::ClusterStatus { place, id, status } => {
            if let Ok(cluster) = world.cluster(&place, &id) {
                cluster.status = status;
            }
        }
        Due::ClusterGroups { place, id } => groups(world, &place, &id),
        Due::Begin { account, id } => begin(world, &account, &id),
        Due::Roles { account, id } => roles(world, &account, &id),
        Due::Reattach { account, id, place, name } => reattach(world, &account, &id, &place, &name),
        Due::Alone { place, id } => {
            if let Some(store) = world.stores.get_mut(&StoreKey::cluster(&place, &id)) {
                store.follow = None;
                store.frozen = false;
            }
            if let Ok(cluster) = world.cluster(&place, &id) {
                cluster.status = ClusterStatus::Available;
            }
        }
    }
}

fn groups(world: &mut World, place: &Place, id: &str) {
    let settle = |groups: &mut std::collections::BTreeMap<String, GroupState>| {
        groups.retain(|_, state| *state != GroupState::Removing);
        groups.values_mut().for_each(|state| *state = GroupState::Active);
    };
    if let Ok(cluster) = world.cluster(place, id) {
        settle(&mut cluster.groups);
    }
    for instance in world.rds(place).instances.values_mut() {
        if instance.cluster.as_deref() == Some(id) {
            settle(&mut instance.groups);
        }
    }
}

fn key((place, id): &(Place, String)) -> StoreKey {
    StoreKey::cluster(place, id)
}

fn begin(world: &mut World, account: &str, id: &str) {
    let Ok(global) = world.global(account, id) else { return };
    let Some(failover) = global.failover.as_mut() else { return };
    failover.pending = false;
    let failover = failover.clone();
    // A writer that cannot be reached cannot be stopped either: it is, when it is back.
    if !world.is_lost(&failover.from.0.region) {
        freeze(world, &failover.from);
    }
    if failover.loses
        && let Some(follow) = world.stores.get_mut(&key(&failover.to)).and_then(|store| store.follow.as_mut())
    {
        follow.cut = true;
    }
    let after = world.clock.takes(ROLES);
    world.later(after, Due::Roles { account: account.to_owned(), id: id.to_owned() });
}

/// The cluster takes no more writes, and its sessions end.
fn freeze(world: &mut World, cluster: &(Place, String)) {
    if let Some(store) = world.stores.get_mut(&key(cluster)) {
        store.frozen = true;
        store.sessions.clear();
    }
}

fn roles(world: &mut World, account: &str, id: &str) {
    let Ok(global) = world.global(account, id) else { return };
    let Some(failover) = global.failover.clone() else { return };
    let again = Due::Roles { account: account.to_owned(), id: id.to_owned() };
    let after = world.clock.takes(LOOK);
    if world.is_lost(&failover.to.0.region) {
        world.later(after, again);
        return;
    }
    if !failover.loses {
        if world.is_lost(&failover.from.0.region) {
            give_up(world, account, id, &failover);
            return;
        }
        let length = |world: &World, name| world.stores.get(&key(name)).map(|store| store.log.len());
        if length(world, &failover.to) != length(world, &failover.from) {
            world.later(after, again);
            return;
        }
    }
    promote(world, account, id, &failover);
}

/// A switchover whose primary is gone half-way leaves the roles as they were.
fn give_up(world: &mut World, account: &str, id: &str, failover: &Failover) {
    if let Some(store) = world.stores.get_mut(&key(&failover.from)) {
        store.frozen = false;
    }
    finish(world, account, id, failover);
}

fn finish(world: &mut World, account: &str, id: &str, failover: &Failover) {
    if let Ok(global) = world.global(account, id) {
        global.status = GlobalStatus::Available;
        global.failover = None;
    }
    for (place, name) in [&failover.from, &failover.to] {
        if let Ok(cluster) = world.cluster(place, name) {
            cluster.status = ClusterStatus::Available;
        }
    }
}

fn promote(world: &mut World, account: &str, id: &str, failover: &Failover) {
    if let Some(store) = world.stores.get_mut(&key(&failover.to)) {
        store.follow = None;
        store.frozen = false;
        store.sessions.clear();
    }
    let Ok(global) = world.global(account, id) else { return };
    for member in &mut global.members {
        member.writer = member.name() == failover.to;
        member.detached = member.name() == failover.from;
    }
    let others: Vec<Member> = global
        .members
        .iter()
        .filter(|member| member.name() != failover.to && member.name() != failover.from)
        .cloned()
        .collect();
    for member in others {
        attach(world, &member.name(), &failover.to);
    }
    finish(world, account, id, failover);
    reattach(world, account, id, &failover.from.0, &failover.from.1);
}

/// The old writer becomes a copy by itself; what only it had is set aside, as AWS keeps a snapshot of it.
fn reattach(world: &mut World, account: &str, id: &str, place: &Place, name: &str) {
    let again = Due::Reattach {
        account: account.to_owned(),
        id: id.to_owned(),
        place: place.clone(),
        name: name.to_owned(),
    };
    if world.is_lost(&place.region) {
        let after = world.clock.takes(LOOK);
        world.later(after, again);
        return;
    }
    let Ok(global) = world.global(account, id) else { return };
    let old = (place.clone(), name.to_owned());
    let Some(member) = global.members.iter_mut().find(|member| member.name() == old && member.detached)
    else {
        return;
    };
    member.detached = false;
    let Some(writer) = global.writer().map(Member::name) else { return };
    freeze(world, &old);
    attach(world, &old, &writer);
}

/// Lets a cluster copy the writer from the beginning of what they have in common.
fn attach(world: &mut World, cluster: &(Place, String), writer: &(Place, String)) {
    let Some(theirs) = world.stores.get(&key(writer)).map(|store| store.log.clone()) else { return };
    let Some(store) = world.stores.get_mut(&key(cluster)) else { return };
    let same = |(mine, other): &(&crate::rds::Entry, &crate::rds::Entry)| {
        (&mine.book, mine.row, mine.at) == (&other.book, other.row, other.at)
    };
    let common = store.log.iter().zip(&theirs).take_while(same).count();
    let orphans = store.log.split_off(common);
    let lag = store.follow.as_ref().map_or(super::cluster_api::LAG, |follow| follow.lag);
    store.follow = Some(Follow::new(key(writer), lag));
    store.frozen = false;
    store.sessions.clear();
    if let Ok(cluster) = world.cluster(&cluster.0, &cluster.1) {
        cluster.orphans.extend(orphans);
    }
}
