//! The rows behind instances and clusters, and how they come to their copies.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use tokio::time::Instant;

use crate::place::Place;
use crate::world::World;

/// Names an instance's rows, or an Aurora cluster's.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct StoreKey {
    pub(crate) place: Place,
    pub(crate) cluster: bool,
    pub(crate) id: String,
}

impl StoreKey {
    pub(crate) fn instance(place: &Place, id: &str) -> Self {
        Self { place: place.clone(), cluster: false, id: id.to_owned() }
    }

    pub(crate) fn cluster(place: &Place, id: &str) -> Self {
        Self { place: place.clone(), cluster: true, id: id.to_owned() }
    }
}

impl fmt::Display for StoreKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = if self.cluster { "cluster" } else { "db" };
        write!(f, "{kind}:{} in {}", self.id, self.place.region)
    }
}

/// A committed row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) book: String,
    pub(crate) row: i64,
    /// When it was committed, on the writer.
    pub(crate) at: Instant,
    /// When it was there, here.
    pub(crate) replayed: Instant,
}

/// Rows in the order of their commits.
#[derive(Debug, Clone)]
pub(crate) struct Store {
    pub(crate) log: Vec<Entry>,
    pub(crate) created: Instant,
    /// Whose copy it is.
    pub(crate) follow: Option<Follow>,
    pub(crate) sessions: BTreeSet<u64>,
    /// It takes no writes although it is no copy: its role is about to change.
    pub(crate) frozen: bool,
}

/// Following another store.
#[derive(Debug, Clone)]
pub(crate) struct Follow {
    pub(crate) source: StoreKey,
    pub(crate) lag: Duration,
    /// The link is cut although both sides run.
    pub(crate) cut: bool,
    /// When copying began and stopped.
    pub(crate) activity: Vec<(Instant, bool)>,
}

impl Follow {
    pub(crate) fn new(source: StoreKey, lag: Duration) -> Self {
        Self { source, lag, cut: false, activity: Vec::new() }
    }

    /// Whether rows are coming in.
    pub(crate) fn is_active(&self) -> bool {
        self.activity.last().is_some_and(|(_, active)| *active)
    }

    /// Whether rows were coming in then.
    pub(crate) fn was_active(&self, at: Instant) -> bool {
        self.activity.iter().rev().find(|(since, _)| *since <= at).is_some_and(|(_, active)| *active)
    }
}

impl Store {
    pub(crate) fn new(created: Instant) -> Self {
        Self { log: Vec::new(), created, follow: None, sessions: BTreeSet::new(), frozen: false }
    }

    /// Whether the row is there.
    pub(crate) fn has(&self, book: &str, row: i64) -> bool {
        self.log.iter().any(|entry| entry.book == book && entry.row == row)
    }
}

/// Lets every copy take what has reached it by now.
pub(crate) fn replicate(world: &mut World) {
    let now = world.clock.now();
    let keys: Vec<StoreKey> =
        world.stores.iter().filter(|(_, store)| store.follow.is_some()).map(|(key, _)| key.clone()).collect();
    for key in keys {
        let Some(follow) = world.stores.get(&key).and_then(|store| store.follow.clone()) else { continue };
        let linked = !follow.cut && world.runs(&key) && world.runs(&follow.source);
        let have = world.stores.get(&key).map_or(0, |store| store.log.len());
        let fresh: Vec<Entry> = match world.stores.get(&follow.source) {
            Some(source) if linked => source
                .log
                .iter()
                .skip(have)
                .take_while(|entry| entry.at + follow.lag <= now)
                .cloned()
                .collect(),
            _ => Vec::new(),
        };
        let Some(store) = world.stores.get_mut(&key) else { continue };
        if let Some(follow) = &mut store.follow
            && follow.is_active() != linked
        {
            follow.activity.push((now, linked));
        }
        let since =
            store.follow.as_ref().and_then(|follow| follow.activity.last()).map_or(now, |(at, _)| *at);
        store.log.extend(fresh.into_iter().map(|mut entry| {
            entry.replayed = (entry.at + follow.lag).max(since);
            entry
        }));
    }
}

impl World {
    /// Whether the database behind a store runs and its region is there.
    pub(crate) fn runs(&self, key: &StoreKey) -> bool {
        if self.is_lost(&key.place.region) {
            return false;
        }
        let Some(rds) = self.rds.get(&key.place) else { return false };
        if key.cluster {
            let writer = rds.clusters.get(&key.id).and_then(|cluster| cluster.writer.as_deref());
            return writer
                .and_then(|writer| rds.instances.get(writer))
                .is_some_and(|instance| instance.status.is_up());
        }
        rds.instances.get(&key.id).is_some_and(|instance| instance.status.is_up())
    }
}
