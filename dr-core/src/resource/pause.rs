//! The verbs `pause` and `unpause`: a copy stands still, or applies again.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::at::{At, Roles, target};
use super::call::{Call, Class};
use super::position::Position;
use crate::ids::Side;

/// Stops a copy from applying, at once: an accidental deletion must not arrive there.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pause {
    /// Which side. Default: the target.
    #[serde(default = "target", rename = "in")]
    pub side: At,
}

/// Lets a copy apply again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Unpause {
    /// Which side. Default: the target.
    #[serde(default = "target", rename = "in")]
    pub side: At,
}

/// Whether a copy applies.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Paused {
    /// The copy.
    pub side: Side,
    /// Whether it stands still now.
    pub paused: bool,
    /// Where it stands.
    pub position: Option<Position>,
}

impl fmt::Display for Paused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.side, if self.paused { "stands still" } else { "applies" })?;
        if let Some(position) = &self.position {
            write!(f, " at {position}")?;
        }
        Ok(())
    }
}

impl Call for Pause {
    const VERB: &'static str = "pause";
    type Outcome = Paused;

    fn class(&self) -> Class {
        Class::Reversible
    }

    fn aim(&mut self, roles: &Roles) {
        self.side.aim(roles);
    }
}

impl Call for Unpause {
    const VERB: &'static str = "unpause";
    type Outcome = Paused;

    fn class(&self) -> Class {
        Class::Reversible
    }

    fn aim(&mut self, roles: &Roles) {
        self.side.aim(roles);
    }
}
