//! Something that must alert when it should.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::at::{At, Roles, target};
use super::call::{Call, Class};
use super::observe::{Fact, Facts, Observation};
use crate::ids::Side;
use crate::time::Timestamp;

/// The alarms of each side.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Alarms {
    /// When the looking ended.
    pub at: Timestamp,
    /// Each side's alarms; a side that could not be read is `None`.
    pub sides: BTreeMap<Side, Option<Vec<AlarmState>>>,
}

/// One alarm.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct AlarmState {
    /// Its name.
    pub name: String,
    /// How it stands.
    pub stands: AlarmStands,
    /// Why, in the system's words.
    pub why: String,
    /// Whom or what it reaches when it goes off. Empty: nobody would hear it.
    pub reaches: Vec<String>,
    /// Whether it acts at all now.
    pub armed: bool,
}

/// How an alarm stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AlarmStands {
    /// Quiet.
    Quiet,
    /// It has gone off.
    Alarm,
    /// It does not know: no data. Never taken for quiet.
    NoData,
}

impl fmt::Display for AlarmStands {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Quiet => "quiet",
            Self::Alarm => "alarm",
            Self::NoData => "no data",
        })
    }
}

impl AlarmState {
    /// An armed alarm that reaches nobody.
    pub fn new(name: impl Into<String>, stands: AlarmStands, why: impl Into<String>) -> Self {
        Self { name: name.into(), stands, why: why.into(), reaches: Vec::new(), armed: true }
    }

    /// Whom it reaches, and whether it acts at all.
    #[must_use]
    pub fn reaching(mut self, reaches: Vec<String>, armed: bool) -> Self {
        self.reaches = reaches;
        self.armed = armed;
        self
    }
}

impl Alarms {
    /// An observation that ended at `at`.
    pub fn new(at: Timestamp, sides: BTreeMap<Side, Option<Vec<AlarmState>>>) -> Self {
        Self { at, sides }
    }
}

fn facts<'a>(alarms: Option<impl Iterator<Item = &'a AlarmState> + Clone>) -> Facts {
    let part = |is: fn(&AlarmState) -> bool| {
        alarms.clone().map_or(Fact::Unknown, |alarms| Fact::Part {
            is: alarms.clone().filter(|alarm| is(alarm)).count() as u64,
            of: alarms.count() as u64,
        })
    };
    Facts::from([
        ("quiet".to_owned(), part(|alarm| alarm.stands == AlarmStands::Quiet)),
        ("heard".to_owned(), part(|alarm| alarm.armed && !alarm.reaches.is_empty())),
    ])
}

impl Observation for Alarms {
    const GROUP: &'static str = "alarms";

    /// `quiet` and `heard` (armed, and reaches somebody): how many of all.
    fn facts(&self) -> Facts {
        let known = self.sides.values().all(Option::is_some);
        facts(known.then(|| self.sides.values().flatten().flatten()))
    }

    fn facts_by_side(&self) -> BTreeMap<Side, Facts> {
        self.sides
            .iter()
            .map(|(side, alarms)| (side.clone(), facts(alarms.as_ref().map(|alarms| alarms.iter()))))
            .collect()
    }
}

impl fmt::Display for Alarms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:<16} {:<40} {:<8} {:<6} REACHES", "SIDE", "ALARM", "STANDS", "ARMED")?;
        for (side, alarms) in &self.sides {
            match alarms {
                None => writeln!(f, "{side:<16} {:<40} unknown", "?")?,
                Some(alarms) => {
                    for alarm in alarms {
                        let armed = if alarm.armed { "yes" } else { "NO" };
                        let reaches = match alarm.reaches.as_slice() {
                            [] => "nobody".to_owned(),
                            all => all.join(", "),
                        };
                        writeln!(
                            f,
                            "{side:<16} {:<40} {:<8} {armed:<6} {reaches}",
                            alarm.name, alarm.stands
                        )?;
                    }
                }
            }
        }
        Ok(())
    }
}

/// Sets an alarm off, awaits that it reached whom it should, and lets it go quiet again. Undo only quiets it: who was
/// called was called.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trigger {
    /// On which side. Default: the target.
    #[serde(default = "target", rename = "in")]
    pub side: At,
    /// What the people who hear it are told. Default: that it is a rehearsal, by which run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub saying: Option<String>,
}

/// What a trigger left.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Triggered {
    /// The side.
    pub side: Side,
    /// Whom it reached, as the system recorded it.
    pub reached: Vec<String>,
}

impl Triggered {
    /// From its parts.
    pub fn new(side: Side, reached: Vec<String>) -> Self {
        Self { side, reached }
    }
}

impl fmt::Display for Triggered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: it went off and reached {}", self.side, self.reached.join(", "))
    }
}

impl Call for Trigger {
    const VERB: &'static str = "trigger";
    type Outcome = Triggered;

    fn class(&self) -> Class {
        Class::Irreversible
    }

    fn aim(&mut self, roles: &Roles) {
        self.side.aim(roles);
    }
}
