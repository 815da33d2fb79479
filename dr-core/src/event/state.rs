//! The state of a run: what its events say when they are folded, and nothing else.
//!
//! What follows on what is `step`'s; everything here is derived.

use std::collections::{BTreeMap, BTreeSet};
use thiserror::Error;

use super::began::{Actor, Began, Mode};
use super::ending::{Debt, Ending, Suspension};
use super::entry::{Entry, Seq};
use super::kinds::{Event, OutageSeen, Request};
use super::steady::Steady;
use super::step::{Edge, Status, StepState};
use crate::ids::StepId;
use crate::measure::Measurement;
use crate::resource::{Class, Standing, Urgency};
use crate::runbook::ScriptStep;
use crate::time::Timestamp;

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
    steady: Steady,
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
        let mut steady = Steady::default();
        steady.of(entry);
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
            steady,
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
        let at = self.steady.of(entry);
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
                state.started.get_or_insert(at);
                let is_first = state.was.is_none();
                state.was = Some(state.found_before(was));
                if is_first {
                    self.intents.push(step.clone());
                }
            }
            Event::Succeeded { step, applied, .. } => {
                let state = self.take(entry, step, Edge::Succeed)?;
                state.applied = Some(applied.clone());
                state.over = Some(at);
                state.progress = None;
            }
            Event::Failed { step, attempt, failure, retry_in } => {
                let edge = Edge::Fail { again: retry_in.is_some(), happened: failure.happened };
                let state = self.take(entry, step, edge)?;
                state.attempts = *attempt;
                state.failure = Some(failure.clone());
                if retry_in.is_none() {
                    state.over = Some(at);
                }
            }
            Event::Settled { step, found } => {
                self.take(entry, step, Edge::Settle(*found))?;
            }
            Event::Skipped { step, why } | Event::NotExercised { step, why } => {
                let state = self.take(entry, step, Edge::Skip)?;
                state.skipped = Some(why.clone());
                state.over = Some(at);
            }
            Event::Previewed { step, prepared } => {
                let state = self.take(entry, step, Edge::Preview)?;
                state.was = Some(prepared.clone());
                state.over = Some(at);
            }
            Event::TurnedBack { why } => {
                self.turned_back.get_or_insert_with(|| why.clone());
            }
            Event::UndoStarted { step } => {
                self.take(entry, step, Edge::StartUndo)?;
            }
            Event::Undone { step } => {
                self.take(entry, step, Edge::Undo)?.over = Some(at);
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
    /// promotion succeeded or was found done; of the same resource, if that is promoted at all.
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
                && self
                    .steps
                    .get(id)
                    .is_some_and(|state| state.status == Status::Succeeded || state.found_done)
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
