//! The configuration of kind `dns`.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use dr_core::resource::{ConfigError, SecretRef};
use dr_core::{Region, Side};
use hickory_proto::rr::Name;
use hickory_proto::rr::rdata::tsig::TsigAlgorithm;
use schemars::JsonSchema;
use serde::Deserialize;

use super::record::RoutedRecord;
use super::rrset::Kind;
use crate::config::settled;
use crate::endpoint::Endpoint;
use crate::resolver::{ResolverConfig, Source};
use crate::wire::name;

const SILENT_AFTER: Duration = Duration::from_secs(2);

/// A record that sends callers to one side.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct DnsConfig {
    /// The zone: `example.com`.
    zone: String,
    /// The name that callers use: `shop.example.com`.
    record: String,
    /// Its type.
    #[serde(rename = "type")]
    kind: Kind,
    /// How long callers may remember it, in whole seconds: `60s`.
    #[serde(with = "dr_core::time::human")]
    #[schemars(with = "String")]
    ttl: Duration,
    /// What it says for each side: one value or several.
    #[schemars(with = "BTreeMap<String, Values>")]
    values: BTreeMap<Side, Values>,
    /// The authoritative servers; all of them are asked.
    #[schemars(length(min = 1))]
    servers: Vec<Endpoint>,
    /// How it is changed. Without it the record can be looked at only.
    #[serde(default)]
    update: Option<UpdateConfig>,
    /// After how long a server counts as silent, while others answer. Default: 2s.
    #[serde(default, with = "dr_core::time::human_option")]
    #[schemars(with = "Option<String>")]
    timeout: Option<Duration>,
    /// The name servers that callers ask, for the verb `probe`. Default: the system's.
    #[serde(default)]
    resolver: Option<ResolverConfig>,
    /// The region of each side. Default: the region of the same name.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, String>")]
    sides: BTreeMap<Side, Region>,
}

/// One value or several.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "expected one value or a list of values")]
enum Values {
    One(String),
    Many(Vec<String>),
}

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct UpdateConfig {
    /// The primary server, which takes updates.
    server: Endpoint,
    /// The key that signs them. Without it the server has to know us by our address.
    #[serde(default)]
    key: Option<KeyConfig>,
}

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct KeyConfig {
    /// Its name, as the server knows it.
    name: String,
    /// hmac-sha256, hmac-sha384 or hmac-sha512.
    #[serde(default)]
    algorithm: Algorithm,
    /// The key itself, in base64, by reference: `${env:DR_TSIG}`.
    #[schemars(with = "String")]
    secret: SecretRef,
}

#[derive(Debug, Clone, Copy, Default, Deserialize, JsonSchema)]
enum Algorithm {
    #[default]
    #[serde(rename = "hmac-sha256")]
    Sha256,
    #[serde(rename = "hmac-sha384")]
    Sha384,
    #[serde(rename = "hmac-sha512")]
    Sha512,
}

/// What a DNS resource is, once the configuration makes sense.
#[derive(Debug, Clone)]
pub(super) struct DnsPlan {
    pub(super) record: RoutedRecord,
    pub(super) servers: Vec<Endpoint>,
    pub(super) update: Option<UpdatePlan>,
    pub(super) silent_after: Duration,
    pub(super) source: Source,
    pub(super) sides: BTreeMap<Side, Region>,
}

#[derive(Debug, Clone)]
pub(super) struct UpdatePlan {
    pub(super) server: Endpoint,
    pub(super) key: Option<KeyPlan>,
}

#[derive(Debug, Clone)]
pub(super) struct KeyPlan {
    pub(super) name: Name,
    pub(super) algorithm: TsigAlgorithm,
    pub(super) secret: SecretRef,
}

impl DnsConfig {
    pub(super) fn check(self) -> Result<DnsPlan, Vec<ConfigError>> {
        let mut wrong = Vec::new();
        let mut read_name = |pointer: &str, text: &str| match name(text) {
            Ok(name) if !name.is_root() => Some(name),
            Ok(_) | Err(_) => {
                wrong.push(ConfigError::new(pointer, format!("`{text}` is not a DNS name")));
                None
            }
        };
        let zone = read_name("/zone", &self.zone);
        let record = read_name("/record", &self.record);
        let update = self.update.as_ref().and_then(|update| {
            let key = match &update.key {
                Some(key) => Some(KeyPlan {
                    name: read_name("/update/key/name", &key.name)?,
                    algorithm: key.algorithm.into(),
                    secret: key.secret.clone(),
                }),
                None => None,
            };
            Some(UpdatePlan { server: update.server.clone(), key })
        });
        if let (Some(zone), Some(record)) = (&zone, &record) {
            if !zone.zone_of(record) {
                let message = format!("`{}` is not in the zone `{}`", self.record, self.zone);
                wrong.push(ConfigError::new("/record", message));
            } else if self.kind == Kind::Cname && zone == record {
                wrong
                    .push(ConfigError::new("/type", "the zone's own name cannot be an alias; use A or AAAA"));
            }
        }
        let ttl = whole_seconds(self.ttl);
        if ttl.is_none() {
            wrong.push(ConfigError::new("/ttl", "a TTL is a whole number of seconds, at most 68 years: 60s"));
        }
        if self.servers.is_empty() {
            wrong.push(ConfigError::new("/servers", "at least one authoritative server is needed"));
        }
        for (index, server) in self.servers.iter().enumerate() {
            if self.servers[..index].contains(server) {
                wrong.push(ConfigError::new(
                    format!("/servers/{index}"),
                    format!("`{server}` stands here twice"),
                ));
            }
        }
        if self.timeout.is_some_and(|timeout| timeout.is_zero()) {
            wrong.push(ConfigError::new("/timeout", "an answer needs some time; write 2s"));
        }
        let values = check_values(self.kind, &self.values, &mut wrong);
        for side in self.sides.keys().filter(|side| !self.values.contains_key(side.as_str())) {
            wrong.push(ConfigError::new(format!("/sides/{side}"), format!("`{side}` has no values")));
        }
        if let Some(resolver) = &self.resolver {
            wrong.extend(resolver.check("/resolver"));
        }

        let sides = values
            .keys()
            .map(|side| {
                let region = self.sides.get(side).cloned().unwrap_or_else(|| Region::new(side.as_str()));
                (side.clone(), region)
            })
            .collect();
        let plan = match (zone, record, ttl) {
            (Some(zone), Some(name), Some(ttl)) => Some(DnsPlan {
                record: RoutedRecord { zone, name, kind: self.kind, ttl, values },
                servers: self.servers,
                update,
                silent_after: self.timeout.unwrap_or(SILENT_AFTER),
                source: Source::from(self.resolver.as_ref()),
                sides,
            }),
            (_, _, _) => None,
        };
        settled(plan, wrong)
    }
}

fn check_values(
    kind: Kind,
    values: &BTreeMap<Side, Values>,
    wrong: &mut Vec<ConfigError>,
) -> BTreeMap<Side, BTreeSet<String>> {
    let mut checked: BTreeMap<Side, BTreeSet<String>> = BTreeMap::new();
    if values.is_empty() {
        wrong.push(ConfigError::new("/values", "at least one side is needed"));
    }
    for (side, values) in values {
        let (texts, single) = match values {
            Values::One(text) => (std::slice::from_ref(text), true),
            Values::Many(texts) => (texts.as_slice(), false),
        };
        let mut set = BTreeSet::new();
        for (index, text) in texts.iter().enumerate() {
            let pointer = if single { format!("/values/{side}") } else { format!("/values/{side}/{index}") };
            match kind.parse(text) {
                Ok(data) => set.extend(kind.show(&data)),
                Err(message) => wrong.push(ConfigError::new(pointer, message)),
            }
        }
        if texts.is_empty() || (kind == Kind::Cname && texts.len() > 1) {
            let message =
                if texts.is_empty() { "at least one value is needed" } else { "an alias has one target" };
            wrong.push(ConfigError::new(format!("/values/{side}"), message));
        }
        if let Some((twin, _)) = checked.iter().find(|(_, other)| **other == set && !set.is_empty()) {
            let message =
                format!("`{side}` and `{twin}` have the same values, so nobody could tell them apart");
            wrong.push(ConfigError::new(format!("/values/{side}"), message));
        }
        checked.insert(side.clone(), set);
    }
    checked
}

fn whole_seconds(ttl: Duration) -> Option<u32> {
    let seconds = u32::try_from(ttl.as_secs()).ok().filter(|seconds| *seconds <= i32::MAX.unsigned_abs())?;
    (ttl.subsec_nanos() == 0).then_some(seconds)
}

impl From<Algorithm> for TsigAlgorithm {
    fn from(algorithm: Algorithm) -> Self {
        match algorithm {
            Algorithm::Sha256 => Self::HmacSha256,
            Algorithm::Sha384 => Self::HmacSha384,
            Algorithm::Sha512 => Self::HmacSha512,
        }
    }
}
