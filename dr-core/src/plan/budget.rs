//! What a recovery may take and lose.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::time::{human_option, parse_duration, show_duration};

/// A limit with its comparator. `15m` and `<= 15m` allow exactly fifteen minutes, `< 5m` does not allow five.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// Whether the time itself is still within.
    pub strictness: Strictness,
    /// The time.
    pub time: Duration,
}

/// Whether a limit's own value keeps it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strictness {
    /// `<=`
    AtMost,
    /// `<`
    Below,
}

impl Limit {
    /// `<= time`.
    pub fn at_most(time: Duration) -> Self {
        Self { strictness: Strictness::AtMost, time }
    }

    /// Whether a measured time keeps it.
    pub fn is_met_by(&self, measured: Duration) -> bool {
        match self.strictness {
            Strictness::AtMost => measured <= self.time,
            Strictness::Below => measured < self.time,
        }
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = match self.strictness {
            Strictness::AtMost => "<=",
            Strictness::Below => "<",
        };
        write!(f, "{sign} {}", show_duration(self.time))
    }
}

impl FromStr for Limit {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        let (strictness, rest) =
            if let Some(rest) = text.strip_prefix("<=").or_else(|| text.strip_prefix('≤')) {
                (Strictness::AtMost, rest)
            } else if let Some(rest) = text.strip_prefix('<') {
                (Strictness::Below, rest)
            } else {
                (Strictness::AtMost, text)
            };
        Ok(Self { strictness, time: parse_duration(rest)? })
    }
}

impl Serialize for Limit {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let sign = match self.strictness {
            Strictness::AtMost => "<=",
            Strictness::Below => "<",
        };
        serializer.collect_str(&format_args!("{sign} {}", humantime::format_duration(self.time)))
    }
}

impl<'de> Deserialize<'de> for Limit {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

/// The targets of a plan. What is not named is not judged.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RtoRpoBudget {
    /// How long callers may be without the service, from the outage's beginning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rto: Option<Limit>,
    /// How much of the past may be lost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rpo: Option<Limit>,
    /// The share of the RTO before anybody knows.
    #[serde(default, with = "human_option", skip_serializing_if = "Option::is_none")]
    pub detection: Option<Duration>,
    /// The share of the RTO in which somebody decides.
    #[serde(default, with = "human_option", skip_serializing_if = "Option::is_none")]
    pub decision: Option<Duration>,
}
