//! Versions on their way to another region.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/replication-what-is-isnt-replicated.html>

use std::time::Duration;

use super::bucket::{Progress, Version, Versioning};
use super::replication_api::Rule;
use crate::world::World;

/// "Most objects are replicated within seconds."
///
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/replication-time-control.html>
const USUAL: Duration = Duration::from_secs(15);
/// How soon it is tried again when a region is lost.
const AGAIN: Duration = Duration::from_secs(30);

/// What comes about by itself.
#[derive(Debug, Clone)]
pub(crate) enum Due {
    /// A version arrives.
    Arrive { bucket: String, key: String, version: String, to: String },
}

/// Sets a new version on its way, if a rule covers it. What was there before the rule is not.
pub(super) fn begin(world: &mut World, bucket: &str, key: &str, version: &str) {
    let Some((to, latency)) = covered(world, bucket, key, version) else { return };
    if let Some(version) = find(world, bucket, key, version) {
        version.progress = Some(Progress::Pending);
    }
    let due = Due::Arrive { bucket: bucket.to_owned(), key: key.to_owned(), version: version.to_owned(), to };
    let after = latency.unwrap_or_else(|| world.clock.takes(USUAL));
    world.later(after, due);
}

fn covered(world: &mut World, bucket: &str, key: &str, version: &str) -> Option<(String, Option<Duration>)> {
    let marker = find(world, bucket, key, version)?.marker;
    let bucket = world.bucket(bucket).ok()?;
    let rule: &Rule = bucket
        .replication
        .as_ref()?
        .rules
        .iter()
        .filter(|rule| rule.enabled && key.starts_with(&rule.prefix))
        // A rule of the older kind, without a filter, replicates markers.
        .filter(|rule| !marker || rule.markers.unwrap_or(true))
        .max_by_key(|rule| rule.priority)?;
    let to = rule.bucket.clone();
    let latency = bucket
        .latency
        .iter()
        .filter(|(prefix, _)| key.starts_with(prefix.as_str()))
        .max_by_key(|(prefix, _)| prefix.len())
        .map(|(_, latency)| *latency);
    Some((to, latency))
}

fn find<'a>(world: &'a mut World, bucket: &str, key: &str, id: &str) -> Option<&'a mut Version> {
    let versions = world.s3.buckets.get_mut(bucket)?.objects.get_mut(key)?;
    versions.iter_mut().find(|version| version.id == id)
}

/// Carries out what has come about.
pub(crate) fn carry_out(world: &mut World, due: Due) {
    let Due::Arrive { bucket, key, version, to } = due.clone();
    let region = |world: &World, name: &str| world.s3.buckets.get(name).map(|bucket| bucket.region.clone());
    let lost = [region(world, &bucket), region(world, &to)]
        .into_iter()
        .flatten()
        .any(|region| world.is_lost(&region));
    if lost {
        let after = world.clock.takes(AGAIN);
        world.later(after, due);
        return;
    }
    let now = world.clock.wall();
    // What was deleted for good meanwhile does not travel.
    let Some(source) = find(world, &bucket, &key, &version).cloned() else { return };
    let takes = world.s3.buckets.get(&to).is_some_and(|bucket| bucket.versioning == Versioning::Enabled);
    if let Some(source) = find(world, &bucket, &key, &version) {
        source.progress = Some(if takes { Progress::Completed } else { Progress::Failed });
        source.replicated = takes.then_some(now);
    }
    if !takes {
        return;
    }
    if let Ok(to) = world.bucket(&to) {
        let replica = Version { progress: Some(Progress::Replica), ..source };
        let versions = to.objects.entry(key).or_default();
        versions.retain(|other| other.id != replica.id);
        // The order is that of the source's moments, whichever arrives first.
        let place = versions.partition_point(|other| other.modified <= replica.modified);
        versions.insert(place, replica);
    }
}

impl World {
    /// How old the oldest version is that a rule has not replicated, in seconds: the metric `ReplicationLatency`.
    ///
    /// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/repl-metrics.html>
    pub(crate) fn replication_latency(&self, bucket: &str, at: dr_core::Timestamp) -> Option<f64> {
        let bucket = self.s3.buckets.get(bucket)?;
        bucket
            .replication
            .as_ref()
            .filter(|replication| replication.rules.iter().any(|rule| rule.metrics))?;
        let waiting = bucket.objects.values().flatten().filter(|version| {
            matches!(version.progress, Some(Progress::Pending | Progress::Completed))
                && version.modified <= at
                && version.replicated.is_none_or(|done| done > at)
        });
        let oldest = waiting.map(|version| at.since(version.modified)).max();
        Some(oldest.unwrap_or_default().as_secs_f64())
    }
}
