//! Looking at a resource: typed for code, as facts for a plan's expectations, as JSON for the evidence.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::cx::Cx;
use crate::error::{Error, ErrorKind, Result};
use crate::ids::Side;
use crate::time::show_duration;

/// A group's view of the world. `Display` is the table that goes into the evidence.
pub trait Observation:
    fmt::Debug + fmt::Display + Clone + Serialize + DeserializeOwned + Send + Sync + 'static
{
    /// `replication`, `routing`, `staffing`.
    const GROUP: &'static str;

    /// What a plan can expect of the whole.
    fn facts(&self) -> Facts;

    /// What a plan can expect of one side (`in: target`).
    fn facts_by_side(&self) -> BTreeMap<Side, Facts>;

    /// Tables of each side that the evidence keeps as files of their own, by name: `deployments`, `pods`, `nodes`.
    fn tables(&self) -> BTreeMap<Side, BTreeMap<String, String>> {
        BTreeMap::new()
    }
}

/// Reads a resource's state. Read-only, bounded by the deadline, one side's silence never hides the other.
///
/// An `Err` means that nothing at all could be learnt; what is unknown about a part stands as unknown in the
/// observation, and is never a default.
#[async_trait]
pub trait Observe<O: Observation>: fmt::Debug + Send + Sync {
    /// Looks.
    async fn observe(&self, cx: &Cx) -> Result<O>;

    /// Looks for somebody who asks about one side alone. The others may stand as unknown, and need not be asked: a lost
    /// one would take its time to say nothing. By default it looks at everything.
    async fn observe_side(&self, cx: &Cx, side: &Side) -> Result<O> {
        let _ = side;
        self.observe(cx).await
    }
}

/// [`Observe`] with its type forgotten.
#[async_trait]
pub trait Watch: fmt::Debug + Send + Sync {
    /// The observation's group.
    fn group(&self) -> &'static str;
    /// Looks.
    async fn watch(&self, cx: &Cx) -> Result<Seen>;
    /// Looks at one side; what is said of the others means nothing.
    async fn watch_side(&self, cx: &Cx, side: &Side) -> Result<Seen>;
}

/// An observation with its type forgotten.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Seen {
    /// The observation's group.
    pub group: String,
    /// The observation.
    pub data: Value,
    /// As a table.
    pub text: String,
    /// Facts about the whole.
    pub facts: Facts,
    /// Facts about each side.
    pub sides: BTreeMap<Side, Facts>,
    /// Tables of each side, for files of their own.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tables: BTreeMap<Side, BTreeMap<String, String>>,
}

impl Seen {
    /// Forgets the type.
    ///
    /// # Errors
    /// `Invalid` if the observation cannot be written as JSON.
    pub fn of<O: Observation>(observation: &O) -> Result<Self> {
        Ok(Self {
            group: O::GROUP.to_owned(),
            data: serde_json::to_value(observation).map_err(|error| {
                Error::new(ErrorKind::Invalid, "the observation cannot be recorded").because(error)
            })?,
            text: observation.to_string(),
            facts: observation.facts(),
            sides: observation.facts_by_side(),
            tables: observation.tables(),
        })
    }
}

/// Facts by name.
pub type Facts = BTreeMap<String, Fact>;

/// One thing that a plan can expect: `lag: "<= 10s"`, `ready: all`, `role: standby`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fact {
    /// A length of time.
    Time(Duration),
    /// A count out of a whole: `all` is expected when they are equal, and there are any.
    Part {
        /// How many are.
        is: u64,
        /// How many should be.
        of: u64,
    },
    /// A word.
    Word(String),
    /// Yes or no.
    Flag(bool),
    /// Not known. Satisfies no expectation.
    Unknown,
}

impl From<Option<Duration>> for Fact {
    fn from(time: Option<Duration>) -> Self {
        time.map_or(Self::Unknown, Self::Time)
    }
}

impl From<Option<bool>> for Fact {
    fn from(flag: Option<bool>) -> Self {
        flag.map_or(Self::Unknown, Self::Flag)
    }
}

impl fmt::Display for Fact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Time(time) => f.write_str(&show_duration(*time)),
            Self::Part { is, of } => write!(f, "{is} of {of}"),
            Self::Word(word) => f.write_str(word),
            Self::Flag(true) => f.write_str("yes"),
            Self::Flag(false) => f.write_str("no"),
            Self::Unknown => f.write_str("unknown"),
        }
    }
}
