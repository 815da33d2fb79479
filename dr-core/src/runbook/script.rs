//! A plan after binding: every step with its call, edges, deadline and class. A value that the first event holds and
//! a resume rebinds; nothing is planned twice.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::ids::{PhaseName, ResourceName, StepId};
use crate::resource::{Class, Urgency};
use crate::time::{human, human_option};

/// Every phase and step of a run.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Script {
    /// In the plan's order.
    pub phases: Vec<ScriptPhase>,
    /// In the plan's order.
    pub steps: Vec<ScriptStep>,
}

/// A phase's name and share of the time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ScriptPhase {
    /// Its name.
    pub name: PhaseName,
    /// Its share of the RTO.
    #[serde(default, with = "human_option", skip_serializing_if = "Option::is_none")]
    pub within: Option<Duration>,
}

/// A bound step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ScriptStep {
    /// Its name in this run.
    pub id: StepId,
    /// Its phase.
    pub phase: PhaseName,
    /// The word.
    pub verb: String,
    /// On what.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource: Option<ResourceName>,
    /// The resource's kind: a resume refuses where it is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// The verb's options, sides by name.
    pub call: Value,
    /// What kind of change it is: a resume refuses where it has changed.
    pub class: Class,
    /// The steps that have to be over before it starts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub after: Vec<StepId>,
    /// How long all its attempts together may take.
    #[serde(with = "human")]
    pub within: Duration,
    /// In which runs it happens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<Urgency>,
    /// Whether its failure is only noted.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub optional: bool,
}

impl Script {
    /// The step of that name.
    pub fn step(&self, id: &StepId) -> Option<&ScriptStep> {
        self.steps.iter().find(|step| step.id == *id)
    }
}
