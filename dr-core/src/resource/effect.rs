//! The contract of a verb: read first, then make it so, and put back what was there.

use std::fmt;
use std::ops::RangeInclusive;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::call::Call;
use super::cx::Cx;
use crate::error::{Error, Result};

/// One verb of one resource.
///
/// Every sentence here is a case in the test kit's conformance suite.
#[async_trait]
pub trait Effect<C: Call>: fmt::Debug + Send + Sync {
    /// Reads what is there and says what `apply` would change. Never changes anything.
    ///
    /// It serves as the dry run's preview, as the re-read of a step in doubt, and as the test whether there is
    /// anything to do: [`Standing::Already`] exactly when `apply` would be a no-op. What cannot be read is
    /// [`Standing::Unknown`] or an error, never `Already`.
    async fn prepare(&self, cx: &Cx, call: &C) -> Result<Prepared>;

    /// Makes it so, and returns when it is so, observed in the system itself rather than assumed from its reply.
    ///
    /// Convergent: a repeat, or a repeat after a lost reply, ends in the same world and returns the same outcome.
    /// `was` is what the first attempt's `prepare` found. It keeps to `cx.deadline`; dropped at any await it may be
    /// called again. An error says [`crate::Happened::No`] only where that is proven.
    async fn apply(&self, cx: &Cx, call: &C, was: &Prepared) -> Result<C::Outcome>;

    /// Puts back what `was` holds, wherever the apply got to. Convergent as well.
    ///
    /// Only where the world still is as this step left it: a change by someone else since is `Conflict`, and stays. If it
    /// was so before the step, there is nothing to put back.
    /// For a point of no return, undo is *cancel*: `Ok` is the proof that the effect did not happen and can no
    /// longer happen; anything less is an error. A request that was sent and not answered may be carried out late: without
    /// proof that it is not, keep the default, which is an error, and the run holds.
    async fn undo(&self, cx: &Cx, call: &C, was: &Before) -> Result<()> {
        let _ = (cx, call, was);
        Err(cannot_be_undone(C::VERB))
    }

    /// Which versions of [`Before`] this code reads: a run begun by an older release is resumed by it.
    fn reads(&self) -> RangeInclusive<u32> {
        1..=1
    }
}

/// The error of a verb that has no undo.
pub fn cannot_be_undone(verb: &str) -> Error {
    Error::unsupported(format!("`{verb}` cannot be undone"))
}

/// What was there: opaque to the engine, versioned by the backend, free of secrets.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Before {
    /// The version of `data`'s format.
    pub version: u32,
    /// As the backend wants it back.
    pub data: Value,
}

impl Before {
    /// Nothing that undo would need.
    pub fn nothing() -> Self {
        Self { version: 1, data: Value::Null }
    }

    /// Version 1 of a value.
    ///
    /// # Errors
    /// `Invalid` if the value cannot be written as JSON.
    pub fn of(value: &impl Serialize) -> Result<Self> {
        serde_json::to_value(value)
            .map(|data| Self { version: 1, data })
            .map_err(|error| Error::invalid("the state before cannot be recorded").because(error))
    }

    /// The value again.
    ///
    /// # Errors
    /// `Invalid` if the data is not such a value.
    pub fn read<T: serde::de::DeserializeOwned>(&self) -> Result<T> {
        serde_json::from_value(self.data.clone())
            .map_err(|error| Error::invalid("the recorded state before cannot be read").because(error))
    }
}

/// How the world stands to a call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "standing")]
pub enum Standing {
    /// It is so; there is nothing to do.
    Already,
    /// It is not so; this would change.
    Would {
        /// What would change.
        diff: Diff,
    },
    /// It could not be read. Never treated as either.
    Unknown {
        /// Why.
        why: String,
    },
}

/// What `prepare` found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Prepared {
    /// How the world stands to the call.
    pub standing: Standing,
    /// What undo puts back.
    pub before: Before,
}

impl Prepared {
    /// There is nothing to do.
    pub fn already(before: Before) -> Self {
        Self { standing: Standing::Already, before }
    }

    /// This would change.
    pub fn would(diff: Diff, before: Before) -> Self {
        Self { standing: Standing::Would { diff }, before }
    }

    /// It could not be read.
    pub fn unknown(why: impl Into<String>, before: Before) -> Self {
        Self { standing: Standing::Unknown { why: why.into() }, before }
    }

    /// Whether there is nothing to do.
    pub fn is_already(&self) -> bool {
        self.standing == Standing::Already
    }
}

/// What would change, for people.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Diff(pub Vec<Change>);

/// One line of a [`Diff`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// The thing: `eu-central-1 role`.
    pub what: String,
    /// What it is.
    pub from: String,
    /// What it would be.
    pub to: String,
}

impl Diff {
    /// One line.
    pub fn one(what: impl Into<String>, from: impl Into<String>, to: impl Into<String>) -> Self {
        Self::default().and(what, from, to)
    }

    /// One line more.
    #[must_use]
    pub fn and(mut self, what: impl Into<String>, from: impl Into<String>, to: impl Into<String>) -> Self {
        self.0.push(Change { what: what.into(), from: from.into(), to: to.into() });
        self
    }
}

impl fmt::Display for Diff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, change) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("; ")?;
            }
            write!(f, "{}: {} → {}", change.what, change.from, change.to)?;
        }
        Ok(())
    }
}
