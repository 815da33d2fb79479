//! How far a replica is behind, as CloudWatch shows it.

use std::time::Duration;

use tokio::time::Instant;

use super::lifecycle::LOG_UPLOAD;
use super::store::StoreKey;
use crate::world::World;

impl World {
    /// `ReplicaLag` of a PostgreSQL replica at a moment: seconds since the last transaction it replayed.
    ///
    /// An idle source makes it grow, up to five minutes, until RDS switches the WAL file; −1 when replication is not
    /// active: <https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_PostgreSQL.Replication.ReadReplicas.Monitor.html>.
    pub(crate) fn replica_lag(&self, key: &StoreKey, at: Instant) -> Option<f64> {
        let store = self.stores.get(key)?;
        let follow = store.follow.as_ref()?;
        if at < store.created {
            return None;
        }
        if !follow.was_active(at) {
            return Some(-1.0);
        }
        let replayed = store.log.iter().filter(|entry| entry.replayed <= at).map(|entry| entry.at).max();
        let switched = self.stores.get(&follow.source).map(|source| {
            let every = self.clock.takes(LOG_UPLOAD).max(Duration::from_micros(1));
            let age = at.saturating_duration_since(source.created).saturating_sub(follow.lag);
            source.created + every.mul_f64((age.as_micros() / every.as_micros()) as f64)
        });
        let last = replayed.into_iter().chain(switched).max()?;
        Some(at.saturating_duration_since(last).as_secs_f64())
    }
}
