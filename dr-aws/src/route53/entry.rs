//! The entry that callers use, as the plan knows it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use dr_core::resource::Route;
use dr_core::{Error, Result, Side};
use schemars::JsonSchema;
use serde::Deserialize;

use super::record::{RecordSet, Target};
use crate::dns::Kind;

/// How the entry's record sets are chosen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum RoutingPolicy {
    /// One record set, whose values are replaced.
    #[default]
    Simple,
    /// A primary and a secondary, which change places.
    Failover,
    /// One record set a side, each with a share.
    Weighted,
}

/// A name and type in a zone, and what it says for each side.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    /// The hosted zone's id.
    pub(crate) zone: String,
    /// The name, in lower case and without its final dot.
    pub(crate) name: String,
    pub(crate) kind: Kind,
    /// In seconds, for values; an alias has its target's.
    pub(crate) ttl: u32,
    pub(crate) policy: RoutingPolicy,
    /// The side that is primary in ordinary times, and answers subject to its conditions.
    pub(crate) primary: Option<Side>,
    pub(crate) sides: BTreeMap<Side, EntrySide>,
}

/// What the entry says for one side.
#[derive(Debug, Clone)]
pub(crate) struct EntrySide {
    pub(crate) set_identifier: String,
    pub(crate) health_check: Option<String>,
    /// `None`: it comes with the call, or is what the zone holds.
    pub(crate) target: Option<Target>,
}

impl Entry {
    pub(super) fn side(&self, side: &Side) -> Result<&EntrySide> {
        side.of(&self.sides).map_err(|error| error.during("route").on(self.to_string()))
    }

    /// The record set of a side among those that were found.
    pub(super) fn found<'a>(&self, side: &Side, found: &'a [RecordSet]) -> Option<&'a RecordSet> {
        match self.policy {
            RoutingPolicy::Simple => found.first(),
            RoutingPolicy::Failover | RoutingPolicy::Weighted => {
                let id = &self.sides.get(side)?.set_identifier;
                found.iter().find(|set| set.set_identifier.as_ref() == Some(id))
            }
        }
    }

    /// The side that a record set belongs to; none for a simple one.
    pub(super) fn side_of(&self, set: &RecordSet) -> Option<&Side> {
        let id = set.set_identifier.as_ref()?;
        self.sides.iter().find(|(_, side)| side.set_identifier == *id).map(|(side, _)| side)
    }

    /// What the side answers when callers are sent there: the address that came with the call, the plan's, or what the
    /// zone holds for it.
    pub(super) fn target(&self, side: &Side, call: &Route, found: &[RecordSet]) -> Result<Target> {
        if let Some(given) = &call.values {
            return self.given(given);
        }
        let known = self.side(side)?;
        let held = match self.policy {
            // The one record set says where callers are, not where this side is.
            RoutingPolicy::Simple => None,
            RoutingPolicy::Failover | RoutingPolicy::Weighted => self.found(side, found),
        };
        known.target.clone().or_else(|| held.map(|set| set.target.clone())).ok_or_else(|| {
            Error::invalid(format!(
                "no address is known for `{side}`: write `values: {{ {side}: … }}`, or let the step take it from a \
                 resource with `address_from`"
            ))
            .during("route")
            .on(self.to_string())
        })
    }

    fn given(&self, texts: &[String]) -> Result<Target> {
        let mut values = BTreeSet::new();
        for text in texts {
            let value =
                self.kind.normal(text).map_err(|message| Error::invalid(message).on(self.to_string()))?;
            values.insert(value);
        }
        if values.is_empty() || (self.kind == Kind::Cname && values.len() > 1) {
            let message = if values.is_empty() { "no address was given" } else { "an alias has one target" };
            return Err(Error::invalid(message).during("route").on(self.to_string()));
        }
        Ok(Target::Values { ttl: self.ttl, values: values.into_iter().collect() })
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.name, self.kind)
    }
}
