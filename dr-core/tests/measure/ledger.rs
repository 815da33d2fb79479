//! The write ledger, the fence watch and what they find.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use dr_core::measure::{
    Bookkeeper, FenceWatch, LedgerLog, LedgerSample, LedgerSpec, LossMeasured, RowSink, RowState, SampleFile,
    SampleLog, Sitting, next_row, reconcile,
};
use dr_core::resource::{Cancel, Cx, Ledger, LedgerRow, Survivors, Written};
use dr_core::{Clock, Error, Result, Side, Timestamp, TokioClock, async_trait};
use proptest::prelude::*;
use tokio::time::{Instant, sleep};

/// A store that answers by its row's number, and notes what it was asked.
#[derive(Debug)]
struct Scripted {
    answers: fn(LedgerRow) -> Option<Written>,
    asked: Mutex<Vec<(String, LedgerRow)>>,
}

impl Scripted {
    fn new(answers: fn(LedgerRow) -> Option<Written>) -> Arc<Self> {
        Arc::new(Self { answers, asked: Mutex::default() })
    }

    async fn take(&self, book: &str, row: LedgerRow) -> Written {
        let count = {
            let mut asked = self.asked.lock().unwrap();
            asked.push((book.to_owned(), row));
            LedgerRow::try_from(asked.len()).unwrap()
        };
        match (self.answers)(count) {
            Some(written) => {
                sleep(Duration::from_millis(5)).await;
                written
            }
            None => std::future::pending().await,
        }
    }
}

#[async_trait]
impl Ledger for Scripted {
    async fn open(&self, _: &Cx, _: &str) -> Result<()> {
        Ok(())
    }
    async fn write(&self, _: &Cx, book: &str, row: LedgerRow) -> Written {
        self.take(book, row).await
    }
    async fn write_to(&self, _: &Cx, _: &Side, book: &str, row: LedgerRow) -> Written {
        self.take(book, row).await
    }
    async fn survivors(&self, _: &Cx, side: &Side, _: &str, _: LedgerRow, _: LedgerRow) -> Result<Survivors> {
        Ok(Survivors { side: side.clone(), rows: BTreeSet::new() })
    }
    async fn close(&self, _: &Cx, _: &str) -> Result<()> {
        Ok(())
    }
}

fn clock() -> Arc<dyn Clock> {
    Arc::new(TokioClock::starting_at(Timestamp::from_millis(0)))
}

fn spec() -> LedgerSpec {
    LedgerSpec {
        store: "orders".into(),
        run: "run-1".into(),
        book: "run-1".into(),
        every: Duration::from_millis(100),
        within: Duration::from_secs(1),
        first: 1,
    }
}

async fn stop_after(millis: u64) -> Cancel {
    let (canceller, stop) = Cancel::pair();
    tokio::spawn(async move {
        sleep(Duration::from_millis(millis)).await;
        canceller.cancel();
    });
    stop
}

fn fates(log: &LedgerLog) -> Vec<(LedgerRow, RowState)> {
    log.sittings.iter().flat_map(|(_, rows)| rows).map(|sample| (sample.row, sample.state)).collect()
}

#[tokio::test(start_paused = true)]
async fn each_row_is_recorded_before_it_is_sent_and_after() {
    let (keeper, live) = Bookkeeper::new(
        spec(),
        Scripted::new(|row| match row {
            1 => Some(Written::Acked),
            2 => Some(Written::Refused),
            _ => None,
        }),
        clock(),
        LedgerLog::default(),
    );
    let log = keeper.run(stop_after(250).await).await.unwrap();
    assert_eq!(
        fates(&log),
        [
            (1, RowState::Attempted),
            (1, RowState::Acked),
            (2, RowState::Attempted),
            (2, RowState::Refused),
            (3, RowState::Attempted),
            (3, RowState::Unknown),
        ]
    );
    let live = live.borrow();
    assert_eq!((live.attempted, live.acknowledged, live.refused, live.unknown), (3, 1, 1, 1));
    assert_eq!(live.silent_since, Some(Timestamp::from_millis(100)));
    assert_eq!(next_row(&log), 4);
}

#[tokio::test(start_paused = true)]
async fn a_write_that_hangs_is_given_up_and_the_next_row_is_another() {
    let store = Scripted::new(|row| (row > 1).then_some(Written::Acked));
    let (keeper, _) = Bookkeeper::new(spec(), Arc::clone(&store) as _, clock(), LedgerLog::default());
    let begun = Instant::now();
    keeper.run(stop_after(1_250).await).await.unwrap();
    let rows: Vec<LedgerRow> = store.asked.lock().unwrap().iter().map(|(_, row)| *row).collect();
    assert_eq!(rows, [1, 2, 3, 4], "no hurry after the pause: {:?}", begun.elapsed());
}

#[derive(Debug, Default)]
struct FullDisk {
    room: usize,
}

impl RowSink for FullDisk {
    fn begin(&mut self, _: &Sitting) -> Result<()> {
        Ok(())
    }
    fn put(&mut self, _: &LedgerSample) -> Result<()> {
        self.room = self.room.checked_sub(1).ok_or_else(|| Error::invalid("no space left on device"))?;
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn a_row_that_cannot_be_recorded_is_not_written() {
    for (room, written) in [(0, 0), (1, 1), (2, 1), (3, 2)] {
        let store = Scripted::new(|_| Some(Written::Acked));
        let (keeper, _) = Bookkeeper::new(spec(), Arc::clone(&store) as _, clock(), FullDisk { room });
        assert!(keeper.run(Cancel::never()).await.is_err());
        assert_eq!(store.asked.lock().unwrap().len(), written, "{room}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_resumed_ledger_goes_on_behind_every_number_that_was_tried() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.ndjson");
    let mut spec = spec();
    for expected in [1, 4] {
        let log = std::fs::read(&path)
            .map_or_else(|_| LedgerLog::default(), |bytes| SampleLog::parse(&bytes).unwrap());
        spec.first = next_row(&log);
        assert_eq!(spec.first, expected);
        let file = SampleFile::open(&path).unwrap();
        let (keeper, _) =
            Bookkeeper::new(spec.clone(), Scripted::new(|_| Some(Written::Acked)), clock(), file);
        keeper.run(stop_after(250).await).await.unwrap();
    }
    let log: LedgerLog = SampleLog::parse(&std::fs::read(&path).unwrap()).unwrap();
    assert_eq!(log.sittings.len(), 2);
    assert_eq!(reconcile(&"orders".into(), &log, None, None).acknowledged, 6);
}

#[tokio::test(start_paused = true)]
async fn one_acknowledgement_is_a_broken_fence() {
    let store = Scripted::new(|row| match row {
        1 => Some(Written::Refused),
        2 => None,
        _ => Some(Written::Acked),
    });
    let every = Duration::from_millis(100);
    let (watch, mut seen) =
        FenceWatch::new(&"run-1".into(), "us".into(), Arc::clone(&store) as _, clock(), every);
    let (end, _) = tokio::join!(watch.run(Cancel::never()), seen.wait_for(|seen| seen.broken.is_some()));
    assert_eq!((end.tried, end.refused, end.unknown), (3, 1, 1));
    let broken = end.broken.unwrap();
    assert_eq!((broken.side.as_str(), broken.book.as_str()), ("us", "run-1-fence"));
    assert!(store.asked.lock().unwrap().iter().all(|(book, _)| book == "run-1-fence"));
}

#[tokio::test(start_paused = true)]
async fn an_acknowledgement_that_comes_while_it_stops_still_counts() {
    let store = Scripted::new(|_| Some(Written::Acked));
    let (watch, _seen) = FenceWatch::new(&"r".into(), "us".into(), store, clock(), Duration::from_secs(1));
    assert!(watch.run(stop_after(2).await).await.broken.is_some());
}

/// One letter a row, every 100 ms: `a` acked, `r` refused, `u` unknown, `h` attempted only.
fn book(text: &str) -> LedgerLog {
    let sample = |row: LedgerRow, state, took_ms| {
        let sent_ms = u64::try_from(row).unwrap() * 100;
        let at = Timestamp::from_millis(row * 100);
        LedgerSample { row, at, sent_ms, state, took_ms }
    };
    let rows = text.chars().zip(1..).flat_map(|(letter, row)| {
        let fate = match letter {
            'a' => Some(RowState::Acked),
            'r' => Some(RowState::Refused),
            'u' => Some(RowState::Unknown),
            _ => None,
        };
        let fate = fate.map(|state| sample(row, state, Some(10.0)));
        [Some(sample(row, RowState::Attempted, None)), fate].into_iter().flatten()
    });
    let sitting =
        Sitting { begun: Timestamp::from_millis(0), of: "orders".into(), every: Duration::from_millis(100) };
    SampleLog { sittings: vec![(sitting, rows.collect())] }
}

fn found(text: &str, survivors: &[LedgerRow], cut: Option<i64>) -> LossMeasured {
    let survivors = Survivors { side: "eu".into(), rows: survivors.iter().copied().collect() };
    reconcile(&"orders".into(), &book(text), Some(&survivors), cut.map(Timestamp::from_millis))
}

#[test]
fn acknowledged_and_absent_is_lost_and_unacknowledged_and_there_is_recovered() {
    let loss = found("aaauhra", &[1, 2, 4, 5], Some(800));
    assert_eq!((loss.attempted, loss.acknowledged, loss.unknown), (7, 4, 2));
    assert_eq!((loss.lost, loss.recovered), (Some(vec![3, 7]), Some(2)));
}

#[test]
fn nothing_lost_is_zero_only_where_something_was_acknowledged_before() {
    assert_eq!(found("aaa", &[1, 2, 3], Some(250)).lost_span, Some(0.0));
    assert_eq!(found("uaa", &[2, 3], Some(150)).lost_span, None);
    assert_eq!(found("", &[], None).lost_span, None);
}

/// P4: a sample that lost nothing still has an error.
/// Found: the RPO was at most zero while a client beside the ledger had lost a row.
#[test]
fn a_ledger_that_lost_nothing_knows_nothing_of_what_was_written_after_its_last_row() {
    let loss = found("aaa", &[1, 2, 3], Some(450));
    assert_eq!((loss.lost_span, loss.lost_span_at_most), (Some(0.0), Some(0.15)));
    let loss = found("aaaaa", &[1, 2, 3, 4, 5], Some(450));
    assert_eq!(loss.lost_span_at_most, Some(0.05), "rows of the new writer say nothing of the old one");
    assert_eq!(found("aaa", &[1, 2, 3], None).lost_span_at_most, Some(0.0), "nothing was cut");
}

#[test]
fn survivors_that_could_not_be_read_leave_everything_unknown() {
    let loss = reconcile(&"orders".into(), &book("aaa"), None, None);
    assert_eq!((loss.lost, loss.recovered, loss.lost_span, loss.lost_span_at_most), (None, None, None, None));
    assert_eq!(loss.acknowledged, 3);
}

#[test]
fn one_lost_row_is_not_nothing() {
    let loss = found("aaaa", &[1, 2, 3], Some(450));
    assert_eq!(loss.lost_span, Some(0.0));
    assert_eq!(loss.lost_span_at_most, Some(0.15), "from the third row's sending to the cut");
}

#[test]
fn where_nothing_survived_the_loss_has_no_upper_end() {
    let loss = found("aaa", &[], Some(400));
    assert_eq!((loss.lost_span, loss.lost_span_at_most), (Some(0.2), None));
}

#[test]
fn a_number_that_was_used_twice_stays_acknowledged() {
    let mut log = book("a");
    let again = book("u").sittings.remove(0);
    log.sittings.push(again);
    assert_eq!(reconcile(&"orders".into(), &log, None, None).acknowledged, 1);
}

proptest! {
    #[test]
    fn every_acknowledged_row_is_there_or_lost(text in "[aruh]{0,40}", there in prop::collection::btree_set(1_i64..41, 0..40)) {
        let survivors: Vec<LedgerRow> = there.into_iter().collect();
        let loss = found(&text, &survivors, None);
        let lost = loss.lost.unwrap();
        let kept = text.chars().zip(1..).filter(|(letter, row)| *letter == 'a' && survivors.contains(row)).count();
        prop_assert_eq!(loss.acknowledged, (lost.len() + kept) as u64);
        if let Some((least, most)) = loss.lost_span.zip(loss.lost_span_at_most) {
            prop_assert!(least <= most);
            prop_assert!(lost.is_empty() || most > 0.0, "a lost row is never nothing");
        }
    }
}
