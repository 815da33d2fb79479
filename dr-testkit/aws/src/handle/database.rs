//! Databases: putting them there and looking into them.

use std::time::Duration;

use dr_core::{Result, Timestamp};

use super::refused;
use crate::aws::Aws;
use crate::place::Place;
use crate::rds::{self, Entry, GroupState, StoreKey};
use crate::world::World;

/// RDS in one region.
#[derive(Debug, Clone)]
pub struct Region<'a> {
    pub(super) aws: &'a Aws,
    pub(super) place: Place,
}

/// One instance.
#[derive(Debug, Clone)]
pub struct Instance<'a> {
    region: Region<'a>,
    id: String,
}

/// What a service's `DATABASE_URL` can name.
#[derive(Debug, Clone)]
pub struct Database(pub(crate) StoreKey);

impl From<&Instance<'_>> for Database {
    fn from(instance: &Instance<'_>) -> Self {
        Self(instance.key())
    }
}

/// A row of the simulator's small data model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Which book it stands in.
    pub book: String,
    /// Its number.
    pub row: i64,
    /// When it was committed.
    pub committed: Timestamp,
}

impl Aws {
    /// RDS in a region, in the default account.
    pub fn rds(&self, region: &str) -> Region<'_> {
        Region { aws: self, place: Place::new(&self.account, region) }
    }
}

impl<'a> Region<'a> {
    /// An instance, whether or not it is there.
    pub fn instance(&self, id: &str) -> Instance<'a> {
        Instance { region: self.clone(), id: id.to_lowercase() }
    }

    /// Puts a PostgreSQL instance there that is available, with a week of backups and the group `sg-default`.
    ///
    /// # Errors
    /// When there is one of that name, or the name is none.
    pub fn create(&self, id: &str) -> Result<Instance<'a>> {
        refused(self.aws.shared.with(|world| rds::seed_instance(world, &self.place, id)))?;
        Ok(self.instance(id))
    }

    /// Puts a replica there that follows an instance, perhaps of another region.
    ///
    /// # Errors
    /// When the name is taken or the source is not there.
    pub fn replicate(&self, id: &str, source: &Instance<'_>) -> Result<Instance<'a>> {
        let lag = Duration::from_millis(20);
        refused(self.aws.shared.with(|world| {
            rds::seed_replica(world, &self.place, id, (&source.region.place, &source.id), lag)
        }))?;
        Ok(self.instance(id))
    }

    /// Nobody comes through this security group from now on; sessions that are open stay.
    pub fn close_group(&self, group: &str) {
        self.aws.shared.with(|world| world.rds(&self.place).closed_groups.insert(group.to_owned()));
    }

    /// Everybody comes through this security group again.
    pub fn open_group(&self, group: &str) {
        self.aws.shared.with(|world| world.rds(&self.place).closed_groups.remove(group));
    }

    /// How many instances the region allows.
    pub fn set_instance_quota(&self, quota: usize) {
        self.aws.shared.with(|world| world.rds(&self.place).instance_quota = quota);
    }

    /// How many snapshots made by hand the region allows.
    pub fn set_snapshot_quota(&self, quota: usize) {
        self.aws.shared.with(|world| world.rds(&self.place).snapshot_quota = quota);
    }
}

impl Instance<'_> {
    /// Its ARN.
    pub fn arn(&self) -> String {
        self.region.place.arn("rds", &format!("db:{}", self.id))
    }

    /// Its name.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// What its status says; `None` when it is not there.
    pub fn status(&self) -> Option<&'static str> {
        self.with(|world, _| Some(world.rds(&self.region.place).instance(&self.id).ok()?.status.as_str()))
    }

    /// Whether its rows still come from a source; `None` when it is not there.
    pub fn is_replica(&self) -> Option<bool> {
        self.with(|world, _| Some(world.rds(&self.region.place).instance(&self.id).ok()?.source.is_some()))
    }

    /// How far it is behind its source from now on.
    pub fn set_lag(&self, lag: Duration) {
        self.with(|world, key| {
            if let Some(follow) = world.stores.get_mut(key).and_then(|store| store.follow.as_mut()) {
                follow.lag = lag;
            }
        });
    }

    /// Cuts the link to its source, or mends it.
    pub fn set_link(&self, up: bool) {
        self.with(|world, key| {
            if let Some(follow) = world.stores.get_mut(key).and_then(|store| store.follow.as_mut()) {
                follow.cut = !up;
            }
        });
    }

    /// Commits a row from inside, past every security group; false when it is no primary or does not run.
    pub fn write(&self, book: &str, row: i64) -> bool {
        self.with(|world, key| world.write_inside(key, book, row))
    }

    /// Its rows, in the order of their commits.
    pub fn rows(&self) -> Vec<Row> {
        self.with(|world, key| {
            let log = world.stores.get(key).map(|store| store.log.clone()).unwrap_or_default();
            rows(world, &log)
        })
    }

    /// Replaces its security groups at once.
    pub fn set_groups(&self, groups: &[&str]) {
        self.with(|world, _| {
            if let Ok(instance) = world.rds(&self.region.place).instance_mut(&self.id) {
                instance.groups =
                    groups.iter().map(|group| ((*group).to_owned(), GroupState::Active)).collect();
            }
        });
    }

    /// Whether a new connection would be taken now.
    pub fn takes_connections(&self) -> bool {
        self.with(|world, key| world.would_admit(key))
    }

    /// How many sessions are open.
    pub fn sessions(&self) -> usize {
        self.with(|world, key| world.stores.get(key).map_or(0, |store| store.sessions.len()))
    }

    pub(crate) fn key(&self) -> StoreKey {
        self.region.aws.shared.with(|world| {
            let instance = world.rds(&self.region.place).instance(&self.id);
            instance.map_or_else(|_| StoreKey::instance(&self.region.place, &self.id), rds::Instance::store)
        })
    }

    fn with<T>(&self, look: impl FnOnce(&mut World, &StoreKey) -> T) -> T {
        let key = self.key();
        self.region.aws.shared.with(|world| look(world, &key))
    }
}

/// Rows as the handle shows them.
pub(super) fn rows(world: &World, log: &[Entry]) -> Vec<Row> {
    log.iter()
        .map(|entry| Row {
            committed: world.clock.wall_at(entry.at),
            book: entry.book.clone(),
            row: entry.row,
        })
        .collect()
}
