//! A record set: exactly as Route 53 lists it, so that it can be deleted and put back exactly.

use std::collections::BTreeSet;
use std::fmt;

use aws_sdk_route53::types::{
    AliasTarget, ResourceRecord, ResourceRecordSet, ResourceRecordSetFailover, RrType,
};
use dr_core::{Error, Result};
use serde::{Deserialize, Serialize};

use crate::dns::{Kind, same_name};

/// One record set of the name and type that a resource is about. Equality is by meaning: the order of values and the
/// spelling of names do not count.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RecordSet {
    pub(crate) name: String,
    pub(crate) kind: Kind,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) set_identifier: Option<String>,
    pub(crate) policy: Policy,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) health_check: Option<String>,
    pub(crate) target: Target,
}

/// How a record set is chosen among those of its name and type.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Policy {
    /// It is the only one.
    Simple,
    /// By its share of all weights.
    Weighted(u8),
    /// While it is healthy, or the other is not.
    Primary,
    /// While the primary is not healthy.
    Secondary,
    /// In a way that `dr` does not speak: it is never touched.
    Other(String),
}

/// What a record set answers.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Target {
    /// Values, to be remembered for so many seconds.
    Values { ttl: u32, values: Vec<String> },
    /// What another name answers.
    Alias { zone: String, name: String, evaluate_target_health: bool },
}

impl RecordSet {
    /// Reads one out of a listing.
    pub(super) fn of(set: &ResourceRecordSet, kind: Kind) -> Result<Self> {
        let odd = |why: &str| {
            Error::invalid(format!("Route 53 lists a record set that {why}")).on(set.name.clone())
        };
        let other = |what: &str| Policy::Other(what.to_owned());
        let policy = if set.region.is_some() {
            other("latency")
        } else if set.geo_location.is_some() {
            other("geolocation")
        } else if set.geo_proximity_location.is_some() {
            other("geoproximity")
        } else if set.cidr_routing_config.is_some() {
            other("IP-based")
        } else if set.multi_value_answer.is_some() {
            other("multivalue")
        } else if set.traffic_policy_instance_id.is_some() {
            other("traffic policy")
        } else {
            match (&set.failover, set.weight) {
                (Some(ResourceRecordSetFailover::Primary), None) => Policy::Primary,
                (Some(ResourceRecordSetFailover::Secondary), None) => Policy::Secondary,
                (Some(unknown), None) => other(unknown.as_str()),
                (None, Some(weight)) => {
                    Policy::Weighted(u8::try_from(weight).map_err(|_| odd("has a weight beyond 255"))?)
                }
                (None, None) => Policy::Simple,
                (Some(_), Some(_)) => other("failover and weighted"),
            }
        };
        let target = match (&set.alias_target, set.ttl) {
            (Some(alias), None) => Target::Alias {
                zone: alias.hosted_zone_id.clone(),
                name: alias.dns_name.clone(),
                evaluate_target_health: alias.evaluate_target_health,
            },
            (None, Some(ttl)) => Target::Values {
                ttl: u32::try_from(ttl).map_err(|_| odd("has a TTL that is none"))?,
                values: set.resource_records().iter().map(|record| record.value.clone()).collect(),
            },
            (Some(_), Some(_)) | (None, None) => return Err(odd("is neither an alias nor has values")),
        };
        Ok(Self {
            name: set.name.clone(),
            kind,
            set_identifier: set.set_identifier.clone(),
            policy,
            health_check: set.health_check_id.clone(),
            target,
        })
    }

    /// As the API takes it.
    pub(super) fn to_sdk(&self) -> Result<ResourceRecordSet> {
        let unmade = |error: aws_smithy_types::error::operation::BuildError| {
            Error::invalid("the record set cannot be written").on(self.name.clone()).because(error)
        };
        let set = ResourceRecordSet::builder()
            .name(&self.name)
            .r#type(RrType::from(self.kind.as_str()))
            .set_set_identifier(self.set_identifier.clone())
            .set_health_check_id(self.health_check.clone());
        let set = match &self.policy {
            Policy::Simple => set,
            Policy::Weighted(weight) => set.weight(i64::from(*weight)),
            Policy::Primary => set.failover(ResourceRecordSetFailover::Primary),
            Policy::Secondary => set.failover(ResourceRecordSetFailover::Secondary),
            Policy::Other(what) => {
                return Err(
                    Error::refused(format!("a {what} record set is not touched")).on(self.name.clone())
                );
            }
        };
        let set = match &self.target {
            Target::Values { ttl, values } => {
                let mut set = set.ttl(i64::from(*ttl));
                for value in values {
                    set =
                        set.resource_records(ResourceRecord::builder().value(value).build().map_err(unmade)?);
                }
                set
            }
            Target::Alias { zone, name, evaluate_target_health } => set.alias_target(
                AliasTarget::builder()
                    .hosted_zone_id(zone)
                    .dns_name(name)
                    .evaluate_target_health(*evaluate_target_health)
                    .build()
                    .map_err(unmade)?,
            ),
        };
        set.build().map_err(unmade)
    }

    /// How people name it: by its identifier, or by its name where it is the only one.
    pub(super) fn title(&self) -> String {
        match &self.set_identifier {
            Some(id) => format!("record set {id}"),
            None => format!("record {} {}", self.name.trim_end_matches('.'), self.kind),
        }
    }

    /// What decides by itself whether this set answers; empty if it always may.
    pub(super) fn conditions(&self) -> Vec<String> {
        let check = self.health_check.as_ref().map(|check| format!("health check {check}"));
        let target = match &self.target {
            Target::Alias { name, evaluate_target_health: true, .. } => {
                Some(format!("the health of {}", name.trim_end_matches('.')))
            }
            Target::Alias { .. } | Target::Values { .. } => None,
        };
        check.into_iter().chain(target).collect()
    }

    /// The values in their one spelling; `None` for an alias.
    pub(super) fn values(&self) -> Option<BTreeSet<String>> {
        match &self.target {
            Target::Values { values, .. } => Some(normal(self.kind, values)),
            Target::Alias { .. } => None,
        }
    }
}

impl PartialEq for RecordSet {
    fn eq(&self, other: &Self) -> bool {
        same_name(&self.name, &other.name)
            && self.kind == other.kind
            && self.set_identifier == other.set_identifier
            && self.policy == other.policy
            && self.health_check == other.health_check
            && self.target.means(&other.target, self.kind)
    }
}

impl Target {
    /// Whether both answer the same.
    pub(super) fn means(&self, other: &Self, kind: Kind) -> bool {
        match (self, other) {
            (Self::Values { ttl, values }, Self::Values { ttl: other_ttl, values: others }) => {
                ttl == other_ttl && normal(kind, values) == normal(kind, others)
            }
            (
                Self::Alias { zone, name, evaluate_target_health },
                Self::Alias { zone: other_zone, name: other_name, evaluate_target_health: other_evaluates },
            ) => {
                zone == other_zone && same_name(name, other_name) && evaluate_target_health == other_evaluates
            }
            (Self::Values { .. }, Self::Alias { .. }) | (Self::Alias { .. }, Self::Values { .. }) => false,
        }
    }

    /// The same, whatever the health of what it leads to.
    pub(super) fn unconditional(&self) -> Self {
        match self {
            Self::Values { .. } => self.clone(),
            Self::Alias { zone, name, .. } => {
                Self::Alias { zone: zone.clone(), name: name.clone(), evaluate_target_health: false }
            }
        }
    }
}

/// A value that is no value of its type keeps its own spelling: it is only compared.
fn normal(kind: Kind, values: &[String]) -> BTreeSet<String> {
    values.iter().map(|value| kind.normal(value).unwrap_or_else(|_| value.clone())).collect()
}

impl fmt::Display for RecordSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.policy {
            Policy::Simple => {}
            Policy::Weighted(weight) => write!(f, "weight {weight}, ")?,
            Policy::Primary => f.write_str("PRIMARY, ")?,
            Policy::Secondary => f.write_str("SECONDARY, ")?,
            Policy::Other(what) => write!(f, "{what}, ")?,
        }
        match &self.target {
            Target::Values { ttl, values } => write!(f, "{} (TTL {ttl} s)", values.join(", "))?,
            Target::Alias { name, .. } => write!(f, "alias of {}", name.trim_end_matches('.'))?,
        }
        match self.conditions().as_slice() {
            [] => Ok(()),
            conditions => write!(f, ", subject to {}", conditions.join(" and ")),
        }
    }
}

/// Whether two lists hold the same record sets, in any order.
pub(super) fn same_sets(one: &[RecordSet], other: &[RecordSet]) -> bool {
    one.len() == other.len() && one.iter().all(|set| other.contains(set))
}

/// Record sets for people.
pub(super) fn shown(sets: &[RecordSet]) -> String {
    if sets.is_empty() {
        return "no record".to_owned();
    }
    let one = |set: &RecordSet| match &set.set_identifier {
        Some(id) => format!("{id}: {set}"),
        None => set.to_string(),
    };
    sets.iter().map(one).collect::<Vec<_>>().join("; ")
}
