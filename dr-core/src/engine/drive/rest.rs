//! Nothing is in flight and nothing may start: turn back, hold, or come to the end.

use futures_util::StreamExt;

use super::{Drive, DriveEnd};
use crate::engine::{attempt, ending};
use crate::event::{Ending, Event, Status, Suspension};
use crate::ids::StepId;
use crate::journal::{Durability, JournalError};
use crate::plan::OnFailure;
use std::sync::Arc;

impl Drive {
    /// Nothing is in flight and nothing may start: turn back, hold, or come to the end.
    pub(super) async fn decide_at_rest(&mut self) -> Result<Option<(DriveEnd, String)>, JournalError> {
        if self.is_interrupted() {
            let text = "interrupted: the steps in flight were finished, nothing else was begun";
            return self.suspend(Suspension::Interrupted, text).await.map(Some);
        }
        if self.state.turned_back.is_some() {
            return self.go_back().await;
        }
        if let Some((actor, reason)) = self.state.abort.clone() {
            let mut why = format!("aborted by {actor}: {reason}");
            let unheard: Vec<StepId> =
                self.state.crossed().filter(|step| !self.has_succeeded(step)).cloned().collect();
            for doubt in &unheard {
                if self.look_into(doubt) {
                    return Ok(None);
                }
                if self.state.steps.get(doubt).is_some_and(|step| step.found_done) {
                    why = format!("{why}; {doubt} has happened, and what it left could not be learnt");
                    continue;
                }
                let told = format!(
                    "{why}; but {doubt} may still take effect: the claims stay until it is known, resume"
                );
                return self.suspend(Suspension::Held, &told).await.map(Some);
            }
            if self.crossed {
                let why = match self.state.nobody_can_write_since() {
                    Some(since) => format!("{why}; NOBODY CAN WRITE since {since}"),
                    None => why,
                };
                return self.end(Ending::Aborted, why).await.map(Some);
            }
            self.record(vec![Event::TurnedBack { why }], Durability::Barrier).await?;
            return Ok(None);
        }
        if let Some(why) = self.broken.clone() {
            return self.decide_broken(why).await;
        }
        if self.is_all_done_already() {
            let text = "the target is the primary already, and the source follows it".to_owned();
            return self.end(Ending::NothingToDo, text).await.map(Some);
        }
        if self.schedule.all_over() {
            return self.finish().await.map(Some);
        }
        self.suspend(Suspension::Held, "no step can start: each that is left waits for one that failed")
            .await
            .map(Some)
    }

    /// Looks once in each drive at a point of no return that an earlier drive left in doubt, in a run that a person ends:
    /// what did not happen is cancelled, what did is heard out. Without it no later drive could end the run.
    fn look_into(&mut self, doubt: &StepId) -> bool {
        let Some((at, action)) = self.schedule.index(doubt).zip(self.runbook.action(doubt).map(Arc::clone))
        else {
            return false;
        };
        if self.first_tried.contains_key(&at) {
            return false;
        }
        let attempt = self.state.steps.get(doubt).map_or(1, |state| state.attempts);
        let cx = self.cx(at, doubt, attempt);
        let cancel = self.before_of(doubt);
        self.busy.insert(at);
        self.flights.push(attempt::settle(at, action, cx, cancel, self.env.clone()));
        true
    }

    pub(super) async fn decide_broken(
        &mut self,
        why: String,
    ) -> Result<Option<(DriveEnd, String)>, JournalError> {
        if self.crossed {
            return self
                .suspend(
                    Suspension::Held,
                    &format!("{why}; past the point of no return nothing is rolled back"),
                )
                .await
                .map(Some);
        }
        if !self.state.has_touched() {
            return self.end(Ending::Refused, why).await.map(Some);
        }
        match self.state.began.on_failure {
            OnFailure::Hold => self.suspend(Suspension::Held, &why).await.map(Some),
            OnFailure::Undo => {
                self.record(vec![Event::TurnedBack { why }], Durability::Barrier).await?;
                Ok(None)
            }
        }
    }

    /// Undoes the last intent that is not undone yet. Where an undo fails nothing older is undone. No point of no return is
    /// among them: with one that may have acted no run turns back.
    pub(super) async fn go_back(&mut self) -> Result<Option<(DriveEnd, String)>, JournalError> {
        let Some(id) = self.state.to_undo().next().cloned() else {
            let why = self.state.turned_back.clone().unwrap_or_default();
            let ending = if self.state.abort.is_some() { Ending::Aborted } else { Ending::RolledBack };
            return self.end(ending, why).await.map(Some);
        };
        let Some((at, state)) = self.schedule.index(&id).zip(self.state.steps.get(&id)) else {
            return self
                .suspend(Suspension::Stuck, &format!("step {id} is not in the script"))
                .await
                .map(Some);
        };
        let tried_now = self.first_tried.contains_key(&at) && state.status == Status::UndoFailed;
        if tried_now {
            let text = state.failure.as_ref().map_or("", |failure| failure.text.as_str());
            let told = format!("step {id} could not be put back: {text}");
            return self.suspend(Suspension::Stuck, &told).await.map(Some);
        }
        let before = state.was.as_ref().map(|was| was.before.clone());
        let Some((action, before)) = self.runbook.action(&id).map(Arc::clone).zip(before) else {
            return self
                .suspend(Suspension::Stuck, &format!("what was before step {id} is not known"))
                .await
                .map(Some);
        };
        self.record(vec![Event::UndoStarted { step: id.clone() }], Durability::Barrier).await?;
        self.first_tried.remove(&at);
        let cx = self.cx(at, &id, 1);
        self.busy.insert(at);
        self.flights.push(attempt::undo(at, action, cx, before, self.env.clone()));
        Ok(None)
    }

    /// Every step is over.
    pub(super) async fn finish(&mut self) -> Result<(DriveEnd, String), JournalError> {
        if !self.state.began.mode.is_live() {
            let (ending, text) = ending::of_dry_run(&self.state, &self.dry_failures);
            return self.end(ending, text).await;
        }
        let fenced = self.state.nobody_can_write_since().filter(|_| self.state.is_to_promote());
        if let Some(since) = fenced {
            let text = format!(
                "every step is over, and NOBODY CAN WRITE since {since}: no promotion followed on the fence"
            );
            return self.suspend(Suspension::Held, &text).await;
        }
        self.owe().await?;
        self.measure().await?;
        let (ending, text) = ending::of_live_run(&self.state);
        self.close(ending, text).await
    }

    /// Records what the service lacks after what was done.
    pub(super) async fn owe(&mut self) -> Result<(), JournalError> {
        self.observe_all("after");
        self.land_all().await?;
        let debts = ending::debts(&self.state, &self.seen_after);
        self.record(debts, Durability::Lazy).await
    }

    /// Ends the run before all its steps are over. What it owes once another side may write it owes all the same.
    pub(super) async fn end(
        &mut self,
        ending: Ending,
        text: String,
    ) -> Result<(DriveEnd, String), JournalError> {
        self.land_all().await?;
        if self.crossed && self.state.began.mode.is_live() {
            self.owe().await?;
        }
        self.measure().await?;
        self.close(ending, text).await
    }

    pub(super) async fn measure(&mut self) -> Result<(), JournalError> {
        let Some(mut finish) = self.hooks.finish.take() else { return Ok(()) };
        let measurement = finish.finish(&self.state).await;
        while let Ok(news) = self.hooks.news.try_recv() {
            self.learnt(news).await?;
        }
        match measurement {
            Some(measurement) => {
                self.record(vec![Event::Measured { measurement: Box::new(measurement) }], Durability::Lazy)
                    .await
            }
            None => Ok(()),
        }
    }

    pub(super) async fn close(
        &mut self,
        ending: Ending,
        text: String,
    ) -> Result<(DriveEnd, String), JournalError> {
        let timings = ending::timings(&self.state);
        self.record(vec![Event::Ended { ending, text: text.clone(), timings }], Durability::Barrier).await?;
        Ok((DriveEnd::Ended(ending), text))
    }

    pub(super) async fn suspend(
        &mut self,
        why: Suspension,
        text: &str,
    ) -> Result<(DriveEnd, String), JournalError> {
        self.record(vec![Event::Suspended { why, text: text.to_owned() }], Durability::Barrier).await?;
        Ok((DriveEnd::Suspended(why), text.to_owned()))
    }

    /// Waits for what is left in flight. Each is bounded by its own deadline.
    pub(super) async fn land_all(&mut self) -> Result<(), JournalError> {
        while let Some(rested) = self.flights.next().await {
            self.came_to_rest(vec![rested]).await?;
        }
        Ok(())
    }
}
