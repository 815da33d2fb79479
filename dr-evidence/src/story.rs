//! A run's journal, told in the order in which people ask: who, what, how long, how it ended.
//!
//! Where each step stands is the core's word ([`RunState`]); this adds what a report needs beside it.

use std::collections::BTreeMap;

use dr_core::event::{Actor, Debt, Ending, Event, Request, RunState, Status, StepState, Suspension};
use dr_core::event::{Began, Entry, Steady};
use dr_core::journal::Line;
use dr_core::measure::Measurement;
use dr_core::resource::{Applied, Prepared, Seen};
use dr_core::runbook::ScriptStep;
use dr_core::{Failure, ResourceName, StepId, Timestamp};

use crate::error::EvidenceError;
use crate::seconds::Seconds;

/// What a journal tells.
#[derive(Debug)]
pub(crate) struct Story<'a> {
    pub(crate) state: RunState,
    pub(crate) ended: Option<Ended<'a>>,
    /// When the last drive stopped, unless a later one went on.
    suspended_at: Option<Timestamp>,
    drives: Vec<Drive<'a>>,
    pub(crate) requests: Vec<Requested<'a>>,
    notes: BTreeMap<&'a StepId, Notes<'a>>,
    pub(crate) observed: Vec<Observed<'a>>,
    /// By file name: the last hash that the journal holds, and of how many bytes.
    pub(crate) samples: BTreeMap<&'a str, (&'a str, u64)>,
    pub(crate) paid_debts: Vec<&'a Debt>,
    turned_back_at: Option<Timestamp>,
}

#[derive(Debug)]
pub(crate) struct Ended<'a> {
    pub(crate) at: Timestamp,
    /// The same, whatever the wall clock did meanwhile.
    steady: Timestamp,
    pub(crate) ending: Ending,
    pub(crate) text: &'a str,
    timings: &'a BTreeMap<String, f64>,
}

#[derive(Debug)]
pub(crate) struct Drive<'a> {
    pub(crate) at: Timestamp,
    pub(crate) actor: &'a Actor,
}

#[derive(Debug)]
pub(crate) struct Requested<'a> {
    pub(crate) at: Timestamp,
    pub(crate) request: &'a Request,
    pub(crate) actor: &'a Actor,
    pub(crate) reason: &'a str,
}

#[derive(Debug)]
pub(crate) struct Observed<'a> {
    pub(crate) when: &'a str,
    pub(crate) resource: &'a ResourceName,
    pub(crate) seen: &'a [Seen],
    pub(crate) why: Option<&'a str>,
}

/// What is remembered of a step beside its state.
#[derive(Debug, Default)]
struct Notes<'a> {
    /// When something first happened to it, and last.
    span: Option<(Timestamp, Timestamp)>,
    failures: Vec<&'a Failure>,
    not_exercised: bool,
}

/// A step of the script, with all that is known of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct StepStory<'s> {
    pub(crate) step: &'s ScriptStep,
    state: &'s StepState,
    notes: Option<&'s Notes<'s>>,
}

impl<'a> Story<'a> {
    /// Reads a journal's lines, which have to tell one run: from its beginning to at most one end.
    pub(crate) fn of(lines: &'a [Line]) -> Result<Self, EvidenceError> {
        let illegal = |error: dr_core::event::Illegal| EvidenceError::Journal(error.to_string());
        let state = RunState::replay(lines.iter().map(|line| &line.entry)).map_err(illegal)?;
        let state = state.ok_or_else(|| EvidenceError::Journal("the journal is empty".to_owned()))?;
        let mut story = Self {
            state,
            ended: None,
            suspended_at: None,
            drives: Vec::new(),
            requests: Vec::new(),
            notes: BTreeMap::new(),
            observed: Vec::new(),
            samples: BTreeMap::new(),
            paid_debts: Vec::new(),
            turned_back_at: None,
        };
        let mut steady = Steady::default();
        for line in lines {
            story.note(&line.entry, steady.of(&line.entry));
        }
        Ok(story)
    }

    /// The first event.
    pub(crate) fn began(&self) -> &Began {
        &self.state.began
    }

    /// Why the last drive stopped and when, while the run has not ended.
    pub(crate) fn suspended(&self) -> Option<(Suspension, &str)> {
        let (why, text) = self.state.suspended.as_ref().filter(|_| self.ended.is_none())?;
        Some((*why, text))
    }

    /// When it did.
    pub(crate) fn suspended_at(&self) -> Option<Timestamp> {
        self.suspended_at.filter(|_| self.suspended().is_some())
    }

    /// Who drove it after the process that began it, in order.
    pub(crate) fn later_drives(&self) -> &[Drive<'a>] {
        self.drives.get(1..).unwrap_or_default()
    }

    /// Why it turned back, and when.
    pub(crate) fn turned_back(&self) -> Option<(Timestamp, &str)> {
        self.turned_back_at.zip(self.state.turned_back.as_deref())
    }

    /// What was measured, if anything was.
    pub(crate) fn measurement(&self) -> Option<&Measurement> {
        self.state.measurement.as_ref()
    }

    /// The script's steps in its order.
    pub(crate) fn steps(&self) -> Vec<StepStory<'_>> {
        let steps = self.state.in_order();
        steps.map(|(step, state)| StepStory { step, state, notes: self.notes.get(&step.id) }).collect()
    }

    /// Whether the run has ended: only then its bundle is linked.
    pub(crate) fn is_over(&self) -> bool {
        self.ended.is_some()
    }

    /// How long the run took: monotonic within a process, by the wall clock from one to the next.
    pub(crate) fn run_seconds(&self) -> Option<Seconds> {
        let ended = self.ended.as_ref()?;
        Some(Seconds::from(ended.steady.since(self.state.began_at)))
    }

    /// How long each phase took, in the script's order: as the run's end says, else from the first to the last event
    /// of its steps.
    pub(crate) fn timings(&self) -> Vec<(String, Seconds)> {
        let phases = self.began().script.phases.iter().map(|phase| &phase.name);
        if let Some(ended) = &self.ended {
            let named = |name: &str| {
                ended.timings.get(name).or_else(|| ended.timings.get(&format!("{name}_seconds"))).copied()
            };
            return phases
                .filter_map(|name| Some((name.to_string(), Seconds::from_f64(named(name.as_str())?)?)))
                .collect();
        }
        let steps = self.steps();
        phases
            .filter_map(|name| {
                let spans = steps.iter().filter(|step| step.step.phase == *name).filter_map(StepStory::span);
                let (from, to) = spans.reduce(|(from, to), span| (from.min(span.0), to.max(span.1)))?;
                Some((name.to_string(), Seconds::from(to.since(from))))
            })
            .collect()
    }

    /// `at` is a steady moment: spans are told by it.
    fn note(&mut self, entry: &'a Entry, at: Timestamp) {
        if let Some(step) = step_of(&entry.event) {
            let notes = self.notes.entry(step).or_default();
            notes.span = Some(notes.span.map_or((at, at), |(from, _)| (from, at)));
            match &entry.event {
                Event::Failed { failure, .. } | Event::UndoFailed { failure, .. } => {
                    notes.failures.push(failure)
                }
                Event::NotExercised { .. } => notes.not_exercised = true,
                _ => {}
            }
            return;
        }
        match &entry.event {
            Event::Driven { actor, epoch: _ } => self.drives.push(Drive { at: entry.at, actor }),
            Event::TurnedBack { why: _ } => {
                self.turned_back_at.get_or_insert(entry.at);
            }
            Event::Requested { request, actor, reason } => {
                self.requests.push(Requested { at: entry.at, request, actor, reason });
            }
            Event::Observed { when, resource, seen, why } => {
                self.observed.push(Observed { when, resource, seen, why: why.as_deref() });
            }
            Event::DebtPaid(debt) => self.paid_debts.push(debt),
            Event::Samples { file, sha256, bytes } => {
                self.samples.insert(file, (sha256, *bytes));
            }
            Event::Suspended { .. } => self.suspended_at = Some(entry.at),
            Event::Ended { ending, text, timings } => {
                self.ended = Some(Ended { at: entry.at, steady: at, ending: *ending, text, timings });
            }
            // The state has the rest; what a later release added is relayed by the journal's bytes.
            _ => {}
        }
    }
}

fn step_of(event: &Event) -> Option<&StepId> {
    match event {
        Event::Started { step, .. }
        | Event::Succeeded { step, .. }
        | Event::Failed { step, .. }
        | Event::Settled { step, .. }
        | Event::Skipped { step, .. }
        | Event::Previewed { step, .. }
        | Event::NotExercised { step, .. }
        | Event::UndoStarted { step }
        | Event::Undone { step }
        | Event::UndoFailed { step, .. }
        | Event::Progress { step, .. } => Some(step),
        _ => None,
    }
}

impl<'s> StepStory<'s> {
    /// Where it stands.
    pub(crate) fn status(&self) -> Status {
        self.state.status
    }

    /// How many attempts were begun.
    pub(crate) fn attempts(&self) -> u32 {
        self.state.attempts
    }

    /// Whether there was nothing to do.
    pub(crate) fn was_already(&self) -> bool {
        self.state.was_already()
    }

    /// What it left.
    pub(crate) fn applied(&self) -> Option<&'s Applied> {
        self.state.applied.as_ref()
    }

    /// Why it was skipped.
    pub(crate) fn skipped(&self) -> Option<&'s str> {
        self.state.skipped.as_deref()
    }

    /// Why a dry run could not try it.
    pub(crate) fn not_exercised(&self) -> Option<&'s str> {
        self.skipped().filter(|_| self.notes.is_some_and(|notes| notes.not_exercised))
    }

    /// What a dry run found.
    pub(crate) fn previewed(&self) -> Option<&'s Prepared> {
        self.state.was.as_ref().filter(|_| self.state.status == Status::Previewed)
    }

    /// Why its last failure failed, if one did.
    pub(crate) fn last_failure(&self) -> Option<&'s Failure> {
        self.notes.and_then(|notes| notes.failures.last().copied())
    }

    /// When something first happened to it, and last.
    pub(crate) fn span(&self) -> Option<(Timestamp, Timestamp)> {
        self.notes.and_then(|notes| notes.span)
    }

    /// How long that is.
    pub(crate) fn took(&self) -> Option<Seconds> {
        self.span().map(|(from, to)| Seconds::from(to.since(from)))
    }
}
