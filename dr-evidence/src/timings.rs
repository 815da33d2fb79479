//! The phases' durations in `metrics.json`: `{"preflight_seconds": 45, …}` in the plan's order.

use std::fmt;

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::seconds::Seconds;

/// How long each phase took, in the plan's order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Timings(Vec<(String, Seconds)>);

impl Timings {
    pub(crate) fn of(phases: Vec<(String, Seconds)>) -> Self {
        Self(phases)
    }

    /// A phase's duration, by the phase's name.
    pub fn get(&self, phase: &str) -> Option<Seconds> {
        self.0.iter().find(|(name, _)| name == phase).map(|(_, took)| *took)
    }

    /// Each phase's name and duration.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Seconds)> {
        self.0.iter().map(|(name, took)| (name.as_str(), *took))
    }
}

impl Serialize for Timings {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, took)| (format!("{name}_seconds"), took)))
    }
}

impl<'de> Deserialize<'de> for Timings {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields;

        impl<'de> Visitor<'de> for Fields {
            type Value = Timings;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of <phase>_seconds")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Timings, A::Error> {
                let mut phases = Vec::new();
                while let Some((key, took)) = map.next_entry::<String, Seconds>()? {
                    let name = key.strip_suffix("_seconds").unwrap_or(&key).to_owned();
                    phases.push((name, took));
                }
                Ok(Timings(phases))
            }
        }

        deserializer.deserialize_map(Fields)
    }
}
