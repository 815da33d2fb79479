//! How far a secondary is behind, as CloudWatch shows it.

use tokio::time::Instant;

use crate::rds::StoreKey;
use crate::world::World;

impl World {
    /// `AuroraGlobalDBReplicationLag` and `AuroraGlobalDBRPOLag` of a secondary at a moment, in milliseconds.
    ///
    /// Without a link both grow from when it broke; AWS does not say what the first shows then.
    /// <https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/aurora-global-database-monitoring.html>
    pub(crate) fn global_lag(&self, key: &StoreKey, at: Instant, rpo: bool) -> Option<f64> {
        let store = self.stores.get(key)?;
        let follow = store.follow.as_ref()?;
        let broken = follow.activity.iter().rev().find(|(since, _)| *since <= at);
        let behind = match broken {
            None => return None,
            Some((_, true)) => follow.lag,
            Some((since, false)) => follow.lag + at.saturating_duration_since(*since),
        };
        // What could be lost is never less than what is on its way.
        let millis = behind.as_secs_f64() * 1_000.0;
        Some(if rpo { millis.ceil() } else { millis })
    }
}
