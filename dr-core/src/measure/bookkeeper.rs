//! The write ledger: numbered rows at a steady pace, the way that callers write.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout_at};

use super::log::{LedgerLog, Sitting};
use super::sample::{LedgerSample, RowState};
use super::sample_file::RowSink;
use crate::env::Clock;
use crate::error::Result;
use crate::ids::{ResourceName, RunId, StepId};
use crate::plan::LossSpec;
use crate::resource::{Cancel, Cx, Ledger, LedgerRow, Written};
use crate::time::Timestamp;

/// Under which name a run's rows are kept, so that two runs never count each other's.
pub fn book_of(run: &RunId) -> String {
    run.to_string()
}

/// What is written, how often and how patiently.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedgerSpec {
    /// Which store the rows end in.
    pub store: ResourceName,
    /// Whose rows they are.
    pub run: RunId,
    /// The book's name, [`book_of`] the run.
    pub book: String,
    /// How often. Not less than a millisecond.
    pub every: Duration,
    /// How long a write may take before nobody knows about it.
    pub within: Duration,
    /// The first row. A resumed run goes on at [`next_row`].
    pub first: LedgerRow,
}

impl LedgerSpec {
    /// A run's book from row 1 on, with two seconds' patience.
    pub fn new(spec: &LossSpec, run: &RunId) -> Self {
        Self {
            store: spec.store.clone(),
            run: run.clone(),
            book: book_of(run),
            every: spec.every,
            within: Duration::from_secs(2),
            first: 1,
        }
    }
}

/// The first row that no earlier process has tried: a row's number is used once.
pub fn next_row(log: &LedgerLog) -> LedgerRow {
    log.sittings
        .iter()
        .flat_map(|(_, samples)| samples)
        .map(|sample| sample.row)
        .max()
        .unwrap_or(0)
        .saturating_add(1)
}

/// What a ledger knows at this moment.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct LedgerLive {
    /// How many rows were tried.
    pub attempted: u64,
    /// How many the store said are durable.
    pub acknowledged: u64,
    /// How many it said no to.
    pub refused: u64,
    /// How many nobody knows about.
    pub unknown: u64,
    /// When the last acknowledged row was sent.
    pub last_acknowledged: Option<Timestamp>,
    /// Since when no row was acknowledged; `None`: the last one was.
    pub silent_since: Option<Timestamp>,
}

/// Writes row after row, one at a time.
///
/// Each row is recorded durably before it is sent, and its fate before the next one is: what the file says was
/// acknowledged was, and what it does not know nobody knows. A row's number is never used twice. A write that does not
/// end within its patience is given up, and the row is unknown.
///
/// Run it on a thread of its own: recording blocks.
pub struct Bookkeeper<S> {
    spec: LedgerSpec,
    via: Arc<dyn Ledger>,
    clock: Arc<dyn Clock>,
    sink: S,
    live: watch::Sender<LedgerLive>,
}

impl<S: RowSink> Bookkeeper<S> {
    /// A ledger over an open book, and what it knows.
    pub fn new(
        spec: LedgerSpec,
        via: Arc<dyn Ledger>,
        clock: Arc<dyn Clock>,
        sink: S,
    ) -> (Self, watch::Receiver<LedgerLive>) {
        let (live, receiver) = watch::channel(LedgerLive::default());
        (Self { spec, via, clock, sink, live }, receiver)
    }

    /// Writes until it is told to stop; a write on its way is awaited, no longer than its patience.
    ///
    /// # Errors
    /// If a row could not be recorded. Nothing more is written then.
    pub async fn run(mut self, stop: Cancel) -> Result<S> {
        let mut pace = Pace::new(self.spec.every);
        let begun = Instant::now();
        self.sink.begin(&Sitting {
            begun: self.clock.now(),
            of: self.spec.store.clone(),
            every: self.spec.every,
        })?;
        let mut row = self.spec.first;
        while pace.next(&stop).await {
            let sample = LedgerSample {
                row,
                at: self.clock.now(),
                sent_ms: u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX),
                state: RowState::Attempted,
                took_ms: None,
            };
            self.sink.put(&sample)?;
            let sent = Instant::now();
            let cx = cx(&self.spec.run, &self.clock, self.spec.within);
            let written = timeout_at(cx.deadline, self.via.write(&cx, &self.spec.book, row)).await;
            let written = written.unwrap_or(Written::Unknown);
            let took_ms = Some(sent.elapsed().as_secs_f64() * 1e3);
            self.sink.put(&LedgerSample { state: written.into(), took_ms, ..sample.clone() })?;
            self.live.send_modify(|live| live.count(written, sample.at));
            row += 1;
        }
        Ok(self.sink)
    }
}

impl LedgerLive {
    fn count(&mut self, written: Written, at: Timestamp) {
        self.attempted += 1;
        match written {
            Written::Acked => {
                self.acknowledged += 1;
                self.last_acknowledged = Some(at);
                self.silent_since = None;
            }
            Written::Refused => {
                self.refused += 1;
                self.silent_since.get_or_insert(at);
            }
            Written::Unknown => {
                self.unknown += 1;
                self.silent_since.get_or_insert(at);
            }
        }
    }
}

impl<S: fmt::Debug> fmt::Debug for Bookkeeper<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bookkeeper")
            .field("spec", &self.spec)
            .field("via", &self.via)
            .field("sink", &self.sink)
            .finish_non_exhaustive()
    }
}

/// A steady pace that does not hurry after a pause.
#[derive(Debug)]
pub(super) struct Pace {
    every: Duration,
    due: Instant,
}

impl Pace {
    pub(super) fn new(every: Duration) -> Self {
        Self { every: every.max(Duration::from_millis(1)), due: Instant::now() }
    }

    /// Returns at the next due time, or `false` as soon as it is time to stop.
    pub(super) async fn next(&mut self, stop: &Cancel) -> bool {
        tokio::select! {
            biased;
            () = stop.cancelled() => false,
            () = sleep_until(self.due) => {
                let now = Instant::now();
                self.due += self.every;
                if self.due <= now {
                    self.due = now + self.every;
                }
                true
            }
        }
    }
}

pub(super) fn cx(run: &RunId, clock: &Arc<dyn Clock>, within: Duration) -> Cx {
    let mut cx = Cx::new(run.clone(), StepId::new("measure"), within);
    cx.clock = Arc::clone(clock);
    cx
}
