//! The records of one name and type.

use std::collections::BTreeSet;
use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

use hickory_proto::rr::rdata::{A, AAAA, CNAME};
use hickory_proto::rr::{RData, RecordType};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::wire::{name, plain};

/// The types of record that can carry a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub(super) enum Kind {
    A,
    #[serde(rename = "AAAA")]
    Aaaa,
    #[serde(rename = "CNAME")]
    Cname,
}

impl Kind {
    pub(super) fn record_type(self) -> RecordType {
        match self {
            Self::A => RecordType::A,
            Self::Aaaa => RecordType::AAAA,
            Self::Cname => RecordType::CNAME,
        }
    }

    /// A value as plans write it.
    pub(super) fn parse(self, text: &str) -> Result<RData, String> {
        match self {
            Self::A => text
                .parse::<Ipv4Addr>()
                .map(|address| RData::A(A(address)))
                .map_err(|_| format!("`{text}` is not an IPv4 address, which a record of type A needs")),
            Self::Aaaa => text
                .parse::<Ipv6Addr>()
                .map(|address| RData::AAAA(AAAA(address)))
                .map_err(|_| format!("`{text}` is not an IPv6 address, which a record of type AAAA needs")),
            Self::Cname => match name(text) {
                Ok(target) if !text.is_empty() => Ok(RData::CNAME(CNAME(target))),
                Ok(_) | Err(_) => {
                    Err(format!("`{text}` is not a DNS name, which a record of type CNAME needs"))
                }
            },
        }
    }

    /// A value of this type as text; `None` for a value of another.
    pub(super) fn show(self, data: &RData) -> Option<String> {
        match (self, data) {
            (Self::A, RData::A(address)) => Some(address.0.to_string()),
            (Self::Aaaa, RData::AAAA(address)) => Some(address.0.to_string()),
            (Self::Cname, RData::CNAME(target)) => Some(plain(&target.0.to_lowercase())),
            _ => None,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.record_type().fmt(f)
    }
}

/// Values, in their one spelling, and how long callers may remember them. No values: there is no such record.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct RrSet {
    pub(super) values: BTreeSet<String>,
    /// In seconds. Without values: how long their absence may be remembered.
    pub(super) ttl: u32,
}

impl PartialEq for RrSet {
    /// The remembered absence is the zone's business and no part of the record.
    fn eq(&self, other: &Self) -> bool {
        self.values == other.values && (self.values.is_empty() || self.ttl == other.ttl)
    }
}

impl RrSet {
    pub(super) fn texts(&self) -> Vec<String> {
        self.values.iter().cloned().collect()
    }
}

impl fmt::Display for RrSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.values.is_empty() {
            return f.write_str("no record");
        }
        write!(f, "{} (TTL {} s)", self.texts().join(", "), self.ttl)
    }
}
