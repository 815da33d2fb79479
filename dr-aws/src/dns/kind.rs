//! The types of record that can carry a route.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

use hickory_proto::rr::{RData, RecordType};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::names::{name, plain};

/// A type of record, as plans and Route 53 write it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub(crate) enum Kind {
    A,
    #[serde(rename = "AAAA")]
    Aaaa,
    #[serde(rename = "CNAME")]
    Cname,
}

impl Kind {
    pub(crate) fn record_type(self) -> RecordType {
        match self {
            Self::A => RecordType::A,
            Self::Aaaa => RecordType::AAAA,
            Self::Cname => RecordType::CNAME,
        }
    }

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::A => "A",
            Self::Aaaa => "AAAA",
            Self::Cname => "CNAME",
        }
    }

    /// A value in its one spelling, or why it is none of this type.
    pub(crate) fn normal(self, text: &str) -> Result<String, String> {
        match self {
            Self::A => text
                .parse::<Ipv4Addr>()
                .map(|address| address.to_string())
                .map_err(|_| format!("`{text}` is not an IPv4 address, which a record of type A needs")),
            Self::Aaaa => text
                .parse::<Ipv6Addr>()
                .map(|address| address.to_string())
                .map_err(|_| format!("`{text}` is not an IPv6 address, which a record of type AAAA needs")),
            Self::Cname => name(text)
                .map(|target| plain(&target))
                .map_err(|_| format!("`{text}` is not a DNS name, which a record of type CNAME needs")),
        }
    }

    /// An answered value of this type, in its one spelling.
    pub(crate) fn show(self, data: &RData) -> Option<String> {
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
        f.write_str(self.as_str())
    }
}
