//! The record that this resource is about.

use std::collections::{BTreeMap, BTreeSet};

use dr_core::resource::{Route, Share};
use dr_core::{Error, Result, Side};
use hickory_proto::rr::Name;

use super::rrset::{Kind, RrSet};
use crate::wire::plain;

/// A name and type in a zone, and what it says for each side.
#[derive(Debug, Clone)]
pub(super) struct RoutedRecord {
    pub(super) zone: Name,
    pub(super) name: Name,
    pub(super) kind: Kind,
    /// In seconds.
    pub(super) ttl: u32,
    pub(super) values: BTreeMap<Side, BTreeSet<String>>,
}

impl RoutedRecord {
    /// What the record says when callers are sent to `side`.
    pub(super) fn wanted(&self, side: &Side) -> Result<RrSet> {
        let values = side.of(&self.values).map_err(|error| error.during("route").on(self.to_string()))?;
        Ok(RrSet { values: values.clone(), ttl: self.ttl })
    }

    /// The same for a call, which may bring the side's values along.
    pub(super) fn called(&self, call: &Route) -> Result<RrSet> {
        if call.share != Share::ALL {
            let text = format!("a plain record sends all callers or none, not {} of them", call.share);
            return Err(Error::unsupported(text).during("route").on(self.to_string()));
        }
        let Some(given) = &call.values else { return self.wanted(call.to.side()?) };
        let mut values = BTreeSet::new();
        for text in given {
            let data =
                self.kind.parse(text).map_err(|message| Error::invalid(message).on(self.to_string()))?;
            values.extend(self.kind.show(&data));
        }
        if values.is_empty() {
            return Err(Error::invalid("no address was given to send callers to").on(self.to_string()));
        }
        Ok(RrSet { values, ttl: self.ttl })
    }

    /// The side whose values these are.
    pub(super) fn side(&self, found: &BTreeSet<String>) -> Option<Side> {
        self.values.iter().find(|(_, values)| *values == found).map(|(side, _)| side.clone())
    }
}

impl std::fmt::Display for RoutedRecord {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", plain(&self.name), self.kind)
    }
}
