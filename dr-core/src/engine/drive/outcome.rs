//! What came to rest becomes events: an attempt's end, a second look at a doubt, an undo's end.

use super::{Drive, is_never_left_out, says_already_done};
use crate::engine::attempt;
use crate::engine::attempt::{Flight, Rested};
use crate::engine::retry::pause_after;
use crate::engine::schedule::Index;
use crate::error::{Error, ErrorKind, Happened};
use crate::event::{Event, Found};
use crate::ids::StepId;
use crate::journal::{Durability, JournalError};
use crate::plan::OnFailure;
use crate::resource::{Applied, Before, Class, Prepared, Standing};
use std::sync::Arc;
use tokio::time::Instant;

impl Drive {
    /// What came to rest becomes events; what follows on an intent starts when the intent is durable.
    pub(super) async fn came_to_rest(&mut self, batch: Vec<Rested>) -> Result<(), JournalError> {
        let mut events = Vec::new();
        let mut follow: Vec<Flight> = Vec::new();
        for rested in batch {
            match rested {
                Rested::Prepared { at, attempt, result } => {
                    self.prepared(at, attempt, result, &mut events, &mut follow)
                }
                Rested::Applied { at, attempt, result: Ok(applied) } => {
                    self.applied(at, attempt, applied, &mut events)
                }
                Rested::Applied { at, attempt, result: Err(error) } => {
                    self.failed(at, attempt, &error, &mut events, &mut follow);
                }
                Rested::Settled { at, found } => self.settled(at, found, &mut events, &mut follow),
                Rested::Undone { at, result } => self.undone(at, result, &mut events),
                Rested::Observed { when, resource, seen, why } => {
                    if when == "after" {
                        self.seen_after.insert(resource.clone(), seen.clone());
                    }
                    events.push(Event::Observed { when: when.to_owned(), resource, seen, why });
                }
            }
        }
        let how = if follow.is_empty() { Durability::Lazy } else { Durability::Barrier };
        self.record(events, how).await?;
        self.flights.extend(follow);
        Ok(())
    }

    pub(super) fn prepared(
        &mut self,
        at: Index,
        attempt: u32,
        result: crate::Result<Prepared>,
        events: &mut Vec<Event>,
        follow: &mut Vec<Flight>,
    ) {
        let id = self.schedule.id(at).clone();
        let class = self.class(&id);
        let heard_out = self.may_hear_out(&id) && result.as_ref().is_ok_and(Prepared::is_already);
        if !self.may_start() && !heard_out {
            // While it was looked at the run was told to stop, or broke: nothing of it is begun.
            self.busy.remove(&at);
            self.schedule.put_back(at);
            return;
        }
        let prepared = match result.and_then(|prepared| self.acceptable(&id, class, prepared)) {
            Ok(prepared) => prepared,
            Err(error) => return self.failed(at, attempt, &error, events, follow),
        };
        if !self.state.began.mode.is_live() && class != Class::Read {
            self.busy.remove(&at);
            events.push(Event::Previewed { step: id, prepared });
            return;
        }
        let Some(action) = self.runbook.action(&id).map(Arc::clone) else { return };
        let found = self.state.steps.get(&id).map(|state| state.found_before(&prepared).before);
        let before = found.unwrap_or_else(|| prepared.before.clone());
        let was = Prepared { standing: prepared.standing.clone(), before };
        events.push(Event::Started { step: id.clone(), attempt, was: prepared });
        let cx = self.cx(at, &id, attempt);
        follow.push(attempt::apply(at, attempt, action, cx, was));
    }

    /// What could not be read cannot be put back, and a step that a person called done has to be.
    pub(super) fn acceptable(
        &self,
        id: &StepId,
        class: Class,
        prepared: Prepared,
    ) -> crate::Result<Prepared> {
        if self.state.said_done.contains(id) && !prepared.is_already() {
            return Err(Error::refused("it was said to be done, and the world says otherwise"));
        }
        match (&prepared.standing, class) {
            (Standing::Unknown { why }, Class::Reversible) => {
                Err(Error::new(ErrorKind::NotReady, format!("what is there could not be read: {why}"))
                    .not_happened())
            }
            (Standing::Already | Standing::Would { .. } | Standing::Unknown { .. }, _) => Ok(prepared),
        }
    }

    pub(super) fn applied(&mut self, at: Index, attempt: u32, applied: Applied, events: &mut Vec<Event>) {
        self.busy.remove(&at);
        let id = self.schedule.id(at).clone();
        if says_already_done(&applied) {
            self.already_done.insert(id.clone());
        }
        events.push(Event::Succeeded { step: id, attempt, applied });
    }

    pub(super) fn failed(
        &mut self,
        at: Index,
        attempt: u32,
        error: &Error,
        events: &mut Vec<Event>,
        follow: &mut Vec<Flight>,
    ) {
        let id = self.schedule.id(at).clone();
        let mut failure = error.to_failure();
        if self.class(&id) == Class::Read {
            failure.happened = Happened::No;
        }
        if let Some(effect) = self.behind_effect.get(&at).filter(|_| error.kind() == ErrorKind::NotReady) {
            // In a dry run what it waits for was not done, and no patience brings it about.
            self.busy.remove(&at);
            events.push(Event::NotExercised { step: id, why: format!("a dry run does not {effect}") });
            return;
        }
        let left = self.cx(at, &id, attempt).left();
        let pause = pause_after(error, attempt, &self.env).filter(|pause| *pause < left);
        if let Some(pause) = pause {
            self.busy.remove(&at);
            self.due.insert((Instant::now() + pause, at));
            events.push(Event::Failed { step: id, attempt, failure, retry_in: Some(pause) });
            return;
        }
        let in_doubt = failure.happened == Happened::Maybe;
        let text = failure.text.clone();
        events.push(Event::Failed { step: id.clone(), attempt, failure, retry_in: None });
        if !in_doubt {
            return self.give_up(at, &id, &text, events);
        }
        // It may have acted: the world is read again before anything else is decided.
        let Some(action) = self.runbook.action(&id).map(Arc::clone) else { return };
        self.first_tried.remove(&at);
        let cx = self.cx(at, &id, attempt);
        let cancel = self.may_cancel(&id).then(|| self.before_of(&id)).flatten();
        follow.push(attempt::settle(at, action, cx, cancel, self.env.clone()));
    }

    /// Whether a point of no return that failed is to be cancelled: in a run that goes back where it can, as long as
    /// nothing else has crossed one.
    pub(super) fn may_cancel(&self, id: &StepId) -> bool {
        self.class(id) == Class::PointOfNoReturn
            && self.state.began.on_failure == OnFailure::Undo
            && self.state.crossed().all(|crossed| crossed == id)
    }

    /// Whether a step is tried although a person ended the run: a point of no return that has happened, to hear what it left.
    fn may_hear_out(&self, id: &StepId) -> bool {
        self.state.abort.is_some()
            && self.state.turned_back.is_none()
            && !self.is_interrupted()
            && self.state.crossed().any(|crossed| crossed == id)
    }

    /// What was there before a step's first attempt.
    pub(super) fn before_of(&self, id: &StepId) -> Option<Before> {
        self.state.steps.get(id)?.was.as_ref().map(|was| was.before.clone())
    }

    pub(super) fn settled(
        &mut self,
        at: Index,
        found: Found,
        events: &mut Vec<Event>,
        follow: &mut Vec<Flight>,
    ) {
        let id = self.schedule.id(at).clone();
        events.push(Event::Settled { step: id.clone(), found });
        if found == Found::Done {
            // Tried once more, which changes nothing and says what it left.
            if self.may_hear_out(&id)
                && let Some(action) = self.runbook.action(&id).map(Arc::clone)
            {
                let attempt = self.state.steps.get(&id).map_or(1, |state| state.attempts.saturating_add(1));
                follow.push(attempt::prepare(at, attempt, action, self.cx(at, &id, attempt)));
                return;
            }
            self.busy.remove(&at);
            self.schedule.put_back(at);
            return;
        }
        let failure = self.state.steps.get(&id).and_then(|state| state.failure.as_ref());
        let text = failure.map_or("it failed".to_owned(), |failure| failure.text.clone());
        self.give_up(at, &id, &text, events);
    }

    /// A step has failed for good.
    pub(super) fn give_up(&mut self, at: Index, id: &StepId, text: &str, events: &mut Vec<Event>) {
        self.busy.remove(&at);
        let step = self.state.script_step(id);
        let overridden =
            self.state.began.overrides.iter().find(|entry| {
                entry.gate == id.as_str() || id.as_str().ends_with(&format!("/{}", entry.gate))
            });
        match (step, overridden) {
            (Some(step), _) if step.optional && !is_never_left_out(step) => {
                events.push(Event::Skipped {
                    step: id.clone(),
                    why: format!("optional, and it failed: {text}"),
                });
            }
            (Some(step), Some(entry)) if step.class == Class::Read && !is_never_left_out(step) => {
                let why = format!("overridden ({}): {text}", entry.reason);
                events.push(Event::Skipped { step: id.clone(), why });
            }
            (Some(_) | None, _) if !self.state.began.mode.is_live() => {
                // A dry run goes on, to find everything else that is wrong.
                self.dry_failures.push(format!("{id}: {text}"));
                self.schedule.is_over(at);
            }
            (Some(_) | None, _) => {
                self.broken.get_or_insert_with(|| format!("step {id} failed: {text}"));
            }
        }
    }

    pub(super) fn undone(&mut self, at: Index, result: crate::Result<()>, events: &mut Vec<Event>) {
        self.busy.remove(&at);
        let step = self.schedule.id(at).clone();
        events.push(match result {
            Ok(()) => Event::Undone { step },
            Err(error) => Event::UndoFailed { step, failure: error.to_failure() },
        });
    }
}
