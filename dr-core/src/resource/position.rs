//! A place in a store's log, and where histories part.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A place in a store's log.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Position {
    /// Ordered within one history.
    pub ordinal: u64,
    /// As the store writes it: `0/3000148`.
    pub text: String,
}

/// Where a history branched off.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimelineSwitch {
    /// The history that ended here.
    pub timeline: u64,
    /// Where.
    pub at: Position,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}
