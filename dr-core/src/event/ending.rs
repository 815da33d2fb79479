//! How a run ends, and how a drive ends without ending its run.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::ids::{ResourceName, Side};

/// How a run ended. Closed: every reader decides by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// Everything is as the plan says, within the budget.
    Succeeded,
    /// Everything is as the plan says, but it took or lost more than the budget allows.
    OverBudget,
    /// Service is back; what is open stands as debts: no replica, no archive, no guard.
    Recovered,
    /// It was so already.
    NothingToDo,
    /// Preflight said no; nothing was touched.
    Refused,
    /// It failed before the point of no return and everything was put back.
    RolledBack,
    /// A person ended it.
    Aborted,
}

/// Why a drive stopped without ending its run: the claims stay, `dr resume` goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Suspension {
    /// Somebody interrupted it.
    Interrupted,
    /// It failed where going back is not allowed; a person decides.
    Held,
    /// An undo failed; the manual steps are printed.
    Stuck,
    /// The journal can no longer be written.
    JournalLost,
    /// Another process drives the run now.
    OwnershipLost,
}

impl Ending {
    /// The words for people.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::OverBudget => "succeeded, over budget",
            Self::Recovered => "recovered, unprotected",
            Self::NothingToDo => "nothing to do",
            Self::Refused => "refused, nothing touched",
            Self::RolledBack => "rolled back",
            Self::Aborted => "aborted",
        }
    }
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Suspension {
    /// The words for people.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Interrupted => "interrupted",
            Self::Held => "held",
            Self::Stuck => "stuck",
            Self::JournalLost => "journal lost",
            Self::OwnershipLost => "ownership lost",
        }
    }
}

impl fmt::Display for Suspension {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What a recovered service still lacks. Open debts block the next failover by name, until `dr protect` pays them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Debt {
    /// What is missing.
    pub kind: DebtKind,
    /// Of which resource.
    pub resource: ResourceName,
    /// Which side it concerns.
    pub side: Side,
    /// In words.
    pub why: String,
}

/// What is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DebtKind {
    /// No copy follows the writer.
    Replica,
    /// The log is not archived.
    Archive,
    /// A side whose silence was accepted may return and write.
    Guard,
}

impl fmt::Display for DebtKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Replica => "replica",
            Self::Archive => "archive",
            Self::Guard => "guard",
        })
    }
}
