//! Where: the source, the target, or a side by its name.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::error::{Error, Result};
use crate::ids::Side;

/// A side as a plan names it. Binding turns the roles into names, so that a journal never says "target".
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum At {
    /// The side that serves before the run.
    Source,
    /// The side that serves after it.
    Target,
    /// A side by its name.
    Named(Side),
}

/// Which sides play source and target in a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Roles {
    /// Serves before the run.
    pub source: Side,
    /// Serves after it.
    pub target: Side,
}

impl Roles {
    /// The same two, the other way round: a failback's.
    #[must_use]
    pub fn swapped(&self) -> Self {
        Self { source: self.target.clone(), target: self.source.clone() }
    }
}

impl At {
    /// Puts the side's name where its role stood.
    pub fn aim(&mut self, roles: &Roles) {
        match self {
            Self::Source => *self = Self::Named(roles.source.clone()),
            Self::Target => *self = Self::Named(roles.target.clone()),
            Self::Named(_) => {}
        }
    }

    /// The side, once bound.
    ///
    /// # Errors
    /// `Invalid` if it still is a role: the call never went through binding.
    pub fn side(&self) -> Result<&Side> {
        match self {
            Self::Named(side) => Ok(side),
            Self::Source | Self::Target => {
                Err(Error::invalid(format!("`{self}` was not bound to a side before the call")))
            }
        }
    }
}

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Source => f.write_str("source"),
            Self::Target => f.write_str("target"),
            Self::Named(side) => side.fmt(f),
        }
    }
}

impl From<Side> for At {
    fn from(side: Side) -> Self {
        Self::Named(side)
    }
}

impl Serialize for At {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for At {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(match String::deserialize(deserializer)?.as_str() {
            "source" => Self::Source,
            "target" => Self::Target,
            name => Self::Named(Side::new(name)),
        })
    }
}

/// The default where a verb means that side.
pub(super) fn target() -> At {
    At::Target
}

/// The default where a verb means that side.
pub(super) fn source() -> At {
    At::Source
}
