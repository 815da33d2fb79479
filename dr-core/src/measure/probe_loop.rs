//! The prober: an open loop of questions.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until, timeout};

use super::acceptance::Acceptance;
use super::log::Sitting;
use super::sample::Sample;
use super::sample_file::{SampleMark, SampleSink};
use super::tracker::Tracker;
use crate::env::Clock;
use crate::event::OutageSeen;
use crate::ids::ResourceName;
use crate::plan::OutageSpec;
use crate::resource::{Answer, Ask, Cancel, Health, Prober, Seat, SeatKind};
use crate::time::{Timestamp, show_duration};

const SYNC_EVERY: Duration = Duration::from_secs(1);

/// What is asked, how often and how patiently.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProbeSpec {
    /// Which resource is asked.
    pub probe: ResourceName,
    /// How often: each seat is asked at each due time. Not less than a millisecond.
    pub every: Duration,
    /// How long a caller waits for an answer. At most `within / every` questions of a seat are open at a time.
    pub within: Duration,
    /// The seats.
    pub seats: Vec<SeatKind>,
    /// What ends an outage. Where it wants a write, each question writes.
    pub accept: Acceptance,
}

impl ProbeSpec {
    /// Both seats, two seconds' patience, whoever answers.
    pub fn new(spec: &OutageSpec) -> Self {
        Self {
            probe: spec.probe.clone(),
            every: spec.every,
            within: Duration::from_secs(2),
            seats: vec![SeatKind::Caching, SeatKind::Kept],
            accept: Acceptance::new(spec),
        }
    }
}

/// What a prober knows at this moment. The figures of the evidence come from its samples, not from here.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ProbeLive {
    /// Since when callers are out; `None`: they are not.
    pub out_since: Option<Timestamp>,
    /// The sample that was settled last.
    pub last: Option<Sample>,
    /// How long the last good answer took, in milliseconds.
    pub latency_ms: Option<f64>,
    /// How many samples were settled.
    pub asked: u64,
    /// How many of them were not answered well.
    pub failed: u64,
    /// How far the samples are durable.
    pub mark: Option<SampleMark>,
    /// Why samples are not recorded; `None`: they are.
    pub unrecorded: Option<String>,
}

/// The other end of a [`ProbeLoop`].
#[derive(Debug)]
pub struct ProbeWatch {
    /// What it knows now.
    pub live: watch::Receiver<ProbeLive>,
    /// Each begin and end of an outage, as it is seen.
    pub seen: mpsc::UnboundedReceiver<OutageSeen>,
}

/// Asks at each due time, whether or not the question before was answered: a black hole is one sample for each due
/// time and not one for all.
///
/// A sample is dated by its due time and waits for nobody else's. A due time that the process slept through (it was
/// stopped, its machine was) is not asked late and has no sample: a hole, which widens the outage beside it.
///
/// The **caching** seat has several questions open, each on a caller of its own; callers that are free are used again,
/// the last one first, with what they have cached. The **kept** seat is one connection and has one question open. What
/// falls due meanwhile waits for the connection and then shares one question, dated by its own due time; an answer
/// that comes later than its patience is none. If the open question is not answered at all, neither are those that
/// wait for it, but for the last one: a caller that keeps its connection got nothing in that time.
///
/// Run it on a thread of its own: it makes the samples durable each second, which may block. Dropped, it leaves all
/// but the last second's samples behind.
pub struct ProbeLoop<S> {
    spec: ProbeSpec,
    prober: Arc<dyn Prober>,
    clock: Arc<dyn Clock>,
    sink: S,
    live: watch::Sender<ProbeLive>,
    seen: mpsc::UnboundedSender<OutageSeen>,
    tracker: Tracker,
    free: Vec<Box<dyn Seat>>,
    kept: Kept,
    open: FuturesUnordered<BoxFuture<'static, Answered>>,
}

#[derive(Default)]
struct Kept {
    seat: Option<Box<dyn Seat>>,
    busy: bool,
    waiting: Vec<Due>,
}

/// One due time.
#[derive(Debug, Clone, Copy)]
struct Due {
    slot: u64,
    at: Instant,
    wall: Timestamp,
    after_begin: Duration,
}

/// One question that came back.
struct Answered {
    kind: SeatKind,
    /// `None`: it did not keep to its time and was thrown away.
    seat: Option<Box<dyn Seat>>,
    /// Each with how long it had waited for the connection.
    dues: Vec<(Due, Duration)>,
    answer: Answer,
}

impl<S: SampleSink> ProbeLoop<S> {
    /// A loop and its other end.
    pub fn new(
        spec: ProbeSpec,
        prober: Arc<dyn Prober>,
        clock: Arc<dyn Clock>,
        sink: S,
    ) -> (Self, ProbeWatch) {
        let (live, live_receiver) = watch::channel(ProbeLive::default());
        let (seen, seen_receiver) = mpsc::unbounded_channel();
        let spec = ProbeSpec { every: spec.every.max(Duration::from_millis(1)), ..spec };
        let tracker = Tracker::new(spec.probe.clone(), spec.accept.clone());
        let this = Self {
            spec,
            prober,
            clock,
            sink,
            live,
            seen,
            tracker,
            free: Vec::new(),
            kept: Kept::default(),
            open: FuturesUnordered::new(),
        };
        (this, ProbeWatch { live: live_receiver, seen: seen_receiver })
    }

    /// Asks until it is told to stop; then waits for the open questions, no longer than their patience, and gives the
    /// sink back with everything durable, as far as [`ProbeLive::unrecorded`] says nothing else.
    pub async fn run(mut self, stop: Cancel) -> S {
        let begun = Instant::now();
        let sitting =
            Sitting { begun: self.clock.now(), of: self.spec.probe.clone(), every: self.spec.every };
        let recorded = self.sink.begin(&sitting);
        self.note(recorded);
        let mut next = 0;
        let mut sync_at = begun + SYNC_EVERY;
        let mut stopping = false;
        while !(stopping && self.open.is_empty()) {
            tokio::select! {
                biased;
                () = stop.cancelled(), if !stopping => stopping = true,
                () = sleep_until(self.due_at(begun, next)), if !stopping => {
                    let due = self.latest_due(begun, next);
                    next = due.slot + 1;
                    self.ask_all(due);
                }
                Some(answered) = self.open.next(), if !self.open.is_empty() => self.settle(answered),
                () = sleep_until(sync_at) => {
                    self.sync();
                    sync_at = Instant::now() + SYNC_EVERY;
                }
            }
        }
        self.sync();
        self.sink
    }

    fn due_at(&self, begun: Instant, slot: u64) -> Instant {
        begun + after(slot, self.spec.every)
    }

    /// The last due time that has come: those between it and `next` were slept through.
    fn latest_due(&self, begun: Instant, next: u64) -> Due {
        let passed = begun.elapsed().as_nanos() / self.spec.every.as_nanos();
        let slot = u64::try_from(passed).unwrap_or(u64::MAX).max(next);
        let after_begin = after(slot, self.spec.every);
        let at = begun + after_begin;
        Due { slot, at, wall: self.clock.now().minus(at.elapsed()), after_begin }
    }

    fn ask_all(&mut self, due: Due) {
        for kind in self.spec.seats.clone() {
            match kind {
                SeatKind::Caching => {
                    let seat = self.free.pop().unwrap_or_else(|| self.prober.seat(kind));
                    self.ask(kind, seat, vec![(due, Duration::ZERO)]);
                }
                SeatKind::Kept => {
                    if self.kept.busy {
                        self.kept.waiting.push(due);
                    } else {
                        self.ask_kept(vec![(due, Duration::ZERO)]);
                    }
                }
            }
        }
    }

    fn ask_kept(&mut self, dues: Vec<(Due, Duration)>) {
        self.kept.busy = true;
        let seat = self.kept.seat.take().unwrap_or_else(|| self.prober.seat(SeatKind::Kept));
        self.ask(SeatKind::Kept, seat, dues);
    }

    fn ask(&mut self, kind: SeatKind, mut seat: Box<dyn Seat>, dues: Vec<(Due, Duration)>) {
        let ask = Ask { write: self.spec.accept.write };
        let within = self.spec.within;
        let question = async move {
            let answer = timeout(within, seat.ask(ask, within)).await;
            match answer {
                Ok(answer) => Answered { kind, seat: Some(seat), dues, answer },
                Err(_) => Answered { kind, seat: None, dues, answer: Answer::none(silence(within), within) },
            }
        };
        self.open.push(question.boxed());
    }

    fn settle(&mut self, answered: Answered) {
        let Answered { kind, seat, dues, answer } = answered;
        let silent = matches!(answer.health, Health::None { .. });
        for (due, waited) in dues {
            self.put(kind, due, Answer { took: waited + answer.took, ..answer.clone() });
        }
        match kind {
            SeatKind::Caching => self.free.extend(seat),
            SeatKind::Kept => {
                self.kept.seat = seat;
                self.kept.busy = false;
                let mut again = Vec::new();
                for due in std::mem::take(&mut self.kept.waiting) {
                    let waited = due.at.elapsed();
                    if silent && waited >= self.spec.every {
                        let why = "the connection still waited for an earlier answer";
                        self.put(kind, due, Answer::none(why, waited));
                    } else {
                        again.push((due, waited));
                    }
                }
                if !again.is_empty() {
                    self.ask_kept(again);
                }
            }
        }
    }

    /// Records one due time's fate.
    fn put(&mut self, kind: SeatKind, due: Due, mut answer: Answer) {
        if answer.took > self.spec.within && answer.is_good() {
            answer = Answer::none(silence(self.spec.within), answer.took);
        }
        let due_ms = u64::try_from(due.after_begin.as_millis()).unwrap_or(u64::MAX);
        let sample = Sample::new(due.wall, due_ms, kind, answer);
        let well = self.spec.accept.is_well(&sample);
        if let Some(seen) = self.tracker.take(due.slot, &sample) {
            // Nobody has to listen.
            let _ = self.seen.send(seen);
        }
        let recorded = self.sink.put(&sample);
        let out_since = self.tracker.out_since();
        self.live.send_modify(|live| {
            live.out_since = out_since;
            live.asked += 1;
            live.failed += u64::from(!well);
            if well {
                live.latency_ms = Some(sample.took_ms);
            }
            live.last = Some(sample);
        });
        self.note(recorded);
    }

    fn sync(&mut self) {
        match self.sink.sync() {
            Ok(mark) => {
                self.live.send_modify(|live| live.mark = mark);
            }
            Err(error) => self.note(Err(error)),
        }
    }

    fn note(&self, recorded: crate::Result<()>) {
        if let Err(error) = recorded {
            self.live.send_modify(|live| {
                live.unrecorded.get_or_insert_with(|| error.chain());
            });
        }
    }
}

impl<S: fmt::Debug> fmt::Debug for ProbeLoop<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProbeLoop")
            .field("spec", &self.spec)
            .field("prober", &self.prober)
            .field("sink", &self.sink)
            .finish_non_exhaustive()
    }
}

fn after(slot: u64, every: Duration) -> Duration {
    let nanos = every.as_nanos().saturating_mul(u128::from(slot));
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

fn silence(within: Duration) -> String {
    format!("no answer within {}", show_duration(within))
}
