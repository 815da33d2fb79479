//! The state of a run: what its events say when they are folded, and nothing else.
//!
//! One function decides the next state of a step from its state and what happened; everything else is derived.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::Serialize;
use thiserror::Error;

use super::began::{Actor, Began, Mode};
use super::ending::{Debt, Ending, Suspension};
use super::entry::{Entry, Seq};
use super::kinds::{Event, Found, OutageSeen, Request};
use crate::error::{Failure, Happened};
use crate::ids::StepId;
use crate::measure::Measurement;
use crate::resource::{Applied, Class, Prepared, Standing, Urgency};
use crate::runbook::ScriptStep;
use crate::time::Timestamp;

/// Where a step stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Nothing was done.
    Pending,
    /// Its intent is durable; nothing more is known.
    Started,
    /// An attempt failed; another follows.
    Retrying,
    /// It failed for good and may have acted.
    InDoubt,
    /// It is so.
    Succeeded,
    /// It failed for good, and its last attempt did nothing.
    Failed,
    /// Left out.
    Skipped,
    /// A dry run has looked at it.
    Previewed,
    /// It is being put back.
    Undoing,
    /// What was before is there again.
    Undone,
    /// It could not be put back.
    UndoFailed,
}

impl Status {
    /// Whether steps that wait for this one may start.
    pub fn is_over(self) -> bool {
        match self {
            Self::Succeeded | Self::Skipped | Self::Previewed => true,
            Self::Pending
            | Self::Started
            | Self::Retrying
            | Self::InDoubt
            | Self::Failed
            | Self::Undoing
            | Self::Undone
            | Self::UndoFailed => false,
        }
    }

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Started => "started",
            Self::Retrying => "retrying",
            Self::InDoubt => "in doubt",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
            Self::Previewed => "previewed",
            Self::Undoing => "undoing",
            Self::Undone => "undone",
            Self::UndoFailed => "undo failed",
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What can happen to a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Edge {
    Start,
    Succeed,
    Fail { again: bool, happened: Happened },
    Settle(Found),
    Skip,
    Preview,
    StartUndo,
    Undo,
    FailUndo,
}

fn next(status: Status, edge: Edge) -> Option<Status> {
    use Status::{
        Failed, InDoubt, Pending, Previewed, Retrying, Skipped, Started, Succeeded, UndoFailed, Undoing,
        Undone,
    };
    match (edge, status) {
        (Edge::Start, Pending | Retrying | Started | Failed | InDoubt) => Some(Started),
        (Edge::Succeed, Started) => Some(Succeeded),
        (Edge::Fail { again: true, .. }, Pending) => Some(Pending),
        (Edge::Fail { again: true, .. }, Started | Retrying | Failed | InDoubt) => Some(Retrying),
        (Edge::Fail { again: false, happened: Happened::No }, Pending | Started | Retrying | Failed) => {
            Some(Failed)
        }
        (Edge::Fail { again: false, happened: Happened::Maybe }, Pending | Started | Retrying) => {
            Some(InDoubt)
        }
        // It could not even be looked at again: what was in doubt stays so.
        (Edge::Fail { again: false, .. }, InDoubt) => Some(InDoubt),
        (Edge::Settle(Found::Done), Started | Retrying | InDoubt) => Some(Retrying),
        (Edge::Settle(Found::NotDone | Found::Cancelled), Started | Retrying | InDoubt) => Some(Failed),
        (Edge::Settle(Found::Unknown), Started | Retrying | InDoubt) => Some(InDoubt),
        (Edge::Skip, Pending | Started | Retrying | Failed | InDoubt) => Some(Skipped),
        (Edge::Preview, Pending) => Some(Previewed),
        // An optional step that failed is skipped, and may have acted all the same.
        (
            Edge::StartUndo,
            Started | Retrying | InDoubt | Succeeded | Failed | Skipped | Undoing | UndoFailed,
        ) => Some(Undoing),
        (Edge::Undo, Undoing) => Some(Undone),
        (Edge::FailUndo, Undoing) => Some(UndoFailed),
        (
            Edge::Start
            | Edge::Succeed
            | Edge::Fail { .. }
            | Edge::Settle(_)
            | Edge::Skip
            | Edge::Preview
            | Edge::StartUndo
            | Edge::Undo
            | Edge::FailUndo,
            _,
        ) => None,
    }
}

/// What is known of one step.
#[derive(Debug, Clone, PartialEq)]
pub struct StepState {
    /// Where it stands.
    pub status: Status,
    /// How many attempts were begun.
    pub attempts: u32,
    /// What the first attempt found. Kept for ever: it is what undo puts back.
    pub was: Option<Prepared>,
    /// What it left.
    pub applied: Option<Applied>,
    /// Why its last attempt failed.
    pub failure: Option<Failure>,
    /// Why it was skipped.
    pub skipped: Option<String>,
    /// Whether an effect of it may be in the world.
    pub may_have_acted: bool,
    /// When its first attempt began.
    pub started: Option<Timestamp>,
    /// When it was over.
    pub over: Option<Timestamp>,
    /// What it last said it waits for.
    pub progress: Option<String>,
    doubt_before: bool,
}

impl StepState {
    fn new() -> Self {
        Self {
            status: Status::Pending,
            attempts: 0,
            was: None,
            applied: None,
            failure: None,
            skipped: None,
            may_have_acted: false,
            started: None,
            over: None,
            progress: None,
            doubt_before: false,
        }
    }

    /// Whether the first attempt found that there was nothing to do.
    pub fn was_already(&self) -> bool {
        self.was.as_ref().is_some_and(Prepared::is_already)
    }

    fn take(&mut self, edge: Edge) -> Result<(), Status> {
        let was = self.status;
        self.status = next(was, edge).ok_or(was)?;
        match edge {
            Edge::Start => {
                self.doubt_before = self.may_have_acted;
                self.may_have_acted = true;
            }
            // The proof is about this attempt. A failure before its intent proves nothing of an earlier one.
            Edge::Fail { happened: Happened::No, .. } if was == Status::Started => {
                self.may_have_acted = self.doubt_before;
            }
            Edge::Undo | Edge::Settle(Found::Cancelled) => self.may_have_acted = false,
            Edge::Fail { .. }
            | Edge::Succeed
            | Edge::Settle(Found::Done | Found::NotDone | Found::Unknown)
            | Edge::Skip
            | Edge::Preview
            | Edge::StartUndo
            | Edge::FailUndo => {}
        }
        Ok(())
    }
}

/// An event that cannot follow on those before it.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("event {seq} cannot follow: {why}")]
pub struct Illegal {
    /// The event's number.
    pub seq: Seq,
    /// Why.
    pub why: String,
}

/// The state of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct RunState {
    /// The last event's number.
    pub seq: Seq,
    /// The last ownership's number.
    pub epoch: u64,
    /// The first event's content.
    pub began: Began,
    /// When it began.
    pub began_at: Timestamp,
    /// When the last event happened.
    pub last_at: Timestamp,
    /// Whether the run insists on losing nothing: from the first event, or changed since by request.
    pub urgency: Urgency,
    /// Each step of the script.
    pub steps: BTreeMap<StepId, StepState>,
    /// The steps whose intents are durable, in the order of their first intents.
    pub intents: Vec<StepId>,
    /// Why the run turned back, if it did.
    pub turned_back: Option<String>,
    /// Who asked for the run to be ended, and why.
    pub abort: Option<(Actor, String)>,
    /// Which approvals were given, by whom.
    pub approvals: BTreeMap<StepId, Actor>,
    /// Which steps somebody said to be done: they are looked at, and never carried out.
    pub said_done: BTreeSet<StepId>,
    /// What is owed.
    pub debts: Vec<Debt>,
    /// What was measured.
    pub measurement: Option<Measurement>,
    /// Changes that the probers saw.
    pub outages: Vec<OutageSeen>,
    /// What was seen of a fence that did not hold.
    pub fence_broken: Option<String>,
    /// Why the last drive stopped, until the next one begins.
    pub suspended: Option<(Suspension, String)>,
    /// How the run ended.
    pub ended: Option<(Ending, String)>,
    edges: BTreeMap<StepId, usize>,
}

impl RunState {
    /// From a run's first event.
    ///
    /// # Errors
    /// If it is not one.
    pub fn begin(entry: &Entry) -> Result<Self, Illegal> {
        let illegal = |why: &str| Illegal { seq: entry.seq, why: why.to_owned() };
        let Event::Began(began) = &entry.event else {
            return Err(illegal("a run's first event is its beginning"));
        };
        if entry.seq != 1 {
            return Err(illegal("a run's first event has the number 1"));
        }
        let steps: BTreeMap<_, _> =
            began.script.steps.iter().map(|step| (step.id.clone(), StepState::new())).collect();
        if steps.len() != began.script.steps.len() {
            return Err(illegal("two steps have one name"));
        }
        Ok(Self {
            seq: 1,
            epoch: entry.epoch,
            began: (**began).clone(),
            began_at: entry.at,
            last_at: entry.at,
            urgency: began.urgency,
            steps,
            intents: Vec::new(),
            turned_back: None,
            abort: None,
            approvals: BTreeMap::new(),
            said_done: BTreeSet::new(),
            debts: Vec::new(),
            measurement: None,
            outages: Vec::new(),
            fence_broken: None,
            suspended: None,
            ended: None,
            edges: began
                .script
                .steps
                .iter()
                .enumerate()
                .map(|(index, step)| (step.id.clone(), index))
                .collect(),
        })
    }

    /// From all of a run's events; `None` if there are none.
    ///
    /// # Errors
    /// At the first event that cannot follow.
    pub fn replay<'a>(entries: impl IntoIterator<Item = &'a Entry>) -> Result<Option<Self>, Illegal> {
        let mut entries = entries.into_iter();
        let Some(first) = entries.next() else { return Ok(None) };
        let mut state = Self::begin(first)?;
        for entry in entries {
            state.fold(entry)?;
        }
        Ok(Some(state))
    }

    /// Takes the next event.
    ///
    /// # Errors
    /// If it cannot follow; the state is then not to be used any more.
    pub fn fold(&mut self, entry: &Entry) -> Result<(), Illegal> {
        let illegal = |why: String| Illegal { seq: entry.seq, why };
        if entry.seq != self.seq + 1 {
            return Err(illegal(format!("its number does not follow on {}", self.seq)));
        }
        if self.ended.is_some() {
            return Err(illegal("the run has ended".to_owned()));
        }
        if entry.epoch < self.epoch {
            return Err(illegal(format!("ownership {} is older than {}", entry.epoch, self.epoch)));
        }
        self.seq = entry.seq;
        self.epoch = entry.epoch;
        self.last_at = entry.at;
        match &entry.event {
            Event::Began(_) => return Err(illegal("a run begins once".to_owned())),
            Event::Driven { .. } => {
                self.suspended = None;
                // What an earlier drive left in flight may have acted, whatever is proved of an attempt from now on.
                for state in self.steps.values_mut() {
                    state.doubt_before = state.may_have_acted;
                }
            }
            Event::Started { step, attempt, was } => {
                let state = self.take(entry, step, Edge::Start)?;
                state.attempts = *attempt;
                state.started.get_or_insert(entry.at);
                if state.was.is_none() {
                    state.was = Some(was.clone());
                    self.intents.push(step.clone());
                }
            }
            Event::Succeeded { step, applied, .. } => {
                let state = self.take(entry, step, Edge::Succeed)?;
                state.applied = Some(applied.clone());
                state.over = Some(entry.at);
                state.progress = None;
            }
            Event::Failed { step, attempt, failure, retry_in } => {
                let edge = Edge::Fail { again: retry_in.is_some(), happened: failure.happened };
                let state = self.take(entry, step, edge)?;
                state.attempts = *attempt;
                state.failure = Some(failure.clone());
                if retry_in.is_none() {
                    state.over = Some(entry.at);
                }
            }
            Event::Settled { step, found } => {
                self.take(entry, step, Edge::Settle(*found))?;
            }
            Event::Skipped { step, why } | Event::NotExercised { step, why } => {
                let state = self.take(entry, step, Edge::Skip)?;
                state.skipped = Some(why.clone());
                state.over = Some(entry.at);
            }
            Event::Previewed { step, prepared } => {
                let state = self.take(entry, step, Edge::Preview)?;
                state.was = Some(prepared.clone());
                state.over = Some(entry.at);
            }
            Event::TurnedBack { why } => {
                self.turned_back.get_or_insert_with(|| why.clone());
            }
            Event::UndoStarted { step } => {
                self.take(entry, step, Edge::StartUndo)?;
            }
            Event::Undone { step } => {
                self.take(entry, step, Edge::Undo)?.over = Some(entry.at);
            }
            Event::UndoFailed { step, failure } => {
                self.take(entry, step, Edge::FailUndo)?.failure = Some(failure.clone());
            }
            Event::Progress { step, text } => {
                if let Some(state) = self.steps.get_mut(step) {
                    state.progress = Some(text.clone());
                }
            }
            Event::Requested { request, actor, reason } => self.request(request, actor, reason),
            Event::Outage(seen) => self.outages.push(seen.clone()),
            Event::FenceBroken { why } => {
                self.fence_broken.get_or_insert_with(|| why.clone());
            }
            Event::Measured { measurement } => self.measurement = Some((**measurement).clone()),
            Event::DebtOpened(debt) => self.debts.push(debt.clone()),
            Event::DebtPaid(debt) => {
                self.debts.retain(|open| {
                    (open.kind, &open.resource, &open.side) != (debt.kind, &debt.resource, &debt.side)
                });
            }
            Event::Suspended { why, text } => self.suspended = Some((*why, text.clone())),
            Event::Ended { ending, text, .. } => self.ended = Some((*ending, text.clone())),
            Event::Observed { .. } | Event::Samples { .. } | Event::Unknown => {}
        }
        Ok(())
    }

    fn take(&mut self, entry: &Entry, step: &StepId, edge: Edge) -> Result<&mut StepState, Illegal> {
        let illegal = |why: String| Illegal { seq: entry.seq, why };
        let state =
            self.steps.get_mut(step).ok_or_else(|| illegal(format!("the script has no step {step}")))?;
        state
            .take(edge)
            .map_err(|status| illegal(format!("{edge:?} cannot happen to step {step}, which is {status}")))?;
        Ok(state)
    }

    fn request(&mut self, request: &Request, actor: &Actor, reason: &str) {
        match request {
            Request::Approve { step, .. } => {
                self.approvals.entry(step.clone()).or_insert_with(|| actor.clone());
            }
            Request::Abort => {
                self.abort.get_or_insert_with(|| (actor.clone(), reason.to_owned()));
            }
            Request::GoUnplanned => self.urgency = Urgency::Unplanned,
            Request::Done { step } => {
                self.said_done.insert(step.clone());
            }
            // It becomes an event of its own when the engine has looked at the step.
            Request::Skip { .. } => {}
        }
    }

    /// The step as the script has it.
    pub fn script_step(&self, step: &StepId) -> Option<&ScriptStep> {
        self.edges.get(step).and_then(|index| self.began.script.steps.get(*index))
    }

    /// The steps with what is known of them, in the script's order.
    pub fn in_order(&self) -> impl Iterator<Item = (&ScriptStep, &StepState)> {
        self.began.script.steps.iter().filter_map(|step| self.steps.get(&step.id).map(|state| (step, state)))
    }

    /// The points of no return whose effect is, or may be, in the world.
    pub fn crossed(&self) -> impl Iterator<Item = &StepId> {
        self.intents.iter().filter(|step| {
            self.script_step(step).is_some_and(|step| step.class == Class::PointOfNoReturn)
                && self.steps.get(*step).is_some_and(|state| state.may_have_acted)
        })
    }

    /// Whether going back is not allowed any more.
    pub fn is_past_no_return(&self) -> bool {
        self.crossed().next().is_some()
    }

    /// Whether something other than reading may have been done and is still there.
    pub fn has_touched(&self) -> bool {
        self.to_undo().next().is_some()
    }

    /// The steps whose effects may be in the world, last intent first.
    pub fn to_undo(&self) -> impl Iterator<Item = &StepId> {
        self.intents.iter().rev().filter(|step| {
            self.script_step(step).is_some_and(|step| step.class != Class::Read)
                && self.steps.get(*step).is_some_and(|state| state.may_have_acted && !state.was_already())
        })
    }

    /// Since when nobody can write something by this run's act: the first fence that may hold, and on which no
    /// promotion succeeded; of the same resource, if that is promoted at all.
    pub fn nobody_can_write_since(&self) -> Option<Timestamp> {
        if self.began.mode == Mode::Guard {
            return None;
        }
        self.intents
            .iter()
            .enumerate()
            .filter_map(|(place, id)| Some((place, self.script_step(id)?, self.steps.get(id)?)))
            .filter(|(_, step, state)| step.class == Class::Fence && state.may_have_acted)
            .find(|(place, fence, _)| !self.is_writable_again(*place, fence))
            .and_then(|(_, _, state)| state.started)
    }

    fn is_writable_again(&self, fenced: usize, fence: &ScriptStep) -> bool {
        let opens = |step: &ScriptStep| step.class == Class::PointOfNoReturn;
        let of_it = |step: &ScriptStep| step.resource == fence.resource;
        let itself = self.began.script.steps.iter().any(|step| opens(step) && of_it(step));
        self.intents.iter().skip(fenced).any(|id| {
            self.script_step(id).is_some_and(|step| opens(step) && (!itself || of_it(step)))
                && self.steps.get(id).is_some_and(|state| state.status == Status::Succeeded)
        })
    }

    /// Whether the script makes something writable.
    pub fn is_to_promote(&self) -> bool {
        self.began.script.steps.iter().any(|step| step.class == Class::PointOfNoReturn)
    }

    /// Whether every effect of the run found that there was nothing to do.
    pub fn found_nothing_to_do(&self) -> bool {
        let mut effects = self.in_order().filter(|(step, _)| step.class != Class::Read).peekable();
        effects.peek().is_some()
            && effects.all(|(_, state)| {
                (state.status == Status::Skipped && state.failure.is_none())
                    || state.was.as_ref().is_some_and(|was| was.standing == Standing::Already)
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATUSES: [Status; 11] = [
        Status::Pending,
        Status::Started,
        Status::Retrying,
        Status::InDoubt,
        Status::Succeeded,
        Status::Failed,
        Status::Skipped,
        Status::Previewed,
        Status::Undoing,
        Status::Undone,
        Status::UndoFailed,
    ];

    #[test]
    fn nothing_succeeds_without_an_intent() {
        for status in STATUSES {
            assert_eq!(next(status, Edge::Succeed).is_some(), status == Status::Started, "{status}");
        }
    }

    #[test]
    fn nothing_starts_again_once_it_is_being_put_back() {
        for status in [Status::Undoing, Status::Undone, Status::UndoFailed, Status::Succeeded] {
            assert_eq!(next(status, Edge::Start), None, "{status}");
        }
    }

    #[test]
    fn a_failure_that_may_have_acted_leaves_a_doubt_that_a_later_proof_does_not_remove() {
        let mut step = StepState::new();
        step.take(Edge::Start).unwrap();
        step.take(Edge::Fail { again: true, happened: Happened::Maybe }).unwrap();
        step.take(Edge::Start).unwrap();
        step.take(Edge::Fail { again: false, happened: Happened::No }).unwrap();
        assert!(step.may_have_acted, "the first attempt may still have acted");
    }

    #[test]
    fn a_failed_look_proves_nothing_of_the_attempt_before_it() {
        let mut step = StepState::new();
        step.take(Edge::Start).unwrap();
        step.take(Edge::Fail { again: true, happened: Happened::Maybe }).unwrap();
        step.take(Edge::Fail { again: false, happened: Happened::No }).unwrap();
        assert!(step.may_have_acted, "the first attempt may still have acted");
    }
}
