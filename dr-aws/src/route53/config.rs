//! The configuration of kind `route53`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use dr_core::resource::ConfigError;
use dr_core::{Region, Side};
use hickory_proto::rr::Name;
use schemars::JsonSchema;
use serde::Deserialize;

use super::entry::{Entry, EntrySide, RoutingPolicy};
use super::record::Target;
use crate::access::AwsConfig;
use crate::config::{escaped, regions, settled};
use crate::dns::{Endpoint, Kind, name, plain};

const SILENT_AFTER: Duration = Duration::from_secs(2);
/// What a value is remembered for where the plan does not say: an alias's usual time.
const TTL: u32 = 60;

/// A record in a hosted zone that sends callers to a side.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Route53Config {
    /// The hosted zone's id: `Z0123456789ABCDEFGHIJ`.
    zone: String,
    /// The name that callers use: `shop.example.com`.
    record: String,
    /// Its type.
    #[serde(rename = "type")]
    kind: Kind,
    /// How long callers may remember a value, in whole seconds. Default: 60s. An alias has its target's.
    #[serde(default, with = "dr_core::time::human_option")]
    #[schemars(with = "Option<String>")]
    ttl: Option<Duration>,
    /// How the record sets are chosen. Default: simple.
    #[serde(default)]
    routing: RoutingPolicy,
    /// The side that is primary in ordinary times. Only a planned run that leads back to it puts its conditions back;
    /// every other pins the callers where it sends them.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    primary: Option<Side>,
    /// What the record says for each side: a value, several, or an alias. A side may be left out whose address comes
    /// with the step (`address_from`), or whose record set the zone holds already.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, ValueConfig>")]
    values: BTreeMap<Side, ValueConfig>,
    /// What the record sets are called in the zone. Default: as the sides.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, String>")]
    set_identifiers: BTreeMap<Side, String>,
    /// The health check of each side's record set in ordinary times.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, String>")]
    health_checks: BTreeMap<Side, String>,
    /// The servers that answer for the zone; all of them are asked. Default: the zone's delegation set. Naming them
    /// makes looking independent of us-east-1, where Route 53's API is.
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

/// One value, several, or an alias.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(
    untagged,
    expecting = "expected a value, a list of values, or { alias: { zone, name, evaluate_target_health } }"
)]
pub(crate) enum ValueConfig {
    One(String),
    Many(Vec<String>),
    Alias(AliasOf),
}

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AliasOf {
    /// What it is an alias of.
    alias: AliasConfig,
}

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct AliasConfig {
    /// The hosted zone of what it leads to: a load balancer's `CanonicalHostedZoneId`, or this zone.
    zone: String,
    /// Its name: `shop-123.eu-central-1.elb.amazonaws.com`.
    name: String,
    /// Whether the record set answers only while that is healthy. Default: false.
    #[serde(default)]
    evaluate_target_health: bool,
}

/// What a Route 53 entry is, once the configuration makes sense.
#[derive(Debug, Clone)]
pub(super) struct Route53Plan {
    pub(super) entry: Arc<Entry>,
    pub(super) name: Name,
    /// How long answers are remembered, if the plan says so of every side.
    pub(super) ttl: Option<Duration>,
    pub(super) name_servers: Vec<Endpoint>,
    pub(super) resolvers: Vec<Endpoint>,
    pub(super) silent_after: Duration,
    pub(super) sides: BTreeMap<Side, Region>,
    pub(super) aws: AwsConfig,
}

impl Route53Config {
    pub(super) fn check(self) -> Result<Route53Plan, Vec<ConfigError>> {
        let mut wrong = self.aws.check("/aws");
        zone_id(&self.zone, "/zone", &mut wrong);
        let record = record_name(&self.record, &mut wrong);
        let ttl = ttl(self.ttl, &mut wrong);
        let silent_after = silent_after(self.timeout, &mut wrong);
        let named: BTreeSet<&Side> = self
            .values
            .keys()
            .chain(self.sides.keys())
            .chain(self.set_identifiers.keys())
            .chain(self.health_checks.keys())
            .collect();
        let regions = regions(named.iter().copied(), &self.sides, &mut wrong);
        let targets = targets(self.kind, ttl, &self.values, &mut wrong);
        self.check_policy(&named, &mut wrong);
        twice(&self.set_identifiers, "/set_identifiers", &mut wrong);

        let sides: BTreeMap<Side, EntrySide> = named
            .iter()
            .map(|side| {
                let known = EntrySide {
                    set_identifier: self
                        .set_identifiers
                        .get(side.as_str())
                        .cloned()
                        .unwrap_or_else(|| side.as_str().to_owned()),
                    health_check: self.health_checks.get(side.as_str()).cloned(),
                    target: targets.get(side.as_str()).cloned(),
                };
                ((*side).clone(), known)
            })
            .collect();
        let aliases = targets.values().any(|target| matches!(target, Target::Alias { .. }));
        let plan = record.map(|record| Route53Plan {
            entry: Arc::new(Entry {
                zone: self.zone,
                name: plain(&record),
                kind: self.kind,
                ttl,
                policy: self.routing,
                primary: self.primary,
                sides,
            }),
            name: record,
            ttl: (!aliases || self.ttl.is_some()).then(|| Duration::from_secs(ttl.into())),
            name_servers: self.name_servers,
            resolvers: self.resolvers,
            silent_after,
            sides: regions,
            aws: self.aws,
        });
        settled(plan, wrong)
    }

    fn check_policy(&self, named: &BTreeSet<&Side>, wrong: &mut Vec<ConfigError>) {
        let mut say = |pointer: &str, message: String| wrong.push(ConfigError::new(pointer, message));
        if named.is_empty() {
            say("/values", "at least one side is needed".to_owned());
        }
        if let Some(primary) = &self.primary
            && !named.contains(primary)
        {
            say("/primary", format!("nothing else here is said of the side `{primary}`"));
        }
        match self.routing {
            RoutingPolicy::Simple => {
                let only = "a simple record has one record set and nothing to choose";
                for (pointer, any) in [
                    ("/set_identifiers", !self.set_identifiers.is_empty()),
                    ("/health_checks", !self.health_checks.is_empty()),
                    ("/primary", self.primary.is_some()),
                ] {
                    if any {
                        say(pointer, format!("{only}: write `routing: failover` or `routing: weighted`"));
                    }
                }
            }
            RoutingPolicy::Failover => {
                if named.len() != 2 {
                    let message =
                        "failover records are a primary and a secondary: two sides are needed".to_owned();
                    say("/values", message);
                }
                if self.primary.is_none() {
                    say("/primary", "which side is primary in ordinary times?".to_owned());
                }
            }
            RoutingPolicy::Weighted if named.len() < 2 => {
                say("/values", "weights are shares between sides: at least two are needed".to_owned());
            }
            RoutingPolicy::Weighted => {}
        }
    }
}

/// The id of a hosted zone, as Route 53 gives them out.
pub(crate) fn zone_id(text: &str, pointer: &str, wrong: &mut Vec<ConfigError>) {
    let fits = !text.is_empty()
        && text.len() <= 32
        && text.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
    if !fits {
        wrong.push(ConfigError::new(
            pointer,
            format!("`{text}` is no hosted zone's id: write Z0123456789ABCDEFGHIJ"),
        ));
    }
}

/// What each side answers, checked.
pub(crate) fn targets(
    kind: Kind,
    ttl: u32,
    values: &BTreeMap<Side, ValueConfig>,
    wrong: &mut Vec<ConfigError>,
) -> BTreeMap<Side, Target> {
    let mut targets: BTreeMap<Side, Target> = BTreeMap::new();
    for (side, value) in values {
        let place = format!("/values/{}", escaped(side.as_str()));
        let target = match value {
            ValueConfig::One(text) => {
                plain_values(kind, ttl, std::slice::from_ref(text), &place, true, wrong)
            }
            ValueConfig::Many(texts) => plain_values(kind, ttl, texts, &place, false, wrong),
            ValueConfig::Alias(AliasOf { alias }) => {
                zone_id(&alias.zone, &format!("{place}/alias/zone"), wrong);
                match name(&alias.name) {
                    Ok(target) => Target::Alias {
                        zone: alias.zone.clone(),
                        name: plain(&target),
                        evaluate_target_health: alias.evaluate_target_health,
                    },
                    Err(message) => {
                        wrong.push(ConfigError::new(format!("{place}/alias/name"), message));
                        continue;
                    }
                }
            }
        };
        if let Some((twin, _)) =
            targets.iter().find(|(_, other)| other.unconditional().means(&target.unconditional(), kind))
        {
            let message =
                format!("`{side}` and `{twin}` have the same values, so nobody could tell them apart");
            wrong.push(ConfigError::new(place, message));
        }
        targets.insert(side.clone(), target);
    }
    targets
}

fn plain_values(
    kind: Kind,
    ttl: u32,
    texts: &[String],
    place: &str,
    single: bool,
    wrong: &mut Vec<ConfigError>,
) -> Target {
    let mut values = BTreeSet::new();
    for (index, text) in texts.iter().enumerate() {
        match kind.normal(text) {
            Ok(value) => {
                values.insert(value);
            }
            Err(message) => {
                let place = if single { place.to_owned() } else { format!("{place}/{index}") };
                wrong.push(ConfigError::new(place, message));
            }
        }
    }
    if texts.is_empty() || (kind == Kind::Cname && texts.len() > 1) {
        let message =
            if texts.is_empty() { "at least one value is needed" } else { "an alias has one target" };
        wrong.push(ConfigError::new(place, message));
    }
    Target::Values { ttl, values: values.into_iter().collect() }
}

fn twice(identifiers: &BTreeMap<Side, String>, place: &str, wrong: &mut Vec<ConfigError>) {
    let mut seen: BTreeSet<&str> = BTreeSet::new();
    for (side, identifier) in identifiers {
        if !seen.insert(identifier) {
            wrong.push(ConfigError::new(
                format!("{place}/{}", escaped(side.as_str())),
                format!("`{identifier}` stands here twice"),
            ));
        }
    }
}

/// The record's name.
pub(crate) fn record_name(record: &str, wrong: &mut Vec<ConfigError>) -> Option<Name> {
    name(record).map_err(|message| wrong.push(ConfigError::new("/record", message))).ok()
}

/// How many seconds a value may be remembered.
pub(crate) fn ttl(ttl: Option<Duration>, wrong: &mut Vec<ConfigError>) -> u32 {
    let Some(ttl) = ttl else { return TTL };
    whole_seconds(ttl).unwrap_or_else(|| {
        let message = "a TTL is a whole number of seconds, at most 68 years: 60s";
        wrong.push(ConfigError::new("/ttl", message));
        TTL
    })
}

/// A TTL as DNS takes it.
fn whole_seconds(ttl: Duration) -> Option<u32> {
    let seconds = u32::try_from(ttl.as_secs()).ok().filter(|seconds| *seconds <= i32::MAX.unsigned_abs())?;
    (ttl.subsec_nanos() == 0).then_some(seconds)
}

/// After how long a server counts as silent.
pub(crate) fn silent_after(timeout: Option<Duration>, wrong: &mut Vec<ConfigError>) -> Duration {
    if timeout.is_some_and(|timeout| timeout.is_zero()) {
        wrong.push(ConfigError::new("/timeout", "an answer needs some time; write 2s"));
    }
    timeout.unwrap_or(SILENT_AFTER)
}
