//! The verb `follow`: makes a side a copy of the current writer again.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::at::{At, Roles, source, target};
use super::call::{Call, Class};
use super::ledger::LedgerRow;
use super::position::Position;
use crate::ids::Side;

/// Makes a side a copy of the current writer again.
///
/// The old data is kept until released by name; a half-rewound node is never started. Refused where histories fork
/// in a way that nobody decided about, with the fork point; and where the old data cannot be kept and has anything that the
/// new writer has not. An old writer that is open still is fenced first: else it takes writes that the copy throws away.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Follow {
    /// Which side becomes the copy. Default: the source.
    #[serde(default = "source", rename = "in")]
    pub side: At,
    /// Which side it copies. Default: the target.
    #[serde(default = "target")]
    pub of: At,
}

/// How a side became a copy again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FollowHow {
    /// It already was one. A repeat says so too: this outcome may differ from the first attempt's.
    Already,
    /// Nothing diverged: it was started as a standby.
    Attached,
    /// Taken back to the fork.
    Rewound,
    /// Copied anew.
    Reseeded,
}

/// What a follow left.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Following {
    /// The copy.
    pub side: Side,
    /// How.
    pub how: FollowHow,
    /// Where the old data was kept, if it was.
    pub kept: Option<String>,
    /// What the old data had and the new writer has not.
    pub divergence: Option<Divergence>,
}

impl Following {
    /// A follow that kept nothing.
    pub fn new(side: Side, how: FollowHow) -> Self {
        Self { side, how, kept: None, divergence: None }
    }

    /// Where the old data is, and what it alone had.
    #[must_use]
    pub fn keeping(mut self, kept: Option<String>, divergence: Option<Divergence>) -> Self {
        self.kept = kept;
        self.divergence = divergence;
        self
    }
}

impl fmt::Display for Following {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let how = match self.how {
            FollowHow::Already => "follows already",
            FollowHow::Attached => "follows",
            FollowHow::Rewound => "was rewound and follows",
            FollowHow::Reseeded => "was copied anew and follows",
        };
        write!(f, "{} {how}", self.side)?;
        if let Some(divergence) = &self.divergence {
            write!(f, "; {divergence}")?;
        }
        if let Some(kept) = &self.kept {
            write!(f, "; old data kept in {kept}")?;
        }
        Ok(())
    }
}

/// What a diverged old writer had that the new one has not.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Divergence {
    /// Where the histories part.
    pub fork: Option<Position>,
    /// How much log lies behind the fork, in bytes.
    pub bytes: Option<u64>,
    /// The ledger rows that only the old writer has; `None` if they could not be read.
    pub rows: Option<Vec<LedgerRow>>,
}

impl Divergence {
    /// From its parts.
    pub fn new(fork: Option<Position>, bytes: Option<u64>, rows: Option<Vec<LedgerRow>>) -> Self {
        Self { fork, bytes, rows }
    }
}

impl fmt::Display for Divergence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.rows {
            Some(rows) => write!(f, "{} ledger rows only the old primary has", rows.len())?,
            None => f.write_str("an unknown number of rows only the old primary has")?,
        }
        if let Some(fork) = &self.fork {
            write!(f, ", forked at {fork}")?;
        }
        Ok(())
    }
}

impl Call for Follow {
    const VERB: &'static str = "follow";
    type Outcome = Following;

    fn class(&self) -> Class {
        Class::Irreversible
    }

    fn aim(&mut self, roles: &Roles) {
        self.side.aim(roles);
        self.of.aim(roles);
    }
}
