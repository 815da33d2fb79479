//! Things that run and can be given more or less room.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::at::{At, Roles};
use super::call::{Call, Class};
use super::observe::{Fact, Facts, Observation};
use crate::ids::Side;
use crate::time::Timestamp;

/// What runs on each side.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Staffing {
    /// When the looking ended.
    pub at: Timestamp,
    /// Each side's workloads; a side that could not be read is `None`.
    pub sides: BTreeMap<Side, Option<Vec<WorkloadState>>>,
}

/// One workload.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct WorkloadState {
    /// Its name: `production/api-gateway`.
    pub name: String,
    /// How many are wanted.
    pub desired: u32,
    /// How many serve.
    pub ready: u32,
    /// Why the others do not, in the system's own words.
    pub problems: Vec<String>,
}

impl WorkloadState {
    /// A workload without problems.
    pub fn new(name: impl Into<String>, desired: u32, ready: u32) -> Self {
        Self { name: name.into(), desired, ready, problems: Vec::new() }
    }
}

impl Staffing {
    /// An observation that ended at `at`.
    pub fn new(at: Timestamp, sides: BTreeMap<Side, Option<Vec<WorkloadState>>>) -> Self {
        Self { at, sides }
    }
}

fn ready(workloads: Option<&Vec<WorkloadState>>) -> Fact {
    workloads.map_or(Fact::Unknown, |workloads| Fact::Part {
        is: workloads.iter().map(|workload| u64::from(workload.ready.min(workload.desired))).sum(),
        of: workloads.iter().map(|workload| u64::from(workload.desired)).sum(),
    })
}

impl Observation for Staffing {
    const GROUP: &'static str = "staffing";

    fn facts(&self) -> Facts {
        let all: Option<Vec<WorkloadState>> = self
            .sides
            .values()
            .cloned()
            .collect::<Option<Vec<_>>>()
            .map(|sides| sides.into_iter().flatten().collect());
        Facts::from([("ready".to_owned(), ready(all.as_ref()))])
    }

    fn facts_by_side(&self) -> BTreeMap<Side, Facts> {
        self.sides
            .iter()
            .map(|(side, workloads)| {
                (side.clone(), Facts::from([("ready".to_owned(), ready(workloads.as_ref()))]))
            })
            .collect()
    }
}

impl fmt::Display for Staffing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:<16} {:<32} {:>7} {:>7}  PROBLEMS", "SIDE", "WORKLOAD", "DESIRED", "READY")?;
        for (side, workloads) in &self.sides {
            match workloads {
                None => writeln!(f, "{side:<16} {:<32} {:>7} {:>7}", "?", "unknown", "unknown")?,
                Some(workloads) => {
                    for workload in workloads {
                        writeln!(
                            f,
                            "{side:<16} {:<32} {:>7} {:>7}  {}",
                            workload.name,
                            workload.desired,
                            workload.ready,
                            workload.problems.join("; ")
                        )?;
                    }
                }
            }
        }
        Ok(())
    }
}

/// How many.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Replicas {
    /// That many of each.
    Count(u32),
    /// As many of each as that side wants: `same-as:source`.
    SameAs(At),
    /// That part of what that side wants, rounded up: `50% of source`.
    Percent {
        /// How much of it, in percent.
        percent: u32,
        /// Of which side.
        of: At,
    },
    /// As many of each as there were before a run last scaled them: `before`. `Refused` where nobody noted that down.
    Before,
}

/// Gives a side's workloads more or less room, and awaits that as many are ready. A roll-out that can no longer
/// succeed fails at once, in the system's own words.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scale {
    /// Which side.
    #[serde(rename = "in")]
    pub side: At,
    /// How many of each.
    pub replicas: Replicas,
    /// Not before the callers are gone: the old TTL and a margin after the last old answer. The core waits.
    #[serde(default)]
    pub after_drain: bool,
}

/// What a scale left.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Scaled {
    /// The side.
    pub side: Side,
    /// Each workload as it is now.
    pub workloads: Vec<WorkloadState>,
}

impl fmt::Display for Scaled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ready: u32 = self.workloads.iter().map(|workload| workload.ready).sum();
        let desired: u32 = self.workloads.iter().map(|workload| workload.desired).sum();
        write!(f, "{}: {ready} of {desired} ready", self.side)
    }
}

impl Call for Scale {
    const VERB: &'static str = "scale";
    type Outcome = Scaled;

    fn class(&self) -> Class {
        Class::Reversible
    }

    fn aim(&mut self, roles: &Roles) {
        self.side.aim(roles);
        match &mut self.replicas {
            Replicas::SameAs(side) | Replicas::Percent { of: side, .. } => side.aim(roles),
            Replicas::Count(_) | Replicas::Before => {}
        }
    }
}

impl Serialize for Replicas {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Count(count) => serializer.serialize_u32(*count),
            Self::SameAs(side) => serializer.collect_str(&format_args!("same-as:{side}")),
            Self::Percent { percent, of } => serializer.collect_str(&format_args!("{percent}% of {of}")),
            Self::Before => serializer.serialize_str("before"),
        }
    }
}

impl<'de> Deserialize<'de> for Replicas {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Raw {
            Count(u32),
            Text(String),
        }
        match Raw::deserialize(deserializer)? {
            Raw::Count(count) => Ok(Self::Count(count)),
            Raw::Text(text) => Self::parse(&text).ok_or_else(|| {
                de::Error::custom(format!(
                    "`{text}` is no number of replicas: write 3, same-as:source, `50% of source` or before"
                ))
            }),
        }
    }
}

impl Replicas {
    fn parse(text: &str) -> Option<Self> {
        let side = |name: &str| match name {
            "source" => At::Source,
            "target" => At::Target,
            name => At::Named(Side::new(name)),
        };
        if text == "before" {
            return Some(Self::Before);
        }
        if let Some(name) = text.strip_prefix("same-as:") {
            return Some(Self::SameAs(side(name)));
        }
        if let Some((percent, name)) = text.split_once("% of ") {
            let percent = percent.trim().parse().ok()?;
            return Some(Self::Percent { percent, of: side(name.trim()) });
        }
        text.parse().ok().map(Self::Count)
    }

    /// That part of a number, rounded up: half of three replicas is two.
    pub fn part_of(percent: u32, wanted: u32) -> u32 {
        let part = (u64::from(percent) * u64::from(wanted)).div_ceil(100);
        u32::try_from(part).unwrap_or(u32::MAX)
    }
}
