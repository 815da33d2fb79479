//! The client's seats: probers and ledgers on a thread of their own, so that neither the engine nor a slow display can
//! make a question late.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use async_trait::async_trait;
use dr_core::engine::{Finish, News};
use dr_core::event::{Event, RunState};
use dr_core::measure::{
    Acceptance, Bookkeeper, FenceWatch, Findings, LedgerLog, LedgerSpec, LossMeasured, Measurement,
    OutageMeasured, ProbeLog, ProbeLoop, ProbeSpec, SampleFile, book_of, cut, measure, measure_outage,
    next_row, reconcile,
};
use dr_core::plan::{LossSpec, OutageSpec};
use dr_core::resource::{Cancel, Canceller, Cx, Redactor, Roles, Routed};
use dr_core::{Env, Resource, ResourceName, Result, RunId, StepId, Timestamp};
use serde_json::Value;
use std::collections::BTreeMap;
use tokio::sync::mpsc;

use crate::bound::Loaded;
use crate::kept::{Kept, SHOWN_WITHIN};

/// What is measured, for whom, and where the samples go.
#[derive(Debug, Clone)]
pub(crate) struct Order {
    /// The run.
    pub run: RunId,
    /// Probers.
    pub outages: Vec<OutageSpec>,
    /// Ledgers.
    pub losses: Vec<LossSpec>,
    /// Whose answers end an outage.
    pub roles: Roles,
    /// From when.
    pub binds_from: Timestamp,
    /// The run's folder.
    pub folder: PathBuf,
    /// The run's events so far, as the pilot hears them.
    pub events: Events,
    /// Until when callers were known to be served, before the run.
    pub good_until: Option<Timestamp>,
    /// The samples of a prober that measured before the run as well.
    pub kept: Option<Kept>,
    /// Whose rows before this moment are an earlier run's account.
    pub settled_until: Option<Timestamp>,
}

/// A store's side that counts as fenced from now on.
pub(crate) type Fenced = (ResourceName, dr_core::Side);

/// The events of a run, shared with whoever writes them down.
pub(crate) type Events = Arc<std::sync::Mutex<Vec<dr_core::event::Entry>>>;

/// Probers and ledgers at work.
#[derive(Debug)]
pub(crate) struct Seats {
    order: Order,
    stop_ledgers: Canceller,
    stop_probers: Canceller,
    recovered: Vec<tokio::sync::watch::Receiver<dr_core::measure::ProbeLive>>,
    thread: Option<JoinHandle<()>>,
    resources: BTreeMap<ResourceName, Resource>,
    news: mpsc::UnboundedSender<News>,
    env: Env,
}

/// How often a fenced side is tried.
const FENCE_EVERY: Duration = Duration::from_millis(200);
/// How long the end of a run waits for callers to be served well again, once none of them remembers the old address.
const TAIL: Duration = Duration::from_secs(30);
/// How long it waits for those who remember it, however long they may.
const REMEMBERED: Duration = Duration::from_secs(300);

impl Seats {
    /// Starts them. `news` hears of every outage's begin and end; `resources` are the run's own, for reading survivors.
    pub(crate) async fn start(
        order: Order,
        loaded: Arc<Loaded>,
        resources: BTreeMap<ResourceName, Resource>,
        env: Env,
        redactor: Redactor,
        (news, fenced): (mpsc::UnboundedSender<News>, mpsc::UnboundedReceiver<Fenced>),
    ) -> Result<Self> {
        let ledgers = Cancel::pair();
        let seen = news.clone();
        let probers = Cancel::pair();
        let (ready, is_ready) = tokio::sync::oneshot::channel();
        let seat = Thread {
            order: order.clone(),
            loaded,
            env: env.clone(),
            redactor,
            news,
            fenced,
            stop_ledgers: ledgers.1,
            stop_probers: probers.1,
        };
        let thread =
            std::thread::Builder::new().name("client-seats".to_owned()).spawn(move || seat.run(ready));
        let thread = thread.map_err(|error| {
            dr_core::Error::new(dr_core::ErrorKind::Unknown, "no thread can be started to measure")
                .because(error)
        })?;
        let recovered = is_ready.await.unwrap_or_default();
        Ok(Self {
            order,
            stop_ledgers: ledgers.0,
            stop_probers: probers.0,
            recovered,
            thread: Some(thread),
            resources,
            news: seen,
            env,
        })
    }

    fn file(&self, kind: &str, index: usize) -> PathBuf {
        sample_file(&self.order.folder, kind, index)
    }

    async fn survivors(
        &self,
        loss: &LossSpec,
        book: &str,
        log: &LedgerLog,
        side: &dr_core::Side,
    ) -> Option<dr_core::resource::Survivors> {
        let ledger = self.resources.get(&loss.store)?.ledger()?;
        let last = next_row(log) - 1;
        let cx = self.cx(Duration::from_secs(10));
        ledger.survivors(&cx, side, book, 1, last).await.ok()
    }

    /// What the always-on prober saw of it, from before the run's begin: once its file shows the recovery.
    async fn measured_before(
        &self,
        index: usize,
        probe: &ResourceName,
        accept: &Acceptance,
    ) -> Option<OutageMeasured> {
        let kept = self.order.kept.as_ref()?;
        let until = tokio::time::Instant::now() + SHOWN_WITHIN;
        loop {
            let measured = measure_outage(probe, &kept.probes(index)?, accept)?;
            let whole = measured.since <= self.order.binds_from && measured.recovered.is_some();
            if whole {
                self.keep_evidence(kept, "probes", index);
                return Some(measured);
            }
            if tokio::time::Instant::now() >= until {
                return None;
            }
            // The prober makes its samples durable each second.
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// The always-on prober's files belong to the evidence.
    fn keep_evidence(&self, kept: &Kept, kind: &str, index: usize) {
        for (hour, path) in kept.files(kind, index) {
            let name = format!("{kind}-{}-{hour}.ndjson", index + 1);
            let copy = self.order.folder.join(name);
            // What cannot be copied is missing in the bundle; the figures are in the journal.
            if std::fs::copy(path, &copy).is_ok()
                && let Ok(mark) = SampleFile::open(&copy).and_then(|mut file| file.mark())
            {
                let _ = self.news.send(News::Seen(samples(mark)));
            }
        }
    }

    /// Each ledger held against what survived: those that were there before the cut first, for they know about loss.
    async fn losses(&self, serving: &dr_core::Side, cut: Option<Timestamp>) -> Vec<LossMeasured> {
        let mut losses = Vec::new();
        for (index, loss) in self.order.losses.iter().enumerate() {
            let mut logs: Vec<(String, LedgerLog)> =
                self.order.kept.as_ref().map(|kept| kept.ledgers(index)).unwrap_or_default();
            if let Some(settled) = self.order.settled_until {
                let samples =
                    logs.iter_mut().flat_map(|(_, log)| &mut log.sittings).map(|(_, samples)| samples);
                samples.for_each(|samples| samples.retain(|sample| sample.at > settled));
            }
            if let (Some(kept), false) = (&self.order.kept, logs.is_empty()) {
                self.keep_evidence(kept, "ledger", index);
            }
            let bytes = tokio::fs::read(self.file("ledger", index)).await.unwrap_or_default();
            logs.extend(LedgerLog::parse(&bytes).ok().map(|log| (book_of(&self.order.run), log)));
            let mut of_store = Vec::new();
            for (book, log) in logs.iter().filter(|(_, log)| !log.is_empty()) {
                let survivors = self.survivors(loss, book, log, serving).await;
                of_store.push(reconcile(&loss.store, log, survivors.as_ref(), cut));
            }
            of_store.sort_by_key(|loss| loss.lost_span.is_none());
            losses.extend(of_store);
        }
        losses
    }

    fn cx(&self, within: Duration) -> Cx {
        let mut cx = Cx::new(self.order.run.clone(), StepId::new("measure"), within);
        cx.clock = self.env.clock();
        cx
    }

    /// Waits until every prober's callers are served, or the time is up.
    async fn tail(&mut self, patience: Duration) {
        let wait = async {
            for live in &mut self.recovered {
                // A prober that is gone says nothing more.
                let _ = live.wait_for(|live| live.out_since.is_none()).await;
            }
        };
        let _ = tokio::time::timeout(patience, wait).await;
    }

    /// Stops everything and awaits the thread.
    pub(crate) async fn stop(&mut self) {
        self.stop_ledgers.cancel();
        self.stop_probers.cancel();
        if let Some(thread) = self.thread.take() {
            let _ = tokio::task::spawn_blocking(move || thread.join()).await;
        }
    }
}

fn sample_file(folder: &Path, kind: &str, index: usize) -> PathBuf {
    match index {
        0 => folder.join(format!("{kind}.ndjson")),
        _ => folder.join(format!("{kind}-{}.ndjson", index + 1)),
    }
}

#[async_trait]
impl Finish for Seats {
    async fn finish(&mut self, state: &RunState) -> Option<Measurement> {
        let serving = serving_side(state);
        // A run that went back waits for nobody on the target.
        if state.is_past_no_return() {
            let applied = state.steps.values().filter_map(|step| step.applied.as_ref());
            self.tail(patience(applied.map(|applied| &applied.data), self.env.now())).await;
        }
        self.stop().await;
        let mut outages: Vec<OutageMeasured> = Vec::new();
        for (index, outage) in self.order.outages.iter().enumerate() {
            let bytes = tokio::fs::read(self.file("probes", index)).await.unwrap_or_default();
            let accept = Acceptance::new(outage).served_by(serving.clone(), self.order.binds_from);
            let own =
                ProbeLog::parse(&bytes).ok().and_then(|log| measure_outage(&outage.probe, &log, &accept));
            outages.extend(self.measured_before(index, &outage.probe, &accept).await.or(own));
        }
        let entries = self.order.events.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone();
        let cut = cut(&state.began, &entries, &outages);
        let losses = self.losses(&serving, cut).await;
        Some(measure(
            &state.began,
            &entries,
            Findings { outages, losses, good_until: self.order.good_until, ..Findings::default() },
        ))
    }
}

/// How long callers may take until they are served: those who remember an old address do not ask before its TTL is over.
/// Without them the outage would have no end, and so the run no RTO.
fn patience<'a>(outcomes: impl Iterator<Item = &'a Value>, now: Timestamp) -> Duration {
    let routed = outcomes.filter_map(|outcome| serde_json::from_value::<Routed>(outcome.clone()).ok());
    let forgotten = routed.map(|routed| routed.last_old_answer.plus(routed.old_ttl)).max();
    TAIL + forgotten.map_or(Duration::ZERO, |at| at.since(now)).min(REMEMBERED)
}

/// The side that serves when the run ends: the target once a promotion succeeded, else the source.
fn serving_side(state: &RunState) -> dr_core::Side {
    if state.is_past_no_return() {
        state.began.roles.target.clone()
    } else {
        state.began.roles.source.clone()
    }
}

struct Thread {
    order: Order,
    loaded: Arc<Loaded>,
    env: Env,
    redactor: Redactor,
    news: mpsc::UnboundedSender<News>,
    fenced: mpsc::UnboundedReceiver<Fenced>,
    stop_ledgers: Cancel,
    stop_probers: Cancel,
}

type Lives = Vec<tokio::sync::watch::Receiver<dr_core::measure::ProbeLive>>;

impl Thread {
    fn run(self, ready: tokio::sync::oneshot::Sender<Lives>) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        if let Ok(runtime) = runtime {
            runtime.block_on(self.measure(ready));
        }
    }

    /// The seats have connections of their own, made on this thread.
    async fn measure(mut self, ready: tokio::sync::oneshot::Sender<Lives>) {
        let Ok(resources) = self.loaded.connect(&self.env, &self.redactor).await else { return };
        let mut tasks = tokio::task::JoinSet::new();
        let mut lives = Vec::new();
        for (index, outage) in self.order.outages.iter().enumerate() {
            let prober = resources.get(&outage.probe).and_then(Resource::prober);
            let file = SampleFile::open(&sample_file(&self.order.folder, "probes", index));
            let (Some(prober), Ok(file)) = (prober, file) else { continue };
            let file = file.redacted_by(&self.redactor);
            let mut spec = ProbeSpec::new(outage);
            spec.accept =
                Acceptance::new(outage).served_by(self.order.roles.target.clone(), self.order.binds_from);
            let (probe, mut watch) = ProbeLoop::new(spec, prober, self.env.clock(), file);
            lives.push(watch.live.clone());
            let (news, stop) = (self.news.clone(), self.stop_probers.clone());
            tasks.spawn(async move {
                let tell = async {
                    while let Some(seen) = watch.seen.recv().await {
                        let _ = news.send(News::Seen(Event::Outage(seen)));
                    }
                };
                let (mut file, ()) = tokio::join!(probe.run(stop), tell);
                if let Ok(mark) = file.mark() {
                    let _ = news.send(News::Seen(samples(mark)));
                }
            });
        }
        for (index, loss) in self.order.losses.iter().enumerate() {
            self.ledger(index, loss, &resources, &mut tasks).await;
        }
        let _ = ready.send(lives);
        loop {
            tokio::select! {
                biased;
                Some((store, side)) = self.fenced.recv() => self.watch_fence(&store, side, &resources, &mut tasks),
                joined = tasks.join_next() => if joined.is_none() && self.stop_probers.is_cancelled() { return },
                () = self.stop_probers.cancelled(), if tasks.is_empty() => return,
            }
        }
    }

    /// A second ledger tries the fenced side: one acknowledgement is a broken fence.
    fn watch_fence(
        &self,
        store: &ResourceName,
        side: dr_core::Side,
        resources: &BTreeMap<ResourceName, Resource>,
        tasks: &mut tokio::task::JoinSet<()>,
    ) {
        let Some(via) = resources.get(store).and_then(Resource::ledger) else { return };
        let (watch, mut watched) = FenceWatch::new(&self.order.run, side, via, self.env.clock(), FENCE_EVERY);
        let (news, stop) = (self.news.clone(), self.stop_probers.clone());
        tasks.spawn(async move {
            let alarm = async {
                if let Ok(seen) = watched.wait_for(|watched| watched.broken.is_some()).await
                    && let Some(broken) = &seen.broken
                {
                    let text =
                        format!("{} counts as fenced and acknowledged a write at {}", broken.side, broken.at);
                    let _ = news.send(News::BrokenFence(text));
                }
            };
            tokio::join!(watch.run(stop), alarm);
        });
    }

    async fn ledger(
        &self,
        index: usize,
        loss: &LossSpec,
        resources: &BTreeMap<ResourceName, Resource>,
        tasks: &mut tokio::task::JoinSet<()>,
    ) {
        let via = resources.get(loss.via.as_ref().unwrap_or(&loss.store)).and_then(Resource::ledger);
        let path = sample_file(&self.order.folder, "ledger", index);
        let known = std::fs::read(&path).ok().and_then(|bytes| LedgerLog::parse(&bytes).ok());
        let (Some(via), Ok(file)) = (via, SampleFile::open(&path)) else { return };
        let mut spec = LedgerSpec::new(loss, &self.order.run);
        spec.first = known.as_ref().map_or(1, next_row);
        if let Some(store) = resources.get(&loss.store).and_then(Resource::ledger) {
            let mut cx = Cx::new(self.order.run.clone(), StepId::new("measure"), Duration::from_secs(1));
            cx.clock = self.env.clock();
            // Without a writer the book cannot be opened; the rows then say so, one by one.
            let _ = store.open(&cx, &spec.book).await;
        }
        let file = file.redacted_by(&self.redactor);
        let (keeper, _live) = Bookkeeper::new(spec, via, self.env.clock(), file);
        let (news, stop) = (self.news.clone(), self.stop_ledgers.clone());
        tasks.spawn(async move {
            if let Ok(mut file) = keeper.run(stop).await
                && let Ok(mark) = file.mark()
            {
                let _ = news.send(News::Seen(samples(mark)));
            }
        });
    }
}

fn samples(mark: dr_core::measure::SampleMark) -> Event {
    Event::Samples { file: mark.file, sha256: mark.sha256, bytes: mark.bytes }
}

#[cfg(test)]
mod tests {
    use dr_core::Side;
    use dr_core::resource::Propagation;
    use serde_json::json;

    use super::*;

    #[test]
    fn the_end_waits_until_the_old_answers_are_forgotten_and_not_for_hours() {
        let last: Timestamp = "2026-11-26T00:00:00Z".parse().unwrap();
        let routed = |ttl| {
            let side = Side::new("eu-central-1");
            let ttl = Duration::from_secs(ttl);
            serde_json::to_value(Routed::new(side, Propagation::Answers, last, ttl)).unwrap()
        };
        let waits = |outcomes: &[Value], later| {
            patience(outcomes.iter(), last.plus(Duration::from_secs(later))).as_secs()
        };
        assert_eq!(waits(&[json!({ "facts": {} })], 0), 30);
        assert_eq!(waits(&[routed(1), json!(null), routed(60)], 10), 80);
        assert_eq!(waits(&[routed(60)], 70), 30);
        assert_eq!(waits(&[routed(86_400)], 0), 330);
    }
}
