//! What may start, and how long it may take.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::Drive;
use crate::engine::attempt;
use crate::engine::schedule::{Index, may_be_tried};
use crate::event::{Event, Status};
use crate::ids::StepId;
use crate::resource::{Class, Cx, Progress};
use crate::runbook::ScriptStep;

/// How many times its share of time a step may take once there is no way back.
const PATIENCE_PAST_NO_RETURN: u32 = 3;

impl Drive {
    /// Whether new steps may start. Past the point of no return the others go on beside a broken one.
    pub(super) fn may_start(&self) -> bool {
        let forward =
            self.state.turned_back.is_none() && self.state.abort.is_none() && !self.is_all_done_already();
        let promoting = self.state.fence_broken.is_some() && self.is_left_to_promote();
        let sound = self.broken.is_none() || (self.crossed && !promoting);
        forward && sound && !self.is_interrupted()
    }

    /// Whether a promotion is still to come. After the last one a broken fence stops nothing any more: callers who stay
    /// with a side that takes writes again are worse off than those who are moved.
    pub(super) fn is_left_to_promote(&self) -> bool {
        self.state.in_order().any(|(step, state)| {
            step.class == Class::PointOfNoReturn
                && !matches!(state.status, Status::Succeeded | Status::Skipped)
        })
    }

    pub(super) fn is_at_rest(&self) -> bool {
        self.busy.is_empty() && (self.due.is_empty() || !self.may_start())
    }

    /// Every store that was to be promoted had been already.
    pub(super) fn is_all_done_already(&self) -> bool {
        !self.already_done.is_empty()
            && self
                .runbook
                .script()
                .steps
                .iter()
                .filter(|step| step.verb == "check-roles")
                .all(|step| self.already_done.contains(&step.id))
    }

    /// Starts everything that may start. Returns the events of steps that are left out instead.
    pub(super) fn launch(&mut self) -> Vec<Event> {
        let mut skipped = Vec::new();
        while self.may_start() {
            let Some(at) = self.schedule.take_ready() else { break };
            let id = self.schedule.id(at).clone();
            let Some((step, state)) = self.state.script_step(&id).zip(self.state.steps.get(&id)) else {
                continue;
            };
            if !may_be_tried(state.status) {
                continue;
            }
            if step.when.is_some_and(|when| when != self.state.urgency) {
                skipped
                    .push(Event::Skipped { step: id, why: format!("only in {} runs", urgency_word(step)) });
                continue;
            }
            if let (Class::Read, Some(effect)) = (step.class, self.behind_effect.get(&at)) {
                skipped.push(Event::NotExercised { step: id, why: format!("a dry run does not {effect}") });
                continue;
            }
            let attempt = state.attempts.saturating_add(1);
            let Some(action) = self.runbook.action(&id).map(Arc::clone) else { continue };
            let cx = self.cx(at, &id, attempt);
            self.busy.insert(at);
            self.flights.push(attempt::prepare(at, attempt, action, cx));
        }
        skipped
    }

    /// The context of an attempt, with its deadline: a step's share of time is for all its attempts together, and
    /// three times that once there is no way back and the run needs it; one attempt never gets more than the share.
    pub(super) fn cx(&mut self, at: Index, id: &StepId, attempt: u32) -> Cx {
        let now = Instant::now();
        let (within, optional) =
            self.state.script_step(id).map_or((Duration::ZERO, false), |step| (step.within, step.optional));
        let patience = if self.crossed && !optional { PATIENCE_PAST_NO_RETURN } else { 1 };
        let total = within.saturating_mul(patience);
        let first = *self.first_tried.entry(at).or_insert(now);
        let mut deadline = (first + total).min(now + within);
        if let Some(lease) = self.journal.lease_left() {
            deadline = deadline.min(now + lease);
        }
        let sender = self.progress.0.clone();
        let step = id.clone();
        let mut cx = Cx::new(self.state.began.run.clone(), id.clone(), Duration::ZERO);
        cx.deadline = deadline;
        cx.cancel = self.cancel.1.clone();
        cx.epoch = self.epoch;
        cx.attempt = attempt;
        cx.may_have_acted = self.state.steps.get(id).is_some_and(|state| state.may_have_acted);
        cx.urgency = self.state.urgency;
        cx.clock = self.env.clock();
        cx.earlier = self.earlier.clone();
        cx.overrides = Arc::clone(&self.overrides);
        cx.progress = Progress::to(move |text| {
            // A closed channel means that the drive is over: nobody is left to hear it.
            let _ = sender.send((step.clone(), text.to_owned()));
        });
        cx
    }

    pub(super) fn observe_all(&mut self, when: &'static str) {
        if !self.state.began.mode.is_live() {
            return;
        }
        let watched: Vec<_> = self
            .runbook
            .resources()
            .iter()
            .filter(|(_, resource)| !resource.watches().is_empty())
            .map(|(name, resource)| (name.clone(), resource.clone()))
            .collect();
        for (name, resource) in watched {
            let mut cx = Cx::new(
                self.state.began.run.clone(),
                StepId::new(format!("{when}/{name}")),
                attempt::OBSERVE_WITHIN,
            );
            cx.clock = self.env.clock();
            cx.urgency = self.state.urgency;
            self.flights.push(attempt::observe(when, name, resource, cx));
        }
    }
}

fn urgency_word(step: &ScriptStep) -> &'static str {
    match step.when {
        Some(crate::resource::Urgency::Planned) => "planned",
        Some(crate::resource::Urgency::Unplanned) | None => "unplanned",
    }
}
