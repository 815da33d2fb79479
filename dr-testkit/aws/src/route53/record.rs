//! Record sets.
//!
//! <https://docs.aws.amazon.com/Route53/latest/APIReference/API_ResourceRecordSet.html>

use std::net::{Ipv4Addr, Ipv6Addr};

use super::name::{self, normal};
use crate::wire::{ApiError, Element, Node};

/// What makes a record set one: listings are in this order.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct RecordKey {
    reversed: String,
    pub(crate) kind: String,
    pub(crate) set_identifier: Option<String>,
}

impl RecordKey {
    pub(crate) fn new(name: &str, kind: &str, set_identifier: Option<&str>) -> Self {
        Self {
            reversed: name::reversed(name),
            kind: kind.to_owned(),
            set_identifier: set_identifier.map(str::to_owned),
        }
    }
}

/// One record set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RecordSet {
    pub(crate) name: String,
    pub(crate) kind: String,
    pub(crate) set_identifier: Option<String>,
    pub(crate) policy: Policy,
    pub(crate) values: Values,
    pub(crate) health_check: Option<String>,
}

/// How a record set is chosen among those of its name and type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Policy {
    Simple,
    Weighted(u32),
    Failover { primary: bool },
    MultiValue,
}

/// What a record set answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Values {
    Plain { ttl: u32, values: Vec<String> },
    Alias { zone: String, target: String, evaluate_health: bool },
}

const KINDS: [&str; 12] =
    ["SOA", "A", "TXT", "NS", "CNAME", "MX", "NAPTR", "PTR", "SRV", "SPF", "AAAA", "CAA"];

impl RecordSet {
    /// Reads one out of a change, whose action stands in the words of what is refused.
    pub(super) fn parse(xml: &Element, action: &str) -> Result<Self, ApiError> {
        let name = normal(xml.need("Name")?);
        let kind = xml.need("Type")?.to_owned();
        let set_identifier = xml.text("SetIdentifier").map(str::to_owned);
        let about = format!(
            "Change with [Action={action}, Name={name}, Type={kind}, SetIdentifier={}]",
            set_identifier.as_deref().unwrap_or("null")
        );
        if !KINDS.contains(&kind.as_str()) {
            return Err(ApiError::invalid_input(format!(
                "1 validation error detected: Value '{kind}' at 'changeBatch.changes.1.member.resourceRecordSet.type' failed to satisfy constraint: Member must satisfy enum value set: [SOA, A, TXT, NS, CNAME, MX, NAPTR, PTR, SRV, SPF, AAAA, CAA, DS]"
            )));
        }
        let policy = parse_policy(xml, set_identifier.is_some(), &about)?;
        let values = parse_values(xml, &about)?;
        let health_check = xml.text("HealthCheckId").map(str::to_owned);
        Ok(Self { name, kind, set_identifier, policy, values, health_check })
    }

    pub(crate) fn key(&self) -> RecordKey {
        RecordKey::new(&self.name, &self.kind, self.set_identifier.as_deref())
    }

    /// How messages name it.
    pub(super) fn title(&self) -> String {
        match &self.set_identifier {
            Some(id) => format!("[name='{}', type='{}', set-identifier='{id}']", self.name, self.kind),
            None => format!("[name='{}', type='{}']", self.name, self.kind),
        }
    }

    /// As listings show it.
    pub(crate) fn node(&self) -> Node {
        let mut node = Node::map()
            .put("Name", name::shown(&self.name))
            .put("Type", &self.kind)
            .maybe("SetIdentifier", self.set_identifier.as_deref());
        node = match self.policy {
            Policy::Simple => node,
            Policy::Weighted(weight) => node.put("Weight", weight),
            Policy::Failover { primary } => {
                node.put("Failover", if primary { "PRIMARY" } else { "SECONDARY" })
            }
            Policy::MultiValue => node.put("MultiValueAnswer", true),
        };
        node = match &self.values {
            Values::Plain { ttl, values } => node.put("TTL", *ttl).put(
                "ResourceRecords",
                Node::list("ResourceRecord", values.iter().map(|value| Node::map().put("Value", value))),
            ),
            Values::Alias { zone, target, evaluate_health } => node.put(
                "AliasTarget",
                Node::map()
                    .put("HostedZoneId", zone)
                    .put("DNSName", target)
                    .put("EvaluateTargetHealth", *evaluate_health),
            ),
        };
        node.maybe("HealthCheckId", self.health_check.as_deref())
    }

    /// Whether every value can stand under its type.
    pub(super) fn flaw(&self) -> Option<String> {
        let Values::Plain { values, .. } = &self.values else { return None };
        if self.kind == "CNAME" && values.len() > 1 {
            return Some(format!(
                "Invalid Resource Record: 'FATAL problem: RRSetTooManyValues (RRSet of type CNAME has more than one value)' for {}",
                self.title()
            ));
        }
        values.iter().find_map(|value| {
            let problem = match self.kind.as_str() {
                "A" if value.parse::<Ipv4Addr>().is_err() => {
                    "ARRDATAIllegalIPv4Address (Value is not a valid IPv4 address)"
                }
                "AAAA" if value.parse::<Ipv6Addr>().is_err() => {
                    "AAAARRDATAIllegalIPv6Address (Value is not a valid IPv6 address)"
                }
                "CNAME" | "NS" | "PTR" if !name::is_valid(value) => {
                    "DomainNameIllegal (Value is not a valid domain name)"
                }
                "TXT" | "SPF" if !(value.starts_with('"') && value.ends_with('"') && value.len() >= 2) => {
                    "InvalidCharacterString (Value should be enclosed in quotation marks)"
                }
                _ => return None,
            };
            Some(format!("Invalid Resource Record: 'FATAL problem: {problem} encountered with '{value}''"))
        })
    }
}

/// One routing policy, and a set identifier with every policy but the simple one.
fn parse_policy(xml: &Element, identified: bool, about: &str) -> Result<Policy, ApiError> {
    for unmodelled in ["Region", "GeoLocation", "CidrRoutingConfig", "GeoProximityLocation"] {
        if xml.child(unmodelled).is_some() {
            return Err(ApiError::new(
                501,
                "NotImplemented",
                format!("the simulator does not model {unmodelled} in {about}"),
            ));
        }
    }
    let mut policies = Vec::new();
    if let Some(weight) = xml.number::<u32>("Weight")? {
        if weight > 255 {
            return Err(ApiError::invalid_input(format!(
                "Invalid request: Value '{weight}' of Weight is not between 0 and 255 in {about}"
            )));
        }
        policies.push(Policy::Weighted(weight));
    }
    match xml.text("Failover") {
        Some("PRIMARY") => policies.push(Policy::Failover { primary: true }),
        Some("SECONDARY") => policies.push(Policy::Failover { primary: false }),
        Some(other) => {
            return Err(ApiError::invalid_input(format!(
                "1 validation error detected: Value '{other}' at 'failover' failed to satisfy constraint: Member must satisfy enum value set: [PRIMARY, SECONDARY]"
            )));
        }
        None => {}
    }
    // Even `false` asks for a set identifier: https://github.com/aws/aws-sdk/issues/75
    if xml.flag("MultiValueAnswer").is_some() {
        policies.push(Policy::MultiValue);
    }
    let expected = "Expected exactly one of [Weight, Region, Failover, GeoLocation, MultiValueAnswer, GeoProximityLocation, or CidrRoutingConfig]";
    match (policies.len(), identified) {
        (0, false) => Ok(Policy::Simple),
        (0, true) => {
            Err(ApiError::invalid_input(format!("Invalid request: {expected}, but found none in {about}")))
        }
        (_, false) => {
            Err(ApiError::invalid_input(format!("Invalid request: Missing field 'SetIdentifier' in {about}")))
        }
        (1, true) => Ok(policies.swap_remove(0)),
        (_, true) => Err(ApiError::invalid_input(format!(
            "Invalid request: {expected}, but found more than one in {about}"
        ))),
    }
}

/// Either an alias, or a TTL and values.
fn parse_values(xml: &Element, about: &str) -> Result<Values, ApiError> {
    let ttl = xml.number::<u32>("TTL")?;
    let values: Option<Vec<String>> = xml.child("ResourceRecords").map(|list| {
        list.children("ResourceRecord").filter_map(|record| record.text("Value")).map(str::to_owned).collect()
    });
    let values = values.filter(|values| !values.is_empty());
    let expected = "Expected exactly one of [AliasTarget, all of [TTL, and ResourceRecords], or TrafficPolicyInstanceId]";
    match (xml.child("AliasTarget"), ttl, values) {
        (Some(alias), None, None) => Ok(Values::Alias {
            zone: alias.need("HostedZoneId")?.to_owned(),
            target: normal(alias.need("DNSName")?),
            evaluate_health: alias
                .flag("EvaluateTargetHealth")
                .ok_or_else(|| ApiError::missing("EvaluateTargetHealth"))?,
        }),
        (Some(_), _, _) => Err(ApiError::invalid_input(format!(
            "Invalid request: {expected}, but found more than one in {about}"
        ))),
        (None, Some(ttl), Some(values)) if ttl <= 2_147_483_647 => Ok(Values::Plain { ttl, values }),
        (None, Some(ttl), Some(_)) => Err(ApiError::invalid_input(format!(
            "Invalid request: Value '{ttl}' of TTL is too large in {about}"
        ))),
        (None, None, Some(_)) => {
            Err(ApiError::invalid_input(format!("Invalid request: Missing field 'TTL' in {about}")))
        }
        (None, Some(_), None) => Err(ApiError::invalid_input(format!(
            "Invalid request: Missing field 'ResourceRecords' in {about}"
        ))),
        (None, None, None) => {
            Err(ApiError::invalid_input(format!("Invalid request: {expected}, but found none in {about}")))
        }
    }
}
