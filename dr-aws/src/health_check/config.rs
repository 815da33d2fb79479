//! The configuration of kind `route53-health-check`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use dr_core::resource::ConfigError;
use dr_core::{Region, Side};
use hickory_proto::rr::Name;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::access::AwsConfig;
use crate::config::{regions, settled};
use crate::dns::{Endpoint, Kind, plain};
use crate::route53::{
    Entry, EntrySide, RoutingPolicy, ValueConfig, record_name, silent_after, targets, ttl, zone_id,
};

/// Failover records that are switched by the health check of their primary.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct HealthCheckConfig {
    /// The hosted zone's id.
    zone: String,
    /// The name that callers use: `db.example.com`.
    record: String,
    /// Its type.
    #[serde(rename = "type")]
    kind: Kind,
    /// How long callers may remember a value. Default: 60s.
    #[serde(default, with = "dr_core::time::human_option")]
    #[schemars(with = "Option<String>")]
    ttl: Option<Duration>,
    /// What each side answers, to tell who is served.
    #[schemars(with = "BTreeMap<String, ValueConfig>")]
    values: BTreeMap<Side, ValueConfig>,
    /// The side whose record set is the primary.
    #[schemars(with = "String")]
    primary: Side,
    /// What the record sets are called in the zone. Default: as the sides.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, String>")]
    set_identifiers: BTreeMap<Side, String>,
    /// The health check of the primary's record set.
    health_check: String,
    /// How it is made to say unhealthy.
    mode: Mode,
    /// The object that hands callers over to the standby; of mode `standby-takes-over` only.
    #[serde(default)]
    object: Option<ObjectConfig>,
    /// How many of its children a calculated check needs in ordinary times. Default: 1.
    #[serde(default)]
    health_threshold: Option<u32>,
    /// Why it does no harm that callers of an inverted endpoint check come back by themselves when that endpoint fails.
    #[serde(default)]
    unpinned: Option<String>,
    /// The servers that answer for the zone; all of them are asked. Default: the zone's delegation set.
    #[serde(default)]
    name_servers: Vec<Endpoint>,
    /// Who is asked where an alias leads. Default: the system's resolver.
    #[serde(default)]
    resolvers: Vec<Endpoint>,
    /// After how long a server counts as silent, while others answer. Default: 2s.
    #[serde(default, with = "dr_core::time::human_option")]
    #[schemars(with = "Option<String>")]
    timeout: Option<Duration>,
    /// The region of each side. Default: the region of the same name.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, String>")]
    sides: BTreeMap<Side, Region>,
    /// How AWS is reached.
    #[serde(default)]
    aws: AwsConfig,
}

/// How a check is made to say unhealthy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum Mode {
    /// It is inverted.
    Invert,
    /// It is inverted in ordinary times, and watches an object in the standby's region, which is put there.
    StandbyTakesOver,
    /// As many a runbook has it. Read so that it can be refused with its reason.
    #[schemars(skip)]
    Disable,
}

/// An object in the standby's region whose address the check watches.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ObjectConfig {
    /// Its bucket.
    bucket: String,
    /// Its key.
    key: String,
    /// The bucket's region. Default: the standby's.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    region: Option<Region>,
}

/// The same, checked.
#[derive(Debug, Clone)]
pub(super) struct ObjectPlan {
    pub(super) bucket: String,
    pub(super) key: String,
    pub(super) region: Region,
}

impl fmt::Display for ObjectPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s3://{}/{} in {}", self.bucket, self.key, self.region)
    }
}

/// What it is, once the configuration makes sense.
#[derive(Debug, Clone)]
pub(super) struct HealthCheckPlan {
    pub(super) entry: Arc<Entry>,
    pub(super) name: Name,
    pub(super) primary: Side,
    pub(super) check: String,
    pub(super) threshold: u32,
    pub(super) unpinned: bool,
    /// Of mode `standby-takes-over`.
    pub(super) object: Option<ObjectPlan>,
    pub(super) name_servers: Vec<Endpoint>,
    pub(super) resolvers: Vec<Endpoint>,
    pub(super) silent_after: Duration,
    pub(super) sides: BTreeMap<Side, Region>,
    pub(super) aws: AwsConfig,
}

impl HealthCheckConfig {
    pub(super) fn check(self) -> Result<HealthCheckPlan, Vec<ConfigError>> {
        let mut wrong = self.aws.check("/aws");
        zone_id(&self.zone, "/zone", &mut wrong);
        let record = record_name(&self.record, &mut wrong);
        let ttl = ttl(self.ttl, &mut wrong);
        match self.mode {
            Mode::Invert | Mode::StandbyTakesOver => {}
            Mode::Disable => wrong.push(ConfigError::new(
                "/mode",
                "AWS takes a disabled check for healthy, so disabling it moves nobody: write `mode: invert`, with a \
                 calculated check over it, or `mode: standby-takes-over`",
            )),
        }
        if self.health_check.is_empty() || self.health_check.len() > 64 {
            wrong.push(ConfigError::new("/health_check", "a health check's id is needed"));
        }
        if self.health_threshold == Some(0) {
            wrong.push(ConfigError::new(
                "/health_threshold",
                "with a threshold of 0 the check is healthy whatever its children say; in ordinary times at least 1",
            ));
        }
        if self.unpinned.as_ref().is_some_and(|reason| reason.trim().is_empty()) {
            wrong.push(ConfigError::new("/unpinned", "why does it do no harm? Write the reason"));
        }
        let silent_after = silent_after(self.timeout, &mut wrong);
        let named: BTreeSet<&Side> = self.values.keys().chain(self.sides.keys()).collect();
        if named.len() != 2 || self.values.len() != 2 {
            wrong.push(ConfigError::new(
                "/values",
                "failover records are a primary and a secondary: two sides are needed",
            ));
        }
        if !named.contains(&self.primary) {
            wrong.push(ConfigError::new(
                "/primary",
                format!("nothing else here is said of the side `{}`", self.primary),
            ));
        }
        let regions = regions(named.iter().copied(), &self.sides, &mut wrong);
        let targets = targets(self.kind, ttl, &self.values, &mut wrong);
        let standby = regions.iter().find(|(side, _)| **side != self.primary).map(|(_, region)| region);
        let object = self.object(standby, &mut wrong);
        let sides = named
            .iter()
            .map(|side| {
                let known = EntrySide {
                    set_identifier: self
                        .set_identifiers
                        .get(side.as_str())
                        .cloned()
                        .unwrap_or_else(|| side.as_str().to_owned()),
                    health_check: (**side == self.primary).then(|| self.health_check.clone()),
                    target: targets.get(side.as_str()).cloned(),
                };
                ((*side).clone(), known)
            })
            .collect();
        let plan = record.map(|record| HealthCheckPlan {
            entry: Arc::new(Entry {
                zone: self.zone,
                name: plain(&record),
                kind: self.kind,
                ttl,
                policy: RoutingPolicy::Failover,
                primary: Some(self.primary.clone()),
                sides,
            }),
            name: record,
            primary: self.primary,
            check: self.health_check,
            threshold: self.health_threshold.unwrap_or(1),
            unpinned: self.unpinned.is_some(),
            object,
            name_servers: self.name_servers,
            resolvers: self.resolvers,
            silent_after,
            sides: regions,
            aws: self.aws,
        });
        settled(plan, wrong)
    }

    /// The object of mode `standby-takes-over`, in a region that is not the primary's.
    fn object(&self, standby: Option<&Region>, wrong: &mut Vec<ConfigError>) -> Option<ObjectPlan> {
        let mut say = |pointer: &str, message: &str| wrong.push(ConfigError::new(pointer, message));
        match (self.mode, &self.object) {
            (Mode::StandbyTakesOver, Some(object)) => {
                if object.bucket.is_empty() {
                    say("/object/bucket", "which bucket?");
                }
                if object.key.is_empty() || object.key.starts_with('/') {
                    say("/object/key", "a key is a path without a slash before it: switch/shop");
                }
                if self.name_servers.is_empty() {
                    say(
                        "/name_servers",
                        "name the zone's servers: asking for them would need Route 53's API in us-east-1, which this \
                         mode does without",
                    );
                }
                if self.unpinned.is_some() || self.health_threshold.is_some() {
                    say("/mode", "`unpinned` and `health_threshold` belong to `mode: invert`");
                }
                let primary = self
                    .sides
                    .get(self.primary.as_str())
                    .cloned()
                    .unwrap_or_else(|| Region::new(self.primary.as_str()));
                let region = object.region.as_ref().or(standby)?.clone();
                if region == primary && standby != Some(&primary) {
                    say(
                        "/object/region",
                        "it is the primary's region, which may be gone when the standby takes over",
                    );
                }
                Some(ObjectPlan { bucket: object.bucket.clone(), key: object.key.clone(), region })
            }
            (Mode::StandbyTakesOver, None) => {
                say("/object", "which object hands callers over? Write `object: { bucket: …, key: … }`");
                None
            }
            (Mode::Invert | Mode::Disable, Some(_)) => {
                say("/object", "an object belongs to `mode: standby-takes-over`");
                None
            }
            (Mode::Invert | Mode::Disable, None) => None,
        }
    }
}
