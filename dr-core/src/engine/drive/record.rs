//! Numbered, folded, written, and only then told; and what is left to do once the journal is lost.

use futures_util::StreamExt;

use super::masking::redacted;
use super::{Drive, illegal};
use crate::engine::attempt::Rested;
use crate::engine::schedule::Index;
use crate::event::{Entry, Event};
use crate::ids::StepId;
use crate::journal::{Durability, JournalError};
use crate::resource::Class;

impl Drive {
    /// Numbers the events, folds them, writes them, and only then tells anybody.
    pub(super) async fn record(&mut self, events: Vec<Event>, how: Durability) -> Result<(), JournalError> {
        if events.is_empty() {
            return Ok(());
        }
        let mut entries = Vec::with_capacity(events.len());
        for event in events {
            let entry = Entry {
                seq: self.state.seq + 1,
                epoch: self.epoch,
                at: self.env.now(),
                elapsed_ms: u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX),
                event,
            };
            let entry = redacted(&self.redactor, entry);
            self.state.fold(&entry).map_err(illegal)?;
            entries.push(entry);
        }
        if let Err(error) = self.journal.append(&entries, how).await {
            self.unwritten.extend(entries.into_iter().map(|entry| entry.event).filter(has_happened));
            return Err(error);
        }
        for entry in &entries {
            self.took_note(&entry.event);
            (self.hooks.listener)(entry);
        }
        Ok(())
    }

    /// Keeps what is derived beside the state in step with it.
    pub(super) fn took_note(&mut self, event: &Event) {
        let step = match event {
            Event::Succeeded { step, applied, .. } => {
                self.earlier.leave(step.clone(), applied.data.clone());
                step
            }
            Event::Previewed { step, prepared } => {
                if !prepared.is_already() {
                    self.shade_dependents(step);
                }
                step
            }
            Event::NotExercised { step, .. } | Event::Skipped { step, .. } => step,
            Event::Started { step, .. }
            | Event::Failed { step, .. }
            | Event::Settled { step, .. }
            | Event::Undone { step } => {
                if self.class(step) == Class::PointOfNoReturn {
                    self.crossed = self.state.is_past_no_return();
                }
                return;
            }
            _ => return,
        };
        if let Some(at) = self.schedule.index(step) {
            if let Some(effect) = self.behind_effect.get(&at).cloned() {
                self.shade(at, &effect);
            }
            self.schedule.is_over(at);
        }
    }

    /// In a dry run, what stands behind an effect cannot be tried.
    pub(super) fn shade_dependents(&mut self, step: &StepId) {
        if let Some(at) = self.schedule.index(step) {
            self.shade(at, step.as_str());
        }
    }

    pub(super) fn shade(&mut self, at: Index, effect: &str) {
        for dependent in self.schedule.dependents(at).to_vec() {
            self.behind_effect.entry(dependent).or_insert_with(|| effect.to_owned());
        }
    }

    /// The journal cannot be written any more: nothing new begins, what is in flight is awaited, and its outcomes are
    /// handed to whoever called.
    pub(super) async fn outlive_the_journal(&mut self) -> Vec<Event> {
        let mut unrecorded = std::mem::take(&mut self.unwritten);
        while let Some(rested) = self.flights.next().await {
            match rested {
                Rested::Applied { at, attempt, result } => {
                    let step = self.schedule.id(at).clone();
                    unrecorded.push(match result {
                        Ok(applied) => Event::Succeeded { step, attempt, applied },
                        Err(error) => {
                            Event::Failed { step, attempt, failure: error.to_failure(), retry_in: None }
                        }
                    });
                }
                Rested::Undone { at, result } => {
                    let step = self.schedule.id(at).clone();
                    unrecorded.push(match result {
                        Ok(()) => Event::Undone { step },
                        Err(error) => Event::UndoFailed { step, failure: error.to_failure() },
                    });
                }
                Rested::Prepared { .. } | Rested::Settled { .. } | Rested::Observed { .. } => {}
            }
        }
        unrecorded
    }
}

/// Whether an event tells of something outside the journal. An intent that could not be written is not acted on.
fn has_happened(event: &Event) -> bool {
    !matches!(
        event,
        Event::Started { .. }
            | Event::UndoStarted { .. }
            | Event::TurnedBack { .. }
            | Event::Suspended { .. }
            | Event::Ended { .. }
    )
}
