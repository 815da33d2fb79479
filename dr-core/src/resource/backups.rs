//! Copies that can be restored.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::at::{At, Roles, source, target};
use super::call::{Call, Class};
use super::observe::{Fact, Facts, Observation};
use crate::ids::Side;
use crate::time::{Timestamp, show_duration};

/// What copies there are on each side.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Copies {
    /// When the looking ended.
    pub at: Timestamp,
    /// Each side's copies, newest first; a side that could not be read is `None`.
    pub sides: BTreeMap<Side, Option<Vec<CopyState>>>,
}

/// One copy.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct CopyState {
    /// Its name, as `restore` takes it.
    pub id: String,
    /// What it is a copy of.
    pub of: String,
    /// The moment that it holds. `None`: unknown.
    pub taken: Option<Timestamp>,
    /// Whether it can be restored now.
    pub usable: bool,
    /// What it is, in the system's words: `creating 40 %`, `available`.
    pub state: String,
    /// How large it is, if that is known.
    pub bytes: Option<u64>,
}

impl CopyState {
    /// A copy of unknown size.
    pub fn new(id: impl Into<String>, of: impl Into<String>, taken: Option<Timestamp>) -> Self {
        let state = "available".to_owned();
        Self { id: id.into(), of: of.into(), taken, usable: true, state, bytes: None }
    }

    /// In the system's words, and whether it can be restored.
    #[must_use]
    pub fn in_state(mut self, state: impl Into<String>, usable: bool) -> Self {
        self.state = state.into();
        self.usable = usable;
        self
    }

    /// How large it is.
    #[must_use]
    pub fn of_size(mut self, bytes: Option<u64>) -> Self {
        self.bytes = bytes;
        self
    }
}

impl Copies {
    /// An observation that ended at `at`.
    pub fn new(at: Timestamp, sides: BTreeMap<Side, Option<Vec<CopyState>>>) -> Self {
        Self { at, sides }
    }

    /// The age of the newest usable copy of a side. `None`: there is none, or it is not known.
    pub fn age(&self, side: &Side) -> Option<Duration> {
        let copies = self.sides.get(side)?.as_ref()?;
        let newest = copies.iter().filter(|copy| copy.usable).filter_map(|copy| copy.taken).max()?;
        Some(self.at.since(newest))
    }
}

impl Observation for Copies {
    const GROUP: &'static str = "copies";

    /// The worst of all sides.
    fn facts(&self) -> Facts {
        let ages: Option<Vec<Duration>> = self.sides.keys().map(|side| self.age(side)).collect();
        Facts::from([("backup_age".to_owned(), Fact::from(ages.and_then(|ages| ages.into_iter().max())))])
    }

    fn facts_by_side(&self) -> BTreeMap<Side, Facts> {
        let of = |side: &Side| Facts::from([("backup_age".to_owned(), Fact::from(self.age(side)))]);
        self.sides.keys().map(|side| (side.clone(), of(side))).collect()
    }
}

impl fmt::Display for Copies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:<16} {:<48} {:<24} {:>8}  STATE", "SIDE", "COPY", "OF", "AGE")?;
        for (side, copies) in &self.sides {
            match copies {
                None => writeln!(f, "{side:<16} {:<48} {:<24} {:>8}", "?", "unknown", "unknown")?,
                Some(copies) => {
                    for copy in copies {
                        let age = copy
                            .taken
                            .map_or("unknown".to_owned(), |taken| show_duration(self.at.since(taken)));
                        writeln!(f, "{side:<16} {:<48} {:<24} {age:>8}  {}", copy.id, copy.of, copy.state)?;
                    }
                }
            }
        }
        Ok(())
    }
}

/// Takes a copy of a side, and awaits that it can be restored, on every side that shall have it. Undo removes it.
///
/// Convergent by the run and the step: a repeat finds the copy that an earlier attempt took.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Backup {
    /// Of which side. Default: the source.
    #[serde(default = "source", rename = "in")]
    pub side: At,
    /// To which other side it is copied as well. Default: to none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub copy_to: Option<At>,
}

/// What a backup left.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct BackedUp {
    /// The side that it is a copy of.
    pub side: Side,
    /// The copy's name on each side that has it.
    pub copies: BTreeMap<Side, String>,
    /// The moment that it holds.
    pub taken: Timestamp,
}

impl BackedUp {
    /// From its parts.
    pub fn new(side: Side, copies: BTreeMap<Side, String>, taken: Timestamp) -> Self {
        Self { side, copies, taken }
    }
}

impl fmt::Display for BackedUp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let copies: Vec<String> = self.copies.iter().map(|(side, id)| format!("{id} in {side}")).collect();
        write!(f, "{} was copied: {}", self.side, copies.join(", "))
    }
}

impl Call for Backup {
    const VERB: &'static str = "backup";
    type Outcome = BackedUp;

    fn class(&self) -> Class {
        Class::Reversible
    }

    fn aim(&mut self, roles: &Roles) {
        self.side.aim(roles);
        if let Some(side) = &mut self.copy_to {
            side.aim(roles);
        }
    }
}

/// Which copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Point {
    /// The newest that can be restored.
    Latest,
    /// The state as it was at that moment.
    At(Timestamp),
    /// The copy of that name.
    Copy(String),
}

/// Restores a copy beside what is there, never over it, and awaits that it can be used. What was restored takes no
/// callers and no part in replication: making it a side is `adopt`'s. Undo discards it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Restore {
    /// On which side. Default: the target.
    #[serde(default = "target", rename = "in")]
    pub side: At,
    /// Which copy: `latest`, a moment, or a copy's name.
    #[serde(default = "latest")]
    pub point: Point,
    /// What the restored thing is called. For objects: under which prefix; there the default is over the old ones,
    /// which stay as earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub into: Option<String>,
    /// Which part: for objects, their prefix. Default: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub only: Option<String>,
}

/// What a restore left.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Restored {
    /// The side.
    pub side: Side,
    /// What there is now.
    pub what: String,
    /// From which copy.
    pub from: String,
    /// The moment that it holds, if that is known.
    pub holds: Option<Timestamp>,
}

impl Restored {
    /// From its parts.
    pub fn new(
        side: Side,
        what: impl Into<String>,
        from: impl Into<String>,
        holds: Option<Timestamp>,
    ) -> Self {
        Self { side, what: what.into(), from: from.into(), holds }
    }
}

impl fmt::Display for Restored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} restored from {}", self.side, self.what, self.from)?;
        match self.holds {
            Some(at) => write!(f, ", as it was at {at}"),
            None => Ok(()),
        }
    }
}

impl Call for Restore {
    const VERB: &'static str = "restore";
    type Outcome = Restored;

    fn class(&self) -> Class {
        Class::Reversible
    }

    fn aim(&mut self, roles: &Roles) {
        self.side.aim(roles);
    }
}

fn latest() -> Point {
    Point::Latest
}

impl Serialize for Point {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Latest => serializer.serialize_str("latest"),
            Self::At(at) => at.serialize(serializer),
            Self::Copy(id) => serializer.serialize_str(id),
        }
    }
}

impl<'de> Deserialize<'de> for Point {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Ok(match (text.as_str(), text.parse::<Timestamp>()) {
            ("latest", _) => Self::Latest,
            ("", _) => {
                return Err(de::Error::custom("name a copy, a moment (2026-11-21T02:00:00Z) or `latest`"));
            }
            (_, Ok(at)) => Self::At(at),
            (_, Err(_)) => Self::Copy(text),
        })
    }
}
