//! Clients of the tests' own, who write numbered rows all the time and remember what they were told; and what is held
//! against that when a history is over, as Jepsen's set test does: which rows were tried, which were acknowledged, which
//! are there.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use dr_core::Timestamp;
use dr_core::measure::{LedgerLog, LedgerSample, LossMeasured, RowState, Sitting, reconcile};
use dr_core::resource::{LedgerRow, Survivors};
use serde_json::Value;

use crate::callers::{answer, dig};
use crate::support::{SOURCE, Sandbox, TARGET};

const EVERY: Duration = Duration::from_millis(20);
/// What the run's own ledger cannot see: rows between two of its own, each 50 ms; and how long the kill itself takes.
const BLUR: Duration = Duration::from_millis(150);

/// What a history did to a client's rows.
#[derive(Debug)]
pub(crate) struct Verdict {
    /// Attempted, acknowledged, lost, recovered.
    pub(crate) loss: LossMeasured,
    /// There, and nobody ever tried to write them.
    pub(crate) unexpected: Vec<LedgerRow>,
    /// There, though the service said that they were not written.
    pub(crate) denied: Vec<LedgerRow>,
}

/// Holds what a client was told against what is there. Pure.
pub(crate) fn verdict(log: &LedgerLog, there: &BTreeSet<LedgerRow>, cut: Option<Timestamp>) -> Verdict {
    let survivors = Survivors { side: TARGET.into(), rows: there.clone() };
    let samples = || log.sittings.iter().flat_map(|(_, samples)| samples);
    let with = |state: RowState| -> BTreeSet<LedgerRow> {
        samples().filter(|sample| sample.state == state).map(|sample| sample.row).collect()
    };
    let tried: BTreeSet<LedgerRow> = samples().map(|sample| sample.row).collect();
    Verdict {
        loss: reconcile(&"orders".into(), log, Some(&survivors), cut),
        unexpected: there.difference(&tried).copied().collect(),
        denied: there.intersection(&with(RowState::Refused)).copied().collect(),
    }
}

/// One client: a row at a time, each noted before it is sent and when its fate is known.
struct Client {
    book: String,
    log: Arc<Mutex<LedgerLog>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Client {
    fn begin(book: String, find: impl Fn() -> Option<SocketAddr> + Send + 'static) -> Self {
        let sitting = Sitting { begun: Timestamp::system(), of: "orders".into(), every: EVERY };
        let log = Arc::new(Mutex::new(LedgerLog { sittings: vec![(sitting, Vec::new())] }));
        let stop = Arc::new(AtomicBool::new(false));
        let (noted, over, name) = (Arc::clone(&log), Arc::clone(&stop), book.clone());
        let begun = Instant::now();
        let write = move || {
            for row in 1.. {
                if over.load(Ordering::Relaxed) {
                    break;
                }
                let (at, sent) = (Timestamp::system(), begun.elapsed());
                let note = |state, took: Option<Duration>| {
                    let took_ms = took.map(|took| took.as_secs_f64() * 1e3);
                    let sent_ms = u64::try_from(sent.as_millis()).unwrap();
                    let sample = LedgerSample { row, at, sent_ms, state, took_ms };
                    noted.lock().unwrap().sittings[0].1.push(sample);
                };
                note(RowState::Attempted, None);
                let state = fate(find(), &format!("/ledger/{name}/{row}"));
                note(state, Some(begun.elapsed() - sent));
                std::thread::sleep(EVERY);
            }
        };
        Self { book, log, stop, thread: Some(std::thread::spawn(write)) }
    }

    fn log(&self) -> LedgerLog {
        self.log.lock().unwrap().clone()
    }

    /// Ends it, and holds it against what a side's database has.
    fn verdict(&mut self, sandbox: &Sandbox, side: &str, cut: Option<Timestamp>) -> Verdict {
        self.end();
        let rows = sandbox.asked(side, &format!("select row from dr_ledger where book = '{}'", self.book));
        verdict(&self.log(), &rows.lines().map(|row| row.parse().unwrap()).collect(), cut)
    }

    fn end(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }

    /// When each acknowledged row was sent and acknowledged, in milliseconds since the epoch.
    fn acknowledged(&self) -> Vec<(f64, f64)> {
        let samples = self.log().sittings.remove(0).1;
        let acked = samples.into_iter().filter(|sample| sample.state == RowState::Acked);
        acked.map(|sample| span(&sample)).collect()
    }
}

fn span(sample: &LedgerSample) -> (f64, f64) {
    let sent = sample.at.as_millis() as f64;
    (sent, sent + sample.took_ms.unwrap_or_default())
}

impl Drop for Client {
    fn drop(&mut self) {
        self.end();
    }
}

fn fate(address: Option<SocketAddr>, path: &str) -> RowState {
    let Some(heard) = address.and_then(|address| answer(address, "shop", path)) else {
        return RowState::Refused;
    };
    let heard = String::from_utf8_lossy(&heard).to_lowercase();
    match (heard.starts_with("http/1.1 200"), heard.contains("x-not-written: 1")) {
        (true, _) => RowState::Acked,
        (false, true) => RowState::Refused,
        (false, false) => RowState::Unknown,
    }
}

/// Who writes through the name, and who tries each side's own door, for one history of a sandbox.
pub(crate) struct Clients {
    through_the_name: Client,
    doors: [(&'static str, Client); 2],
}

impl Clients {
    /// `book` is this history's alone.
    pub(crate) fn begin(sandbox: &Sandbox, book: &str) -> Self {
        let dns = sandbox.state()["dns"].as_str().unwrap().parse().unwrap();
        Self::who_ask(vec![dns], "shop.example.test", sandbox, book)
    }

    /// The same on a sandbox whose callers use another name, of these name servers.
    pub(crate) fn who_ask(
        servers: Vec<SocketAddr>,
        name: &'static str,
        sandbox: &Sandbox,
        book: &str,
    ) -> Self {
        let state = sandbox.state();
        let app = |side: &str| state["regions"][side]["app"].as_str().unwrap().parse::<SocketAddr>().unwrap();
        let port = app(SOURCE).port();
        let through_the_name = Client::begin(book.to_owned(), move || {
            let answer = servers.iter().find_map(|server| dig(*server, name))?;
            Some(SocketAddr::new(*answer.first()?, port))
        });
        let doors = [SOURCE, TARGET].map(|side| {
            let door = app(side);
            (side, Client::begin(format!("{book}-{side}"), move || Some(door)))
        });
        Self { through_the_name, doors }
    }

    /// What must hold of a planned history that ends with this side serving: not one acknowledged row is lost.
    #[track_caller]
    pub(crate) fn lost_nothing(mut self, sandbox: &Sandbox, side: &str) -> String {
        let mut told = Vec::new();
        let doors = self.doors.iter_mut().map(|(_, client)| client);
        for client in std::iter::once(&mut self.through_the_name).chain(doors) {
            let Verdict { loss, unexpected, denied } = client.verdict(sandbox, side, None);
            let lost = loss.lost.unwrap();
            assert!(
                lost.is_empty() && unexpected.is_empty() && denied.is_empty(),
                "{} lost {lost:?}, unexpected {unexpected:?}, denied {denied:?}",
                client.book
            );
            told.push(format!("{}/{}", loss.acknowledged, loss.attempted));
        }
        self.one_writer_at_a_time();
        format!("0 lost of {}", told.join(" "))
    }

    /// What must hold of an unplanned one: what is lost was acknowledged no earlier than its figures admit.
    #[track_caller]
    pub(crate) fn lost_what_was_reported(
        mut self,
        sandbox: &Sandbox,
        side: &str,
        cut: Timestamp,
        metrics: &Value,
    ) -> String {
        let Verdict { loss, unexpected, denied } = self.through_the_name.verdict(sandbox, side, Some(cut));
        let lost = loss.lost.unwrap();
        assert!(unexpected.is_empty() && denied.is_empty(), "unexpected {unexpected:?}, denied {denied:?}");
        let reported = metrics["rpo_seconds"].as_f64();
        let samples = self.through_the_name.log().sittings.remove(0).1;
        let since = reported.map(|seconds| {
            cut.as_millis() as f64 - (Duration::from_secs_f64(seconds) + BLUR).as_secs_f64() * 1e3
        });
        for sample in samples.iter().filter(|sample| sample.state == RowState::Acked) {
            let (_, acked) = span(sample);
            assert!(
                !lost.contains(&sample.row) || since.is_some_and(|since| acked >= since),
                "row {} was acknowledged {:.3} s before the cut and is lost: {metrics:#}",
                sample.row,
                (cut.as_millis() as f64 - acked) / 1e3
            );
        }
        for (_, client) in &mut self.doors {
            client.end();
        }
        self.one_writer_at_a_time();
        let bound = reported.map_or("unknown".to_owned(), |seconds| format!("{seconds:.3} s"));
        format!("{} lost of {}/{}, reported at most {bound}", lost.len(), loss.acknowledged, loss.attempted)
    }

    /// Once the other side has acknowledged a row, the first one takes none any more. One move is all that a history has.
    #[track_caller]
    pub(crate) fn one_writer_at_a_time(&self) {
        let acked = |at: usize| self.doors[at].1.acknowledged();
        let first = |rows: &[(f64, f64)]| rows.first().map(|(sent, _)| *sent);
        let (one, other) = (acked(0), acked(1));
        let (before, after) = match (first(&one), first(&other)) {
            (Some(from_one), Some(from_other)) if from_one <= from_other => (one, other),
            (Some(_), Some(_)) => (other, one),
            (Some(_) | None, None) | (None, Some(_)) => return,
        };
        let moved = after[0].1;
        let late: Vec<_> = before.iter().filter(|(sent, _)| *sent > moved).collect();
        assert!(late.is_empty(), "TWO WRITABLE SIDES: {} rows after the other side's first", late.len());
    }

    /// Nobody ever wrote on a side.
    #[track_caller]
    pub(crate) fn nobody_wrote_on(&self, side: &str) {
        let (_, client) = self.doors.iter().find(|(name, _)| *name == side).unwrap();
        assert_eq!(client.acknowledged(), [], "{side} took writes");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sweep::Dice;

    const FATES: [Option<RowState>; 4] =
        [None, Some(RowState::Acked), Some(RowState::Refused), Some(RowState::Unknown)];

    fn log(fates: &[Option<RowState>]) -> LedgerLog {
        let sitting = Sitting { begun: Timestamp::from_millis(0), of: "orders".into(), every: EVERY };
        let rows = fates.iter().zip(1..).flat_map(|(fate, row)| {
            let sample = move |state, took_ms| {
                let sent_ms = u64::try_from(row).unwrap() * 20;
                LedgerSample { row, at: Timestamp::from_millis(row * 20), sent_ms, state, took_ms }
            };
            [Some(sample(RowState::Attempted, None)), fate.map(|fate| sample(fate, Some(3.0)))]
        });
        LedgerLog { sittings: vec![(sitting, rows.flatten().collect())] }
    }

    #[test]
    fn each_row_that_is_there_or_not_is_called_by_its_name() {
        let [attempted, acked, refused, unknown] = FATES;
        let found = verdict(
            &log(&[acked, acked, refused, refused, unknown, attempted, attempted]),
            &[1, 3, 6, 9].into(),
            None,
        );
        assert_eq!((found.loss.attempted, found.loss.acknowledged, found.loss.unknown), (7, 2, 3));
        assert_eq!((found.loss.lost, found.loss.recovered), (Some(vec![2]), Some(2)));
        assert_eq!((found.unexpected, found.denied), (vec![9], vec![3]));
    }

    #[test]
    fn every_row_of_any_history_is_accounted_for_once() {
        for seed in 0..2_000 {
            let mut dice = Dice::new(seed);
            let fates: Vec<_> = (0..dice.below(40)).map(|_| FATES[dice.below(FATES.len())]).collect();
            let there: BTreeSet<LedgerRow> =
                (0..dice.below(40)).map(|_| i64::try_from(dice.below(60)).unwrap()).collect();
            let found = verdict(&log(&fates), &there, None);
            let lost = found.loss.lost.unwrap().len() as u64;
            let kept = found.loss.acknowledged - lost;
            let recovered = found.loss.recovered.unwrap();
            assert_eq!(kept + recovered + found.unexpected.len() as u64, there.len() as u64, "seed {seed}");
            assert!(found.denied.len() as u64 <= recovered, "seed {seed}");
            assert_eq!(found.loss.attempted, fates.len() as u64, "seed {seed}");
        }
    }
}
