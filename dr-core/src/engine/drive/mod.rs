//! The loop: decide, append, perform. Everything it knows of the run is in the folded journal; what it keeps beside
//! that (what is in flight, when to try again) is lost with the process without harm.

mod asked;
mod masking;
mod outcome;
mod record;
mod rest;
mod starting;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use tokio::sync::mpsc;
use tokio::time::Instant;

use self::masking::{keep_names, redacted, redacted_event};
use crate::engine::attempt::Flight;
use crate::engine::hooks::{Hooks, Means};
use crate::engine::preview::PreviewOnly;
use crate::engine::schedule::{Index, Schedule};
use crate::env::Env;
use crate::event::{Actor, Began, Ending, Entry, Event, RunState, Status, Suspension};
use crate::ids::{ResourceName, StepId};
use crate::journal::{Durability, Journal, JournalError};
use crate::resource::{Applied, Call, Cancel, Canceller, Class, Earlier, Redactor, Seen};
use crate::runbook::{CheckRoles, RolesFound, Runbook, ScriptStep};

/// How a drive ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DriveEnd {
    /// The run ended with it.
    Ended(Ending),
    /// The run goes on with `resume`.
    Suspended(Suspension),
}

/// What a drive leaves.
#[derive(Debug)]
pub struct Driven {
    /// How it ended.
    pub end: DriveEnd,
    /// The same in words.
    pub text: String,
    /// The run as its events say.
    pub state: RunState,
    /// What happened after the journal could no longer be written. To be shown and kept by other means.
    pub unrecorded: Vec<Event>,
}

/// One process driving one run.
#[derive(Debug)]
pub struct Drive {
    runbook: Runbook,
    journal: Box<dyn Journal>,
    env: Env,
    hooks: Hooks,
    redactor: Redactor,
    state: RunState,
    epoch: u64,
    begun: Instant,
    schedule: Schedule,
    flights: FuturesUnordered<Flight>,
    busy: BTreeSet<Index>,
    first_tried: BTreeMap<Index, Instant>,
    due: BTreeSet<(Instant, Index)>,
    crossed: bool,
    broken: Option<String>,
    already_done: BTreeSet<StepId>,
    behind_effect: BTreeMap<Index, String>,
    dry_failures: Vec<String>,
    seen_after: BTreeMap<ResourceName, Vec<Seen>>,
    unwritten: Vec<Event>,
    earlier: Earlier,
    overrides: Arc<BTreeSet<String>>,
    cancel: (Canceller, Cancel),
    progress: Said,
}

/// What steps say they wait for, with the end that they say it into.
type Said = (mpsc::UnboundedSender<(StepId, String)>, mpsc::UnboundedReceiver<(StepId, String)>);

impl Drive {
    /// Begins a run: its first event is durable when this returns, and nothing else has happened.
    ///
    /// # Errors
    /// If the journal cannot be written.
    pub async fn begin(began: Began, runbook: Runbook, mut means: Means) -> Result<Self, JournalError> {
        let actor = began.actor.clone();
        let epoch = 1;
        let now = means.env.now();
        let first = Entry { seq: 1, epoch, at: now, elapsed_ms: 0, event: Event::Began(Box::new(began)) };
        if let Event::Began(began) = &first.event {
            keep_names(&means.redactor, began);
        }
        let first = redacted(&means.redactor, first);
        let mut state = RunState::begin(&first).map_err(illegal)?;
        let second = Entry { seq: 2, epoch, at: now, elapsed_ms: 0, event: Event::Driven { actor, epoch } };
        state.fold(&second).map_err(illegal)?;
        means.journal.reserve(worst_case(&state)).await?;
        means.journal.append(&[first.clone(), second.clone()], Durability::Barrier).await?;
        (means.hooks.listener)(&first);
        (means.hooks.listener)(&second);
        let mut drive = Self::new(runbook, means, state, epoch);
        drive.observe_all("before");
        Ok(drive)
    }

    /// Goes on with a run that this process owns from now on.
    ///
    /// # Errors
    /// If the run has ended, or the journal cannot be written.
    pub async fn resume(
        state: RunState,
        actor: Actor,
        epoch: u64,
        runbook: Runbook,
        means: Means,
    ) -> Result<Self, JournalError> {
        keep_names(&means.redactor, &state.began);
        let mut drive = Self::new(runbook, means, state, epoch);
        drive.record(vec![Event::Driven { actor, epoch }], Durability::Barrier).await?;
        Ok(drive)
    }

    fn new(runbook: Runbook, means: Means, state: RunState, epoch: u64) -> Self {
        let Means { journal, env, redactor, hooks } = means;
        let schedule = Schedule::new(runbook.script(), &state);
        let earlier = Earlier::default();
        let mut already_done = BTreeSet::new();
        for (step, state) in &state.steps {
            if let Some(applied) = &state.applied {
                earlier.leave(step.clone(), applied.data.clone());
                if says_already_done(applied) {
                    already_done.insert(step.clone());
                }
            }
        }
        for (step, by) in &state.approvals {
            runbook.approvals().give(step.clone(), by.clone());
        }
        let runbook = match state.began.mode.is_live() {
            true => runbook,
            false => runbook.wrapped(|_, action| Arc::new(PreviewOnly(action))),
        };
        let crossed = state.is_past_no_return();
        let broken = state.fence_broken.as_deref().map(broken_fence);
        let overrides = state.began.overrides.iter().map(|entry| entry.gate.clone()).collect();
        Self {
            runbook,
            journal,
            env,
            hooks,
            redactor,
            state,
            epoch,
            begun: Instant::now(),
            schedule,
            flights: FuturesUnordered::new(),
            busy: BTreeSet::new(),
            first_tried: BTreeMap::new(),
            due: BTreeSet::new(),
            crossed,
            broken,
            already_done,
            behind_effect: BTreeMap::new(),
            dry_failures: Vec::new(),
            seen_after: BTreeMap::new(),
            unwritten: Vec::new(),
            earlier,
            overrides: Arc::new(overrides),
            cancel: Cancel::pair(),
            progress: mpsc::unbounded_channel(),
        }
    }

    /// The run as it stands.
    pub fn state(&self) -> &RunState {
        &self.state
    }

    /// Drives until the run ends or this drive has to stop.
    pub async fn run(mut self) -> Driven {
        let mut unrecorded = Vec::new();
        let (end, text) = match self.drive().await {
            Ok(end) => end,
            Err(error) => {
                unrecorded = self.outlive_the_journal().await;
                let why = match error {
                    JournalError::Lost { .. } => Suspension::OwnershipLost,
                    _ => Suspension::JournalLost,
                };
                (DriveEnd::Suspended(why), with_sources(&error))
            }
        };
        // Best effort: what is not released runs out by itself.
        let _ = self.journal.release().await;
        // What goes into no journal goes to people all the same.
        let text = self.redactor.redact(&text);
        let unrecorded = unrecorded.into_iter().map(|event| redacted_event(&self.redactor, event)).collect();
        Driven { end, text, state: self.state, unrecorded }
    }

    async fn drive(&mut self) -> Result<(DriveEnd, String), JournalError> {
        // What was asked for before the drive decides what starts first.
        while let Ok(message) = self.hooks.messages.try_recv() {
            self.heard(message).await?;
        }
        loop {
            let skipped = self.launch();
            if !skipped.is_empty() {
                self.record(skipped, Durability::Lazy).await?;
                continue;
            }
            if self.is_at_rest() {
                if let Some(end) = self.decide_at_rest().await? {
                    return Ok(end);
                }
                continue;
            }
            if let Some(end) = self.await_something().await? {
                return Ok(end);
            }
        }
    }

    /// Waits until something comes to rest, is due, or is said.
    async fn await_something(&mut self) -> Result<Option<(DriveEnd, String)>, JournalError> {
        let next_due = self.due.first().map(|(at, _)| *at);
        let renewal = self.journal.lease_left().map(|left| left / 2);
        let renew = async {
            match renewal {
                Some(pause) => tokio::time::sleep(pause).await,
                None => std::future::pending().await,
            }
        };
        let timer = async {
            match next_due {
                Some(at) => tokio::time::sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            Ok(()) = self.hooks.interrupts.changed() => {
                if *self.hooks.interrupts.borrow_and_update() >= 2 {
                    self.cancel.0.cancel();
                    self.flights.clear();
                    self.busy.clear();
                    return self.suspend(Suspension::Interrupted, "interrupted twice: what was in flight is in doubt").await.map(Some);
                }
            }
            Some(message) = self.hooks.messages.recv() => self.heard(message).await?,
            Some(news) = self.hooks.news.recv() => self.learnt(news).await?,
            Some((step, text)) = self.progress.1.recv() => {
                let known = self.state.steps.get(&step).and_then(|state| state.progress.as_deref());
                if known != Some(text.as_str()) {
                    self.record(vec![Event::Progress { step, text }], Durability::Lazy).await?;
                }
            }
            Some(rested) = self.flights.next() => {
                let mut batch = vec![rested];
                while let Some(Some(rested)) = self.flights.next().now_or_never() {
                    batch.push(rested);
                }
                self.came_to_rest(batch).await?;
            }
            () = renew => self.journal.renew().await?,
            () = timer => {
                let now = Instant::now();
                while let Some((at, index)) = self.due.first().copied().filter(|(at, _)| *at <= now) {
                    self.due.remove(&(at, index));
                    self.schedule.put_back(index);
                }
            }
        }
        Ok(None)
    }

    fn is_interrupted(&self) -> bool {
        *self.hooks.interrupts.borrow() > 0
    }

    fn has_succeeded(&self, id: &StepId) -> bool {
        self.state.steps.get(id).is_some_and(|step| step.status == Status::Succeeded)
    }

    fn class(&self, id: &StepId) -> Class {
        // A step that is not in the script is treated as the most dangerous one.
        self.state.script_step(id).map_or(Class::PointOfNoReturn, |step| step.class)
    }
}

/// No fence, no promotion and no look at the roles is passed over: what follows rests on them.
fn is_never_left_out(step: &ScriptStep) -> bool {
    matches!(step.class, Class::Fence | Class::PointOfNoReturn) || step.verb == CheckRoles::VERB
}

fn says_already_done(applied: &Applied) -> bool {
    matches!(serde_json::from_value(applied.data.clone()), Ok(RolesFound::AlreadyDone))
}

fn illegal(error: crate::event::Illegal) -> JournalError {
    JournalError::Damaged { at: error.seq, why: error.why }
}

/// How many bytes a run's journal may come to: the script and what is seen around it, and for each step some attempts.
fn worst_case(state: &RunState) -> u64 {
    const AROUND: u64 = 1 << 20;
    const EACH_STEP: u64 = 8 << 10;
    let steps = u64::try_from(state.steps.len()).unwrap_or(u64::MAX);
    AROUND.saturating_add(EACH_STEP.saturating_mul(steps))
}

fn broken_fence(why: &str) -> String {
    format!(
        "{why}: the fence is broken, and nothing is promoted in this run any more (dr abort, then begin anew)"
    )
}

fn with_sources(error: &JournalError) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
