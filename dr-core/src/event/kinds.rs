//! Everything that can happen in a run.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::began::{Actor, Began};
use super::ending::{Debt, Ending, Suspension};
use crate::error::Failure;
use crate::ids::{ResourceName, StepId};
use crate::resource::{Applied, Prepared, Seen};
use crate::time::{Timestamp, human_option};

/// What happened. A reader that meets a kind it does not know sees [`Event::Unknown`] and relays the line's bytes; a
/// driver refuses.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Event {
    /// A run begins. Always the first.
    Began(Box<Began>),
    /// A process drives the run from here on: the first one, a resume, a take-over.
    Driven {
        /// Who.
        actor: Actor,
        /// The ownership's number. Named apart from the entry's own `epoch`, beside which it is written.
        #[serde(rename = "ownership")]
        epoch: u64,
    },
    /// The intent, durable before the effect. A point of no return is crossed here. It stands before an effect that
    /// finds nothing to do as well: between reading and acting the world may move.
    Started {
        /// The step.
        step: StepId,
        /// From 1.
        attempt: u32,
        /// What was there. The first attempt's is kept for ever.
        was: Prepared,
    },
    /// It is so now, observed.
    Succeeded {
        /// The step.
        step: StepId,
        /// Which attempt.
        attempt: u32,
        /// What it left.
        applied: Applied,
    },
    /// An attempt failed. With `happened: maybe` the step is in doubt until it is settled.
    Failed {
        /// The step.
        step: StepId,
        /// Which attempt.
        attempt: u32,
        /// Why.
        failure: Failure,
        /// When the next attempt is due, from now; `None`: there is none.
        #[serde(default, with = "human_option", skip_serializing_if = "Option::is_none")]
        retry_in: Option<Duration>,
    },
    /// A step in doubt was looked at again.
    Settled {
        /// The step.
        step: StepId,
        /// What was found.
        found: Found,
    },
    /// It is not carried out in this run.
    Skipped {
        /// The step.
        step: StepId,
        /// Why: an optional step that failed, a planned step in an unplanned run, a person's word.
        why: String,
    },
    /// A dry run's finding about a step.
    Previewed {
        /// The step.
        step: StepId,
        /// What is and what would be.
        prepared: Prepared,
    },
    /// A gate that a dry run could not try, because an effect stands before it.
    NotExercised {
        /// The step.
        step: StepId,
        /// Which effect.
        why: String,
    },
    /// The run turns back: what was done is undone.
    TurnedBack {
        /// Why.
        why: String,
    },
    /// An undo's intent.
    UndoStarted {
        /// The step.
        step: StepId,
    },
    /// What was before is there again.
    Undone {
        /// The step.
        step: StepId,
    },
    /// It could not be put back.
    UndoFailed {
        /// The step.
        step: StepId,
        /// Why.
        failure: Failure,
    },
    /// What a step is waiting for. Not durable by itself.
    Progress {
        /// The step.
        step: StepId,
        /// In words.
        text: String,
    },
    /// Somebody asked something of the running run.
    Requested {
        /// What.
        request: Request,
        /// Who.
        actor: Actor,
        /// Why.
        reason: String,
    },
    /// A resource's state, for the evidence: before the first effect and after the last.
    Observed {
        /// `before` or `after`.
        when: String,
        /// The resource.
        resource: ResourceName,
        /// What was seen; `None` with a reason in `why` if it could not be read.
        seen: Vec<Seen>,
        /// Why something could not be read.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        why: Option<String>,
    },
    /// A side that counts as fenced acknowledged a write: nothing is promoted in this run any more.
    FenceBroken {
        /// What was seen.
        why: String,
    },
    /// A prober saw a change.
    Outage(OutageSeen),
    /// What was measured, at the end.
    Measured {
        /// The measurement, as `metrics.json` wants it.
        measurement: Box<crate::measure::Measurement>,
    },
    /// Something is owed.
    DebtOpened(Debt),
    /// Something owed was paid.
    DebtPaid(Debt),
    /// A sample file that belongs to this run, and its hash so far.
    Samples {
        /// Its name in the run's folder.
        file: String,
        /// SHA-256 of its bytes up to `bytes`.
        sha256: String,
        /// How many bytes.
        bytes: u64,
    },
    /// The drive ends, the run does not.
    Suspended {
        /// Why.
        why: Suspension,
        /// In words, with what to do.
        text: String,
    },
    /// The run ends. Always the last, and only once.
    Ended {
        /// How.
        ending: Ending,
        /// In words.
        text: String,
        /// Durations of the phases that ran, in seconds.
        timings: BTreeMap<String, f64>,
    },
    /// A kind that a later release added.
    #[serde(other)]
    Unknown,
}

/// What a second look at a step in doubt found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Found {
    /// It happened.
    Done,
    /// It did not happen. Whether it still can is another question: only undo proves that.
    NotDone,
    /// It did not happen and cannot happen any more: a point of no return that was cancelled with proof.
    Cancelled,
    /// It could not be learnt.
    Unknown,
}

/// What somebody may ask of a running run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "request", rename_all = "snake_case")]
pub enum Request {
    /// Let an approval step pass.
    Approve {
        /// The step.
        step: StepId,
        /// The plan's hash that the approver saw.
        plan_hash: String,
    },
    /// End the run: undo before the point of no return, stop after it.
    Abort,
    /// Go on without the source.
    GoUnplanned,
    /// Take a step as done; refused if the world says otherwise.
    Done {
        /// The step.
        step: StepId,
    },
    /// Leave a step out; never a fence or a proof.
    Skip {
        /// The step.
        step: StepId,
    },
}

/// A change that a prober saw.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outage", rename_all = "snake_case")]
pub enum OutageSeen {
    /// The first bad answer.
    Began {
        /// Which prober's resource.
        probe: ResourceName,
        /// When the unanswered question was due. Named apart from the entry's own `at`, beside which it is written.
        #[serde(rename = "due")]
        at: Timestamp,
        /// What was seen.
        why: String,
    },
    /// The first of enough good answers in a row.
    Ended {
        /// Which prober's resource.
        probe: ResourceName,
        /// When that question was due.
        #[serde(rename = "due")]
        at: Timestamp,
        /// Who answered.
        served_by: Option<crate::ids::Side>,
    },
}
