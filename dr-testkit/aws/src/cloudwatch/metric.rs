//! What a metric showed, and when.
//!
//! A period of a minute is shortened by the world's pace like every documented duration. A caller who asks for five
//! minutes of minutes gets, as from AWS, at most five points: the newest.

use std::collections::BTreeMap;
use std::time::Duration;

use dr_core::Timestamp;

use crate::place::Place;
use crate::rds::StoreKey;
use crate::wire::{ApiError, Input};
use crate::world::World;

/// What makes a metric one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct MetricKey {
    pub(crate) namespace: String,
    pub(crate) name: String,
    pub(crate) dimensions: BTreeMap<String, String>,
}

/// What a period held.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Point {
    pub(super) at: Timestamp,
    sum: f64,
    least: f64,
    most: f64,
    count: u32,
}

/// A span of time cut into periods.
#[derive(Debug, Clone, Copy)]
pub(super) struct Window {
    pub(super) start: Timestamp,
    pub(super) end: Timestamp,
    pub(super) period: Duration,
}

/// RDS publishes every minute: <https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/monitoring-cloudwatch.html>.
const MINUTE: Duration = Duration::from_secs(60);

impl MetricKey {
    pub(super) fn read(input: &Input<'_>) -> Result<Self, ApiError> {
        let dimensions = input
            .list("Dimensions")
            .iter()
            .map(|dimension| Ok((dimension.need("Name")?.to_owned(), dimension.need("Value")?.to_owned())))
            .collect::<Result<_, ApiError>>()?;
        Ok(Self {
            namespace: input.need("Namespace")?.to_owned(),
            name: input.need("MetricName")?.to_owned(),
            dimensions,
        })
    }
}

impl Point {
    fn of(at: Timestamp, values: &[f64]) -> Option<Self> {
        let first = *values.first()?;
        Some(Self {
            at,
            sum: values.iter().sum(),
            least: values.iter().copied().fold(first, f64::min),
            most: values.iter().copied().fold(first, f64::max),
            count: u32::try_from(values.len()).unwrap_or(u32::MAX),
        })
    }

    /// One of its statistics; percentiles are not modelled.
    pub(super) fn statistic(&self, name: &str) -> Option<f64> {
        Some(match name {
            "Average" => self.sum / f64::from(self.count),
            "Sum" => self.sum,
            "Minimum" => self.least,
            "Maximum" => self.most,
            "SampleCount" => f64::from(self.count),
            _ => return None,
        })
    }
}

impl Window {
    /// How many points it can have, as AWS counts.
    pub(super) fn most(&self) -> usize {
        let span = self.end.since(self.start).as_secs_f64();
        (span / self.period.as_secs_f64()).ceil() as usize
    }
}

/// The points of a metric in a window, the oldest first.
pub(super) fn points(world: &World, place: &Place, key: &MetricKey, window: Window) -> Vec<Point> {
    let step = millis(world.clock.takes(window.period));
    let now = world.clock.wall().as_millis();
    // Only whole periods: what is under way is not published.
    let last = window.end.as_millis().min(now) / step;
    let most = i64::try_from(window.most()).unwrap_or(i64::MAX);
    let first = (window.start.as_millis() / step + i64::from(window.start.as_millis() % step != 0))
        .max(last.saturating_sub(most));
    (first..last)
        .filter_map(|number| {
            let begin = number * step;
            Point::of(Timestamp::from_millis(begin), &samples(world, place, key, begin, begin + step))
        })
        .collect()
}

fn samples(world: &World, place: &Place, key: &MetricKey, begin: i64, end: i64) -> Vec<f64> {
    if key.namespace == "AWS/RDS"
        && let Some(values) = of_database(world, place, key, begin, end)
    {
        return values;
    }
    if key.namespace == "AWS/S3" && key.name == "ReplicationLatency" {
        let bucket = key.dimensions.get("SourceBucket").map(String::as_str).unwrap_or_default();
        return world.replication_latency(bucket, Timestamp::from_millis(end)).into_iter().collect();
    }
    if key.namespace == "AWS/Usage" && key.dimensions.get("Resource").map(String::as_str) == Some("vCPU") {
        // What runs now is taken for what ran.
        return vec![world.vcpus_used(place) as f64];
    }
    let data = world.cloudwatch.get(place).and_then(|cloudwatch| cloudwatch.data.get(key));
    data.into_iter()
        .flatten()
        .filter(|(at, _)| (begin..end).contains(&at.as_millis()))
        .map(|(_, value)| *value)
        .collect()
}

/// What a database publishes of itself, once a minute; `None` for what it does not.
fn of_database(world: &World, place: &Place, key: &MetricKey, begin: i64, end: i64) -> Option<Vec<f64>> {
    let step = millis(world.clock.takes(MINUTE));
    let store = match (key.name.as_str(), key.dimensions.get("DBInstanceIdentifier")) {
        ("ReplicaLag", Some(id)) => StoreKey::instance(place, id),
        ("AuroraGlobalDBReplicationLag" | "AuroraGlobalDBRPOLag", _) => {
            StoreKey::cluster(place, key.dimensions.get("DBClusterIdentifier")?)
        }
        _ => return None,
    };
    let mut values = Vec::new();
    let mut at = begin + step;
    while at <= end.max(begin + step) {
        let moment = world.clock.instant_at(Timestamp::from_millis(at));
        let value = if store.cluster {
            world.global_lag(&store, moment, key.name == "AuroraGlobalDBRPOLag")
        } else {
            world.replica_lag(&store, moment)
        };
        values.extend(value);
        at += step;
    }
    Some(values)
}

/// At least a millisecond: what is shorter than that cannot be told apart.
fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX).max(1)
}
