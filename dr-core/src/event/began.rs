//! The first event: everything that a run is going to be.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::ids::{Identity, ResourceName, RunId};
use crate::plan::{LossSpec, OnFailure, OutageSpec, RtoRpoBudget};
use crate::resource::{Roles, Urgency};
use crate::runbook::Script;
use crate::time::Timestamp;

/// What a run is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// Every effect is replaced by its preview.
    DryRun,
    /// A rehearsal for real.
    Drill,
    /// The source is lost or failing.
    Failover,
    /// A planned change of sides.
    Switchover,
    /// A planned change of sides, back.
    Failback,
    /// Pays the debts of an earlier run.
    Protect,
    /// Waits for a silent side to return, and fences it.
    Guard,
}

impl Mode {
    /// The word for it, as the command and the evidence write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::DryRun => "dry-run",
            Self::Drill => "drill",
            Self::Failover => "failover",
            Self::Switchover => "switchover",
            Self::Failback => "failback",
            Self::Protect => "protect",
            Self::Guard => "guard",
        }
    }

    /// Whether the run changes the world.
    pub fn is_live(self) -> bool {
        self != Self::DryRun
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Who did it, from where, by which credentials.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Actor {
    /// The person or service: `alice`.
    pub name: String,
    /// Where: `alice@bastion-2 (pid 4711)`.
    pub from: String,
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} from {}", self.name, self.from)
    }
}

/// A gate that somebody told the run to pass all the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Override {
    /// The gate's code, or the step's name.
    pub gate: String,
    /// Why.
    pub reason: String,
}

/// The first event of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Began {
    /// The run's name.
    pub run: RunId,
    /// The event format's version.
    pub format: u32,
    /// The release that began it.
    pub tool: String,
    /// What it is for.
    pub mode: Mode,
    /// Whether it insists on losing nothing.
    pub urgency: Urgency,
    /// What a failure before the point of no return does.
    pub on_failure: OnFailure,
    /// Who began it.
    pub actor: Actor,
    /// The plan's name.
    pub plan: String,
    /// SHA-256 of the plan's text.
    pub plan_hash: String,
    /// Which side plays what.
    pub roles: Roles,
    /// What it may take and lose.
    pub budget: RtoRpoBudget,
    /// What is measured: outages.
    pub outages: Vec<OutageSpec>,
    /// What is measured: losses.
    pub losses: Vec<LossSpec>,
    /// What it claims.
    pub identities: Vec<Identity>,
    /// What it was told to pass.
    pub overrides: Vec<Override>,
    /// What is not the real system, by resource: an emulator's endpoint.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub emulated: BTreeMap<ResourceName, String>,
    /// When the outage began, where somebody declared it or an always-on prober saw it.
    pub outage_since: Option<Timestamp>,
    /// Whether `outage_since` was declared by a person rather than seen.
    pub outage_declared: bool,
    /// When it was detected: the always-on prober's first alarm.
    pub detected: Option<Timestamp>,
    /// Every step.
    pub script: Script,
}
