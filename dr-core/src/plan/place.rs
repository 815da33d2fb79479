//! Where something stands in a document.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A line and a column, both from 1.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Place {
    /// From 1; 0 where there is no document (a plan built in code).
    pub line: u32,
    /// From 1; 0 where there is no document.
    pub column: u32,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}
