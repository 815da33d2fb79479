//! A plan's types. Reading them from text, with positions, is `parse`'s.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::budget::RtoRpoBudget;
use super::place::Place;
use crate::ids::{PhaseName, ResourceName, Side};
use crate::resource::Urgency;

/// What should happen.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// Its name: what a person types to confirm a run.
    pub name: String,
    /// The side that serves before the run, unless `--from` says otherwise.
    pub source: Option<Side>,
    /// The side that serves after it, unless `--to` says otherwise.
    pub target: Option<Side>,
    /// What it may take and lose.
    pub budget: RtoRpoBudget,
    /// Where runs, claims and debts are kept.
    pub state: StateLocation,
    /// What a failure before the point of no return does, where the mode leaves the choice.
    pub on_failure: Option<OnFailure>,
    /// Warnings of `dr check` that somebody took responsibility for.
    pub acknowledge: Vec<Acknowledgement>,
    /// What it acts on.
    pub resources: BTreeMap<ResourceName, ResourceSpec>,
    /// What is measured.
    pub measure: Measure,
    /// What happens.
    pub phases: Vec<Phase>,
    /// Where things stand that are in no resource and no phase, by JSON pointer: `/budget/rto`.
    pub places: BTreeMap<String, Place>,
    /// The document as it was read, secrets unresolved.
    pub text: Arc<str>,
    /// SHA-256 of `text`, in hex.
    pub hash: String,
}

impl Plan {
    /// Where something stands that is in no resource and no phase, by JSON pointer; else where the nearest thing
    /// around it stands.
    pub fn place(&self, pointer: &str) -> Place {
        nearest(&self.places, pointer)
    }
}

impl ResourceSpec {
    /// Where a part of the configuration stands, by JSON pointer; else where the nearest thing around it stands.
    pub fn place(&self, pointer: &str) -> Place {
        if pointer.is_empty() { self.place } else { nearest(&self.places, pointer) }
    }
}

fn nearest(places: &BTreeMap<String, Place>, pointer: &str) -> Place {
    let mut pointer = pointer;
    loop {
        if let Some(place) = places.get(pointer) {
            return *place;
        }
        match pointer.rfind('/') {
            Some(end) => pointer = &pointer[..end],
            None => return Place::default(),
        }
    }
}

/// Where runs, claims and debts are kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StateLocation {
    /// A folder, or a URL that the command's store crate understands (`s3://bucket/prefix`).
    pub at: String,
    /// Whether the plan says by itself that a store only this machine sees is good enough for live modes.
    pub local: bool,
    /// The region it lives in, if it says so.
    pub region: Option<crate::ids::Region>,
}

impl Default for StateLocation {
    /// The folder `.dr`, which no other machine sees.
    fn default() -> Self {
        Self { at: ".dr".to_owned(), local: false, region: None }
    }
}

/// What a failure before the point of no return does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnFailure {
    /// Everything is put back.
    Undo,
    /// What helps the target is kept; a person decides.
    Hold,
}

/// A warning that somebody took responsibility for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Acknowledgement {
    /// The warning's code.
    pub code: String,
    /// Why it is all right. The evidence shows it.
    pub reason: String,
}

/// A resource's entry: `kind` is the core's, the rest is the backend's.
#[derive(Debug, Clone, PartialEq)]
pub struct ResourceSpec {
    /// Which backend.
    pub kind: String,
    /// Its configuration, without `kind`.
    pub config: Value,
    /// Where the entry stands.
    pub place: Place,
    /// Where each part of the configuration stands, by JSON pointer.
    pub places: BTreeMap<String, Place>,
}

/// What is measured.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Measure {
    /// Probers, the first one's outage is the run's.
    pub outages: Vec<OutageSpec>,
    /// Write ledgers.
    pub losses: Vec<LossSpec>,
}

/// One prober.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OutageSpec {
    /// Which resource is asked.
    pub probe: ResourceName,
    /// How often. Every due question is asked, whether or not the last was answered.
    #[serde(with = "crate::time::human")]
    pub every: Duration,
    /// How many good answers in a row, served by the target, end an outage.
    pub recovered_after: u32,
    /// Whether each question writes.
    pub write: bool,
}

/// One write ledger.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LossSpec {
    /// Which store the rows end in.
    pub store: ResourceName,
    /// Through which resource they are written: the way that callers write. Default: the store itself.
    pub via: Option<ResourceName>,
    /// How often.
    #[serde(with = "crate::time::human")]
    pub every: Duration,
}

/// A part of the plan with its share of the time.
#[derive(Debug, Clone, PartialEq)]
pub struct Phase {
    /// Its name; its timing in `metrics.json` is `<name>_seconds`.
    pub name: PhaseName,
    /// Its share of the RTO.
    pub within: Option<Duration>,
    /// The phases that it waits for. `None`: the one before it. Empty: none.
    pub after: Option<Vec<PhaseName>>,
    /// In which runs it happens. `None`: in all.
    pub when: Option<Urgency>,
    /// What happens in it, side by side unless `after` or a rule between verbs says otherwise.
    pub steps: Vec<Step>,
    /// Where it stands.
    pub place: Place,
}

/// One verb on one resource.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// A name of its own, where verb and resource do not tell two steps apart.
    pub id: Option<String>,
    /// The word.
    pub verb: String,
    /// On what; `None` for `wait` and `approve`.
    pub resource: Option<ResourceName>,
    /// The verb's options as the plan gives them, without the step's own. The value of `wait` and `approve`,
    /// which act on no resource, is an option too: `{"for": "10s"}`, `{"ask": "…"}`.
    pub call: Value,
    /// Its deadline. `None`: the phase's, or the default.
    pub within: Option<Duration>,
    /// Steps of the same phase, by id or `verb:resource`, that it waits for.
    pub after: Vec<String>,
    /// In which runs it happens. `None`: in all.
    pub when: Option<Urgency>,
    /// Whether its failure is only noted.
    pub optional: bool,
    /// Where it stands.
    pub place: Place,
    /// Where each of its keys stands, by JSON pointer.
    pub places: BTreeMap<String, Place>,
}

impl Step {
    /// Where one of its parts stands, by JSON pointer; else where the nearest thing around it stands.
    pub fn place(&self, pointer: &str) -> Place {
        if pointer.is_empty() { self.place } else { nearest(&self.places, pointer) }
    }

    /// The last part of its [`crate::StepId`]: its id, or `verb:resource`.
    pub fn local_id(&self) -> String {
        match (&self.id, &self.resource) {
            (Some(id), _) => id.clone(),
            (None, Some(resource)) => format!("{}:{resource}", self.verb),
            (None, None) => self.verb.clone(),
        }
    }
}
