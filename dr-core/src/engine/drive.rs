//! The loop: decide, append, perform. Everything it knows of the run is in the folded journal; what it keeps beside
//! that (what is in flight, when to try again) is lost with the process without harm.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::attempt::{self, Flight, Rested};
use super::ending;
use super::hooks::{Hooks, Means, Message, News};
use super::preview::PreviewOnly;
use super::retry::pause_after;
use super::schedule::{Index, Schedule, may_be_tried};
use crate::env::Env;
use crate::error::{Error, ErrorKind, Happened};
use crate::event::{Actor, Began, Ending, Entry, Event, Found, Request, RunState, Status, Suspension};
use crate::ids::{ResourceName, StepId};
use crate::journal::{Durability, Journal, JournalError};
use crate::plan::OnFailure;
use crate::resource::{
    Applied, Before, Call, Cancel, Canceller, Class, Cx, Earlier, Prepared, Progress, Redactor, Seen,
    Standing,
};
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

/// How many times its share of time a step may take once there is no way back.
const PATIENCE_PAST_NO_RETURN: u32 = 3;

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

    /// Whether new steps may start. Past the point of no return the others go on beside a broken one.
    fn may_start(&self) -> bool {
        let forward =
            self.state.turned_back.is_none() && self.state.abort.is_none() && !self.is_all_done_already();
        let promoting = self.state.fence_broken.is_some() && self.is_left_to_promote();
        let sound = self.broken.is_none() || (self.crossed && !promoting);
        forward && sound && !self.is_interrupted()
    }

    /// Whether a promotion is still to come. After the last one a broken fence stops nothing any more: callers who stay
    /// with a side that takes writes again are worse off than those who are moved.
    fn is_left_to_promote(&self) -> bool {
        self.state.in_order().any(|(step, state)| {
            step.class == Class::PointOfNoReturn
                && !matches!(state.status, Status::Succeeded | Status::Skipped)
        })
    }

    fn is_at_rest(&self) -> bool {
        self.busy.is_empty() && (self.due.is_empty() || !self.may_start())
    }

    /// Every store that was to be promoted had been already.
    fn is_all_done_already(&self) -> bool {
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
    fn launch(&mut self) -> Vec<Event> {
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
            let attempt = state.attempts + 1;
            let Some(action) = self.runbook.action(&id).map(Arc::clone) else { continue };
            let cx = self.cx(at, &id, attempt);
            self.busy.insert(at);
            self.flights.push(attempt::prepare(at, attempt, action, cx));
        }
        skipped
    }

    /// The context of an attempt, with its deadline: a step's share of time is for all its attempts together, and
    /// three times that once there is no way back and the run needs it; one attempt never gets more than the share.
    fn cx(&mut self, at: Index, id: &StepId, attempt: u32) -> Cx {
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

    fn observe_all(&mut self, when: &'static str) {
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

    /// What came to rest becomes events; what follows on an intent starts when the intent is durable.
    async fn came_to_rest(&mut self, batch: Vec<Rested>) -> Result<(), JournalError> {
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
                Rested::Settled { at, found } => self.settled(at, found, &mut events),
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

    fn prepared(
        &mut self,
        at: Index,
        attempt: u32,
        result: crate::Result<Prepared>,
        events: &mut Vec<Event>,
        follow: &mut Vec<Flight>,
    ) {
        let id = self.schedule.id(at).clone();
        let class = self.class(&id);
        if !self.may_start() {
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
        let first = self.state.steps.get(&id).and_then(|state| state.was.as_ref());
        let before = first.map_or_else(|| prepared.before.clone(), |first| first.before.clone());
        let was = Prepared { standing: prepared.standing.clone(), before };
        events.push(Event::Started { step: id.clone(), attempt, was: prepared });
        let cx = self.cx(at, &id, attempt);
        follow.push(attempt::apply(at, attempt, action, cx, was));
    }

    /// What could not be read cannot be put back, and a step that a person called done has to be.
    fn acceptable(&self, id: &StepId, class: Class, prepared: Prepared) -> crate::Result<Prepared> {
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

    fn applied(&mut self, at: Index, attempt: u32, applied: Applied, events: &mut Vec<Event>) {
        self.busy.remove(&at);
        let id = self.schedule.id(at).clone();
        if says_already_done(&applied) {
            self.already_done.insert(id.clone());
        }
        events.push(Event::Succeeded { step: id, attempt, applied });
    }

    fn failed(
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
    fn may_cancel(&self, id: &StepId) -> bool {
        self.class(id) == Class::PointOfNoReturn
            && self.state.began.on_failure == OnFailure::Undo
            && self.state.crossed().all(|crossed| crossed == id)
    }

    /// What was there before a step's first attempt.
    fn before_of(&self, id: &StepId) -> Option<Before> {
        self.state.steps.get(id)?.was.as_ref().map(|was| was.before.clone())
    }

    fn settled(&mut self, at: Index, found: Found, events: &mut Vec<Event>) {
        let id = self.schedule.id(at).clone();
        events.push(Event::Settled { step: id.clone(), found });
        if found == Found::Done {
            // Tried once more, which changes nothing and says what it left.
            self.busy.remove(&at);
            self.schedule.put_back(at);
            return;
        }
        let failure = self.state.steps.get(&id).and_then(|state| state.failure.as_ref());
        let text = failure.map_or("it failed".to_owned(), |failure| failure.text.clone());
        self.give_up(at, &id, &text, events);
    }

    /// A step has failed for good.
    fn give_up(&mut self, at: Index, id: &StepId, text: &str, events: &mut Vec<Event>) {
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

    fn undone(&mut self, at: Index, result: crate::Result<()>, events: &mut Vec<Event>) {
        self.busy.remove(&at);
        let step = self.schedule.id(at).clone();
        events.push(match result {
            Ok(()) => Event::Undone { step },
            Err(error) => Event::UndoFailed { step, failure: error.to_failure() },
        });
    }

    /// Nothing is in flight and nothing may start: turn back, hold, or come to the end.
    async fn decide_at_rest(&mut self) -> Result<Option<(DriveEnd, String)>, JournalError> {
        if self.is_interrupted() {
            let text = "interrupted: the steps in flight were finished, nothing else was begun";
            return self.suspend(Suspension::Interrupted, text).await.map(Some);
        }
        if self.state.turned_back.is_some() {
            return self.go_back().await;
        }
        if let Some((actor, reason)) = self.state.abort.clone() {
            let why = format!("aborted by {actor}: {reason}");
            let doubt = self.state.crossed().find(|step| !self.has_succeeded(step)).cloned();
            if let Some(doubt) = doubt {
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

    async fn decide_broken(&mut self, why: String) -> Result<Option<(DriveEnd, String)>, JournalError> {
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

    /// Undoes the last intent that is not undone yet. A point of no return whose undo fails is held: nothing older
    /// is undone while it may still take effect.
    async fn go_back(&mut self) -> Result<Option<(DriveEnd, String)>, JournalError> {
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
            let why = match self.class(&id) {
                Class::PointOfNoReturn => Suspension::Held,
                Class::Read | Class::Reversible | Class::Irreversible | Class::Fence => Suspension::Stuck,
            };
            return self.suspend(why, &told).await.map(Some);
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
    async fn finish(&mut self) -> Result<(DriveEnd, String), JournalError> {
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
    async fn owe(&mut self) -> Result<(), JournalError> {
        self.observe_all("after");
        self.land_all().await?;
        let debts = ending::debts(&self.state, &self.seen_after);
        self.record(debts, Durability::Lazy).await
    }

    /// Ends the run before all its steps are over. What it owes once another side may write it owes all the same.
    async fn end(&mut self, ending: Ending, text: String) -> Result<(DriveEnd, String), JournalError> {
        self.land_all().await?;
        if self.crossed && self.state.began.mode.is_live() {
            self.owe().await?;
        }
        self.measure().await?;
        self.close(ending, text).await
    }

    async fn measure(&mut self) -> Result<(), JournalError> {
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

    async fn close(&mut self, ending: Ending, text: String) -> Result<(DriveEnd, String), JournalError> {
        let timings = ending::timings(&self.state);
        self.record(vec![Event::Ended { ending, text: text.clone(), timings }], Durability::Barrier).await?;
        Ok((DriveEnd::Ended(ending), text))
    }

    async fn suspend(&mut self, why: Suspension, text: &str) -> Result<(DriveEnd, String), JournalError> {
        self.record(vec![Event::Suspended { why, text: text.to_owned() }], Durability::Barrier).await?;
        Ok((DriveEnd::Suspended(why), text.to_owned()))
    }

    /// Waits for what is left in flight. Each is bounded by its own deadline.
    async fn land_all(&mut self) -> Result<(), JournalError> {
        while let Some(rested) = self.flights.next().await {
            self.came_to_rest(vec![rested]).await?;
        }
        Ok(())
    }

    async fn heard(&mut self, message: Message) -> Result<(), JournalError> {
        let Message { request, actor, reason } = message;
        let mut events = Vec::new();
        match &request {
            Request::Approve { plan_hash, .. } if *plan_hash != self.state.began.plan_hash => return Ok(()),
            Request::Approve { step, .. } => self.runbook.approvals().give(step.clone(), actor.clone()),
            Request::Skip { step } => events.extend(self.left_out(step, &actor, &reason)),
            Request::Done { .. } | Request::Abort | Request::GoUnplanned => {}
        }
        events.insert(0, Event::Requested { request, actor, reason });
        self.record(events, Durability::Barrier).await
    }

    /// A person's word leaves a step out; never a fence, a promotion, or something in flight.
    fn left_out(&self, id: &StepId, actor: &Actor, reason: &str) -> Option<Event> {
        let step = self.state.script_step(id)?;
        let status = self.state.steps.get(id)?.status;
        let in_flight = self.schedule.index(id).is_some_and(|at| self.busy.contains(&at));
        let never = is_never_left_out(step) || in_flight;
        let open = matches!(status, Status::Pending | Status::Retrying | Status::Failed | Status::InDoubt);
        (open && !never)
            .then(|| Event::Skipped { step: id.clone(), why: format!("left out by {actor}: {reason}") })
    }

    async fn learnt(&mut self, news: News) -> Result<(), JournalError> {
        match news {
            News::Seen(event) => self.record(vec![event], Durability::Lazy).await,
            // A run that turns back lifts its fences itself.
            News::BrokenFence(_) if self.state.turned_back.is_some() => Ok(()),
            News::BrokenFence(why) => {
                self.broken.get_or_insert_with(|| broken_fence(&why));
                self.record(vec![Event::FenceBroken { why }], Durability::Barrier).await
            }
        }
    }

    fn has_succeeded(&self, id: &StepId) -> bool {
        self.state.steps.get(id).is_some_and(|step| step.status == Status::Succeeded)
    }

    fn class(&self, id: &StepId) -> Class {
        // A step that is not in the script is treated as the most dangerous one.
        self.state.script_step(id).map_or(Class::PointOfNoReturn, |step| step.class)
    }

    /// Numbers the events, folds them, writes them, and only then tells anybody.
    async fn record(&mut self, events: Vec<Event>, how: Durability) -> Result<(), JournalError> {
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
    fn took_note(&mut self, event: &Event) {
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
    fn shade_dependents(&mut self, step: &StepId) {
        if let Some(at) = self.schedule.index(step) {
            self.shade(at, step.as_str());
        }
    }

    fn shade(&mut self, at: Index, effect: &str) {
        for dependent in self.schedule.dependents(at).to_vec() {
            self.behind_effect.entry(dependent).or_insert_with(|| effect.to_owned());
        }
    }

    /// The journal cannot be written any more: nothing new begins, what is in flight is awaited, and its outcomes are
    /// handed to whoever called.
    async fn outlive_the_journal(&mut self) -> Vec<Event> {
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

/// No fence, no promotion and no look at the roles is passed over: what follows rests on them.
fn is_never_left_out(step: &ScriptStep) -> bool {
    matches!(step.class, Class::Fence | Class::PointOfNoReturn) || step.verb == CheckRoles::VERB
}

fn says_already_done(applied: &Applied) -> bool {
    matches!(serde_json::from_value(applied.data.clone()), Ok(RolesFound::AlreadyDone))
}

fn urgency_word(step: &ScriptStep) -> &'static str {
    match step.when {
        Some(crate::resource::Urgency::Planned) => "planned",
        Some(crate::resource::Urgency::Unplanned) | None => "unplanned",
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

fn illegal(error: crate::event::Illegal) -> JournalError {
    JournalError::Damaged { at: error.seq, why: error.why }
}

/// How many bytes a run's journal may come to: the script and what is seen around it, and for each step some attempts.
fn worst_case(state: &RunState) -> u64 {
    const AROUND: u64 = 1 << 20;
    const EACH_STEP: u64 = 8 << 10;
    AROUND + EACH_STEP * u64::try_from(state.steps.len()).unwrap_or(u64::MAX / EACH_STEP)
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

/// The entry with every known secret masked. What contains none is left as it is.
fn redacted(redactor: &Redactor, entry: Entry) -> Entry {
    if redactor.is_empty() {
        return entry;
    }
    let Ok(text) = serde_json::to_string(&entry.event) else { return entry };
    let masked = redactor.redact(&text);
    if masked == text {
        return entry;
    }
    let event = serde_json::from_str(&masked).unwrap_or(Event::Unknown);
    Entry { event, ..entry }
}
