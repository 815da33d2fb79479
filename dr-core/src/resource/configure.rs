//! The verb `configure`: what workloads are told, switched and switched back.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::at::{At, Roles, target};
use super::call::{Call, Class};
use crate::ids::Side;

/// Sets configuration of a side's workloads, restarts those that read it, and awaits that they are ready with it.
///
/// What a setting's name means is the backend's word; it documents the forms (`env/DATABASE_URL`,
/// `configmap/app/DATABASE_URL`, `secret/app/DATABASE_URL` for Kubernetes). Undo puts back exactly what was there, a
/// setting that was absent included.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Configure {
    /// Which side. Default: the target.
    #[serde(default = "target", rename = "in")]
    pub side: At,
    /// Which workloads, by the names that the observation shows. Default: all of the resource.
    #[serde(default)]
    pub of: Vec<String>,
    /// What each setting shall be.
    pub set: BTreeMap<String, Setting>,
}

/// A setting's value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Setting {
    /// The text itself. Never a secret: it stands in the plan, the journal and the evidence.
    Text(String),
    /// A secret, by the name that the resource's own configuration gives it.
    Secret {
        /// That name.
        secret: String,
    },
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Secret { secret } => write!(f, "the secret {secret}"),
        }
    }
}

/// What a configure left.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Settled {
    /// The side.
    pub side: Side,
    /// The settings, as they are now.
    pub settings: Vec<String>,
    /// The workloads that run with them.
    pub workloads: Vec<String>,
}

impl Settled {
    /// From its parts.
    pub fn new(side: Side, settings: Vec<String>, workloads: Vec<String>) -> Self {
        Self { side, settings, workloads }
    }
}

impl fmt::Display for Settled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} set for {} workloads", self.side, self.settings.join(", "), self.workloads.len())
    }
}

impl Call for Configure {
    const VERB: &'static str = "configure";
    type Outcome = Settled;

    fn class(&self) -> Class {
        Class::Reversible
    }

    fn aim(&mut self, roles: &Roles) {
        self.side.aim(roles);
    }
}
