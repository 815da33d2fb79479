//! Aurora clusters: putting them there and looking into them.

use std::time::Duration;

use dr_core::Result;

use super::database::{Database, Region, Row, rows};
use super::refused;
use crate::aurora;
use crate::aws::Aws;
use crate::rds::StoreKey;

/// One Aurora cluster.
#[derive(Debug, Clone)]
pub struct Cluster<'a> {
    region: Region<'a>,
    id: String,
}

impl From<&Cluster<'_>> for Database {
    fn from(cluster: &Cluster<'_>) -> Self {
        Self(cluster.key())
    }
}

impl<'a> Region<'a> {
    /// A cluster, whether or not it is there.
    pub fn cluster(&self, id: &str) -> Cluster<'a> {
        Cluster { region: self.clone(), id: id.to_lowercase() }
    }

    /// Puts a cluster with one instance (`NAME-1`) there that is available.
    ///
    /// # Errors
    /// When there is one of that name, or the name is none.
    pub fn create_cluster(&self, id: &str) -> Result<Cluster<'a>> {
        refused(self.aws.shared.with(|world| aurora::seed_cluster(world, &self.place, id)))?;
        Ok(self.cluster(id))
    }
}

impl Aws {
    /// Puts a global database around clusters of different regions; the first of them writes.
    ///
    /// # Errors
    /// When there is one of that name, or a region is named twice.
    pub fn create_global_cluster(&self, id: &str, clusters: &[&Cluster<'_>]) -> Result<()> {
        let clusters: Vec<_> =
            clusters.iter().map(|cluster| (cluster.region.place.clone(), cluster.id.clone())).collect();
        refused(self.shared.with(|world| aurora::seed_global(world, &self.account, id, &clusters)))
    }
}

impl Cluster<'_> {
    /// Its ARN.
    pub fn arn(&self) -> String {
        self.region.place.arn("rds", &format!("cluster:{}", self.id))
    }

    /// What its status says; `None` when it is not there.
    pub fn status(&self) -> Option<&'static str> {
        self.region
            .aws
            .shared
            .with(|world| Some(world.cluster(&self.region.place, &self.id).ok()?.status.as_str()))
    }

    /// Whether it takes writes now.
    pub fn is_writable(&self) -> bool {
        let key = self.key();
        self.region.aws.shared.with(|world| world.runs(&key) && world.is_writable(&key) == Some(true))
    }

    /// How far it is behind its source from now on.
    pub fn set_lag(&self, lag: Duration) {
        let key = self.key();
        self.region.aws.shared.with(|world| {
            if let Some(follow) = world.stores.get_mut(&key).and_then(|store| store.follow.as_mut()) {
                follow.lag = lag;
            }
        });
    }

    /// Commits a row from inside; false when it is no writer or does not run.
    pub fn write(&self, book: &str, row: i64) -> bool {
        let key = self.key();
        self.region.aws.shared.with(|world| world.write_inside(&key, book, row))
    }

    /// Its rows, in the order of their commits.
    pub fn rows(&self) -> Vec<Row> {
        let key = self.key();
        self.region.aws.shared.with(|world| {
            let log = world.stores.get(&key).map(|store| store.log.clone()).unwrap_or_default();
            rows(world, &log)
        })
    }

    /// The rows that only it had when another cluster was put in its place.
    pub fn orphans(&self) -> Vec<Row> {
        self.region.aws.shared.with(|world| {
            let orphans = world.cluster(&self.region.place, &self.id).map(|cluster| cluster.orphans.clone());
            rows(world, &orphans.unwrap_or_default())
        })
    }

    fn key(&self) -> StoreKey {
        StoreKey::cluster(&self.region.place, &self.id)
    }
}
