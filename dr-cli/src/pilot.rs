//! One drive of one run with everything around it: signals, inbox, view, console log; afterwards debts, claims and the
//! bundle.

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use dr_core::engine::{Drive, DriveEnd, Driven, Hooks, Message, News};
use dr_core::event::{Entry, Event, Request, RunState};
use dr_core::journal::{Claim, Registration, StateStore};
use dr_core::plan::Finding;
use dr_core::resource::{Class, FenceOutcome, Redactor};
use dr_core::{RunId, StepId};
use dr_evidence::{Bundle, Link};
use tokio::sync::{mpsc, watch};

use crate::args::TellArgs;
use crate::exit::Exit;
use crate::problem::{Outcome, Problem};
use crate::seats::{Events, Fenced};
use crate::view::Shared;

/// What a drive is surrounded by.
#[derive(Debug)]
pub(crate) struct Pilot {
    store: StateStore,
    run: RunId,
    view: Shared,
    console: Arc<Mutex<Console>>,
    messages: (mpsc::UnboundedSender<Message>, Option<mpsc::UnboundedReceiver<Message>>),
    news: (mpsc::UnboundedSender<News>, Option<mpsc::UnboundedReceiver<News>>),
    interrupts: (watch::Sender<u32>, watch::Receiver<u32>),
    events: Events,
    fenced: (mpsc::UnboundedSender<Fenced>, Option<mpsc::UnboundedReceiver<Fenced>>),
    evidence: PathBuf,
    json: bool,
}

/// The console log and the state that its lines need.
#[derive(Debug)]
struct Console {
    file: Option<std::fs::File>,
    state: Option<RunState>,
}

impl Console {
    fn hear(&mut self, entry: &Entry) {
        match &mut self.state {
            None => self.state = RunState::begin(entry).ok(),
            Some(state) => {
                if state.fold(entry).is_err() {
                    self.state = None;
                }
            }
        }
        let Some((_, text)) = crate::view::line(entry, self.state.as_ref()) else { return };
        if let Some(file) = &mut self.file {
            // The journal is the record; the console log is a convenience and may fail.
            let _ = writeln!(file, "{} {text}", entry.at);
        }
    }
}

/// The side of which this event says that it is fenced.
fn newly_fenced(entry: &Entry, state: &RunState) -> Option<Fenced> {
    let Event::Succeeded { step, applied, .. } = &entry.event else { return None };
    let step = state.script_step(step).filter(|step| step.class == Class::Fence)?;
    match serde_json::from_value(applied.data.clone()).ok()? {
        FenceOutcome::Confirmed(proof) => Some((step.resource.clone()?, proof.side)),
        FenceOutcome::Accepted(risk) => Some((step.resource.clone()?, risk.side)),
    }
}

/// The console log's name in the run's folder.
pub(crate) const CONSOLE: &str = "console.log";
/// The plan's name in the run's folder.
pub(crate) const PLAN: &str = "plan.yaml";

impl Pilot {
    /// For a run of a store. `known` are the events that are there already.
    pub(crate) fn new(store: &StateStore, run: &RunId, tell: &TellArgs, known: &[Entry]) -> Outcome<Self> {
        let folder = store.make_run_folder(run)?;
        let file = std::fs::OpenOptions::new().append(true).create(true).open(folder.join(CONSOLE)).ok();
        let view = Shared::fitting(tell.json, tell.verbose);
        let mut console = Console { file: None, state: None };
        for entry in known {
            view.recall(entry);
            console.hear(entry);
        }
        console.file = file;
        let (sender, receiver) = mpsc::unbounded_channel();
        let (news_sender, news_receiver) = mpsc::unbounded_channel();
        let (fenced_sender, fenced_receiver) = mpsc::unbounded_channel();
        if let Some(state) = console.state.as_ref().filter(|state| state.turned_back.is_none()) {
            // What an earlier drive fenced is watched as well.
            for fenced in known.iter().filter_map(|entry| newly_fenced(entry, state)) {
                let _ = fenced_sender.send(fenced);
            }
        }
        Ok(Self {
            store: store.clone(),
            run: run.clone(),
            view,
            console: Arc::new(Mutex::new(console)),
            messages: (sender, Some(receiver)),
            news: (news_sender, Some(news_receiver)),
            interrupts: watch::channel(0),
            events: Arc::new(Mutex::new(known.to_vec())),
            fenced: (fenced_sender, Some(fenced_receiver)),
            evidence: tell.evidence.clone(),
            json: tell.json,
        })
    }

    /// Where probers and ledgers tell what they see, and where they hear which sides count as fenced. Once.
    pub(crate) fn seats(&mut self) -> (mpsc::UnboundedSender<News>, mpsc::UnboundedReceiver<Fenced>) {
        let nobody = || mpsc::unbounded_channel().1;
        (self.news.0.clone(), self.fenced.1.take().unwrap_or_else(nobody))
    }

    /// The run's events so far.
    pub(crate) fn events(&self) -> Events {
        Arc::clone(&self.events)
    }

    /// Asks something of the run before it is driven.
    pub(crate) fn ask(&self, message: Message) {
        // The receiver lives as long as the drive.
        let _ = self.messages.0.send(message);
    }

    /// The hooks for a drive. Once.
    pub(crate) fn hooks(&mut self) -> Hooks {
        let (view, console, events) =
            (self.view.clone(), Arc::clone(&self.console), Arc::clone(&self.events));
        let fenced = self.fenced.0.clone();
        let mut hooks =
            Hooks::default().with_interrupts(self.interrupts.1.clone()).with_listener(move |entry| {
                let mut console = console.lock().unwrap_or_else(PoisonError::into_inner);
                console.hear(entry);
                if let Some(side) = console.state.as_ref().and_then(|state| newly_fenced(entry, state)) {
                    // Nobody listens in a run that measures nothing.
                    let _ = fenced.send(side);
                }
                drop(console);
                view.hear(entry);
                events.lock().unwrap_or_else(PoisonError::into_inner).push(entry.clone());
            });
        if let Some(messages) = self.messages.1.take() {
            hooks = hooks.with_messages(messages);
        }
        if let Some(news) = self.news.1.take() {
            hooks = hooks.with_news(news);
        }
        hooks
    }

    /// Drives to the end of the drive.
    pub(crate) async fn fly(&self, drive: Drive) -> Driven {
        let mut tasks = tokio::task::JoinSet::new();
        tasks.spawn(heed_signals(self.interrupts.0.clone(), Arc::clone(&self.console)));
        let messages = self.messages.0.clone();
        tasks.spawn(read_inbox(self.store.clone(), self.run.clone(), messages, self.events()));
        tasks.spawn(tick(self.view.clone()));
        let driven = drive.run().await;
        tasks.shutdown().await;
        self.view.close();
        driven
    }

    /// Everything that follows on a drive: debts are opened and paid, claims freed if the run has ended, the bundle
    /// sealed and registered; then it is told how it went.
    pub(crate) async fn land(&self, driven: &Driven, findings: &[Finding], redactor: &Redactor) -> Outcome {
        if !driven.unrecorded.is_empty() {
            self.keep_unrecorded(&driven.unrecorded);
        }
        let settled = self.settle(driven, findings, redactor).await;
        if self.json {
            let exit = settled.as_ref().map_or_else(|problem| problem.exit, |_| Exit::from(driven.end));
            crate::view::summary(driven, exit, settled.as_ref().err());
        } else {
            crate::view::closing(driven, settled.as_ref().ok().and_then(Option::as_deref));
        }
        settled.map(|_| Exit::from(driven.end))
    }

    /// In this order a crash in between is found by the claims, which go last: the next `dr resume` does it again.
    async fn settle(
        &self,
        driven: &Driven,
        findings: &[Finding],
        redactor: &Redactor,
    ) -> Outcome<Option<PathBuf>> {
        if driven.state.began.mode.is_live() {
            self.settle_debts().await?;
        }
        let bundle = match driven.end {
            DriveEnd::Suspended(dr_core::event::Suspension::OwnershipLost) => Ok(None),
            DriveEnd::Ended(_) | DriveEnd::Suspended(_) => self.seal(findings, redactor).await.map(Some),
        };
        // A bundle that cannot be written holds nobody up.
        if matches!(driven.end, DriveEnd::Ended(_)) {
            self.store.claims().release(&self.run).await?;
        }
        bundle
    }

    /// What happened after the journal was lost goes to standard error and to a file beside it.
    fn keep_unrecorded(&self, events: &[Event]) {
        let path = std::env::temp_dir().join(format!("dr-{}-unrecorded.ndjson", self.run));
        let text: String = events
            .iter()
            .filter_map(|event| serde_json::to_string(event).ok())
            .map(|line| line + "\n")
            .collect();
        anstream::eprintln!("The journal was lost. What happened since, which no journal holds:\n{text}");
        if std::fs::write(&path, &text).is_ok() {
            anstream::eprintln!("It is kept in {}", path.display());
        }
    }

    /// Brings the store's debts in step with the run's events; doing it again changes nothing.
    async fn settle_debts(&self) -> Outcome<()> {
        let debts = self.store.debts();
        for line in self.store.read_run(&self.run).await? {
            match &line.entry.event {
                Event::DebtOpened(debt) => debts.open(&self.run, debt).await?,
                Event::DebtPaid(paid) => {
                    for open in debts.list().await? {
                        let same = (open.debt.kind, &open.debt.resource, &open.debt.side)
                            == (paid.kind, &paid.resource, &paid.side);
                        if same {
                            debts.pay(&self.run, &open).await?;
                        }
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    async fn seal(&self, findings: &[Finding], redactor: &Redactor) -> Outcome<PathBuf> {
        seal(&self.store, &self.run, &self.evidence, findings, redactor).await
    }
}

/// Seals a run's bundle and registers it behind the one before; sealing it again returns what is there.
pub(crate) async fn seal(
    store: &StateStore,
    run: &RunId,
    evidence: &Path,
    findings: &[Finding],
    redactor: &Redactor,
) -> Outcome<PathBuf> {
    let lines = store.read_run(run).await?;
    let folder = store.run_folder(run);
    let plan = std::fs::read_to_string(folder.join(PLAN)).unwrap_or_default();
    let register = store.bundles();
    loop {
        let known = register.list().await?;
        let mine = known.iter().position(|bundle| bundle.run == *run);
        let before = match mine {
            Some(0) => None,
            Some(index) => known.get(index - 1),
            None => known.last(),
        };
        let previous = before.map(|bundle| Link::new(bundle.run.clone(), bundle.manifest_sha256));
        let place = register.next().await?;
        let sealed = Bundle::builder(&lines, &plan, redactor)
            .with_spool(&folder)
            .with_console(&folder.join(CONSOLE))
            .with_findings(findings)
            .seal(evidence, previous.as_ref())?;
        let Some(link) = &sealed.link else { return Ok(sealed.folder) };
        if mine.is_some() {
            return Ok(sealed.folder);
        }
        match register.register(&place, run, link.manifest_sha256).await? {
            Registration::Done(_) => return Ok(sealed.folder),
            // Another run's bundle took the place: this one is sealed anew, with a link to that.
            Registration::Taken(_) => std::fs::remove_dir_all(&sealed.folder).map_err(anyhow::Error::from)?,
        }
    }
}

/// The first interrupt lets what is in flight finish, the second does not. While nobody can write, on a terminal, the
/// first is only a warning.
async fn heed_signals(interrupts: watch::Sender<u32>, console: Arc<Mutex<Console>>) {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut interrupt), Ok(mut terminate)) =
        (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        return;
    };
    let mut warned = false;
    loop {
        tokio::select! {
            biased;
            _ = interrupt.recv() => {}
            _ = terminate.recv() => warned = true,
        }
        let since = {
            let console = console.lock().unwrap_or_else(PoisonError::into_inner);
            console.state.as_ref().and_then(RunState::nobody_can_write_since)
        };
        if let (Some(since), false, true) = (since, warned, std::io::stderr().is_terminal()) {
            warned = true;
            anstream::eprintln!(
                "NOBODY CAN WRITE since {}: the run goes on. Interrupt once more to stop it all the same.",
                since.clock()
            );
            continue;
        }
        interrupts.send_modify(|count| *count += 1);
    }
}

const INBOX_EVERY: Duration = Duration::from_millis(250);

/// Hands what others ask to the drive. A message counts as taken when the event that tells of it is durable: until
/// then a crash leaves it to the next owner, and every request is safe to repeat.
async fn read_inbox(store: StateStore, run: RunId, messages: mpsc::UnboundedSender<Message>, events: Events) {
    let mut inbox = store.inbox(&run);
    let mut waiting: Vec<(u64, Message)> = Vec::new();
    loop {
        for incoming in inbox.take_new().await.unwrap_or_default() {
            let Ok(message) = incoming.message else {
                let _ = inbox.mark_taken(incoming.number).await;
                continue;
            };
            let message = Message { request: message.request, actor: message.actor, reason: message.reason };
            if messages.send(message.clone()).is_err() {
                return;
            }
            waiting.push((incoming.number, message));
        }
        for number in take_durable(&mut waiting, &events) {
            // Shown once more to the next owner if this fails.
            let _ = inbox.mark_taken(number).await;
        }
        tokio::time::sleep(INBOX_EVERY).await;
    }
}

/// The numbers of the messages that the journal holds, which then no longer wait.
fn take_durable(waiting: &mut Vec<(u64, Message)>, events: &Events) -> Vec<u64> {
    if waiting.is_empty() {
        return Vec::new();
    }
    let events = events.lock().unwrap_or_else(PoisonError::into_inner);
    let is_in = |message: &Message| {
        events.iter().rev().any(|entry| match &entry.event {
            Event::Requested { request, actor, reason } => {
                (request, actor, reason) == (&message.request, &message.actor, &message.reason)
            }
            _ => false,
        })
    };
    waiting.extract_if(.., |(_, message)| is_in(message)).map(|(number, _)| number).collect()
}

async fn tick(view: Shared) {
    let mut interval = tokio::time::interval(Duration::from_millis(100));
    loop {
        interval.tick().await;
        view.tick();
    }
}

/// A request as a resume's arguments make it.
pub(crate) fn message(request: Request, reason: &str) -> Message {
    Message { request, actor: crate::actor::here(), reason: reason.to_owned() }
}

/// Steps by the names that a person types.
pub(crate) fn steps(names: &[String]) -> impl Iterator<Item = StepId> + '_ {
    names.iter().map(StepId::new)
}

/// The problem of a run that nobody may begin beside.
pub(crate) fn claimed(claim: &Claim, plan: &str) -> Problem {
    Problem::refused(claim.to_string()).help(format!(
        "`dr status` shows that run; `dr resume` goes on with it, `dr abort` ends it (plan {plan})"
    ))
}
