//! SIGKILL at every event of a run: which events, how a process is killed at one, and how each round is told.
//!
//! By itself a sweep lives a sample, one event of each stretch of the run, chosen by a seed. The environment
//! asks for more, or for the same again:
//!
//! | variable | |
//! |---|---|
//! | `DR_EVERY_EVENT=1` | every event |
//! | `DR_EVENTS=12..17` | those from the twelfth to the seventeenth |
//! | `DR_SEED=42` | the sample of that seed |
//!
//! A round that fails keeps its journal, does not end the sweep, and is told with the command that lives it again.

use std::io::{Read as _, Seek as _, SeekFrom};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::Child;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::{PATIENCE, Said, finish};

/// Whose sample is lived where the environment asks for no other: the same in every run of the tests.
const SEED: u64 = 1;
/// How often a journal is looked at: the process that is to die writes its next event some milliseconds later.
const LOOK: Duration = Duration::from_micros(50);

/// The events of a run at which it is killed.
#[derive(Debug)]
pub(crate) struct Sweep {
    /// As `cargo test` names it, with its test binary.
    test: (&'static str, &'static str),
    chosen: Vec<usize>,
    failed: Vec<String>,
}

impl Sweep {
    /// Of a run with so many events: all that the environment asks for, else a sample.
    pub(crate) fn of(test: (&'static str, &'static str), events: usize, sample: usize) -> Self {
        let (chosen, why) = chosen(events, sample);
        eprintln!("{}: {} of {events} events ({why}): {chosen:?}", test.1, chosen.len());
        Self { test, chosen, failed: Vec::new() }
    }

    /// Lives a round for each. It answers with how the round ended; what it needs of the last one is in the world. A round
    /// that fails leaves no world to go on with: `afresh` makes another.
    pub(crate) fn rounds<W>(
        mut self,
        mut afresh: impl FnMut() -> W,
        mut round: impl FnMut(&W, usize) -> String,
        mut journal: impl FnMut(&W) -> Vec<Value>,
    ) {
        let mut world = None;
        for moment in self.chosen.clone() {
            let living = world.get_or_insert_with(&mut afresh);
            let begun = Instant::now();
            let end = catch_unwind(AssertUnwindSafe(|| round(living, moment)));
            let took = begun.elapsed().as_secs_f64();
            match end {
                Ok(end) => eprintln!("{moment:>4}  {end}  {took:.1} s"),
                Err(why) => {
                    let why = said(why.as_ref());
                    let kept = self.keep(moment, &journal(living));
                    let again = self.again(moment);
                    eprintln!("{moment:>4}  FAILED  {took:.1} s\n      {why}\n      {kept}\n      {again}");
                    self.failed.push(format!("event {moment}: {why}\n{again}"));
                    world = None;
                }
            }
        }
        assert!(self.failed.is_empty(), "{} rounds failed:\n{}", self.failed.len(), self.failed.join("\n\n"));
    }

    /// The same in a world of its own each time.
    pub(crate) fn rounds_afresh<W>(
        self,
        afresh: impl Fn() -> W,
        mut round: impl FnMut(&W, usize) -> String,
        mut journal: impl FnMut(&W) -> Vec<Value>,
    ) {
        let last = std::cell::RefCell::new(None);
        let lived = |(): &(), moment| {
            // The world before goes before the next one comes.
            last.borrow_mut().take();
            round(last.borrow_mut().insert(afresh()), moment)
        };
        self.rounds(|| (), lived, |()| last.borrow().as_ref().map(&mut journal).unwrap_or_default());
    }

    fn again(&self, moment: usize) -> String {
        let (binary, test) = self.test;
        format!("DR_EVENTS={moment}..{moment} cargo test -p dr --test {binary} -- --exact {test} --nocapture")
    }

    fn keep(&self, moment: usize, journal: &[Value]) -> String {
        let name = self.test.1.rsplit("::").next().unwrap_or_default();
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{moment}.ndjson"));
        let lines: String = journal.iter().map(|entry| format!("{entry}\n")).collect();
        match std::fs::write(&path, lines) {
            Ok(()) => format!("its journal is kept in {}", path.display()),
            Err(error) => format!("its journal could not be kept: {error}"),
        }
    }
}

fn said(why: &(dyn std::any::Any + Send)) -> String {
    let text = why.downcast_ref::<String>().cloned();
    text.or_else(|| why.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default()
}

fn chosen(events: usize, sample: usize) -> (Vec<usize>, String) {
    if let Ok(range) = std::env::var("DR_EVENTS") {
        let (from, to) = range.split_once("..").unwrap_or((&range, &range));
        let number = |text: &str| text.trim().parse().unwrap_or_else(|_| panic!("DR_EVENTS={range}"));
        return ((number(from)..=number(to)).collect(), format!("DR_EVENTS={range}"));
    }
    if std::env::var_os("DR_EVERY_EVENT").is_some() {
        return ((1..=events).collect(), "DR_EVERY_EVENT".to_owned());
    }
    let seed = match std::env::var("DR_SEED") {
        Ok(seed) => seed.parse().unwrap_or_else(|_| panic!("DR_SEED={seed}")),
        Err(_) => SEED,
    };
    (one_of_each_stretch(events, sample, seed), format!("DR_SEED={seed}"))
}

/// So many events, each out of a stretch of its own; where they are three or more, the last event is among them.
fn one_of_each_stretch(events: usize, sample: usize, seed: u64) -> Vec<usize> {
    let mut dice = Dice::new(seed);
    let last = usize::from(sample >= 3 || sample >= events);
    let (before, stretches) = (events - last, sample.clamp(1, events) - last);
    let of = |stretch: usize| {
        let (first, last) = (stretch * before / stretches + 1, (stretch + 1) * before / stretches);
        first + dice.below(last - first + 1)
    };
    (0..stretches).map(of).chain((last == 1).then_some(events)).collect()
}

/// Chance that comes again with its seed (splitmix64).
#[derive(Debug)]
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        usize::try_from(mixed % bound as u64).unwrap()
    }
}

/// What became of a process that was to be killed.
#[derive(Debug)]
pub(crate) enum Death {
    /// It died.
    Killed,
    /// It had ended before: this run had fewer events.
    Over(Said),
}

/// Kills a process as soon as its run's journal holds so many events.
#[track_caller]
pub(crate) fn kill_at(mut child: Child, moment: usize, held: impl FnMut() -> usize) -> Death {
    wait_for(&mut child, moment, held);
    child.kill().unwrap();
    match finish(child) {
        Said { code: -1, .. } => Death::Killed,
        said => Death::Over(said),
    }
}

/// Waits until a process's journal holds so many events, or it ends before.
#[track_caller]
pub(crate) fn wait_for(child: &mut Child, moment: usize, mut held: impl FnMut() -> usize) {
    let until = Instant::now() + PATIENCE;
    while held() < moment && child.try_wait().unwrap().is_none() {
        assert!(Instant::now() < until, "its journal never held {moment} events, but {}", held());
        std::thread::sleep(LOOK);
    }
}

/// How many lines a file has that somebody else appends to.
#[derive(Debug)]
pub(crate) struct Lines {
    path: PathBuf,
    read: u64,
    lines: usize,
}

impl Lines {
    pub(crate) fn of(path: PathBuf) -> Self {
        Self { path, read: 0, lines: 0 }
    }

    pub(crate) fn count(&mut self) -> usize {
        let mut appended = Vec::new();
        let reading = std::fs::File::open(&self.path).and_then(|mut file| {
            file.seek(SeekFrom::Start(self.read))?;
            file.read_to_end(&mut appended)
        });
        if reading.is_ok() {
            self.read += appended.len() as u64;
            self.lines += appended.iter().filter(|byte| **byte == b'\n').count();
        }
        self.lines
    }
}

/// An event in a few words.
pub(crate) fn told(entry: Option<&Value>) -> String {
    let Some(entry) = entry else { return "nothing".to_owned() };
    let word = |field: &str| entry[field].as_str().unwrap_or_default();
    let of = if entry["step"].is_null() { word("resource") } else { word("step") };
    format!("{} {} {of}", entry["seq"], word("event")).trim_end().to_owned()
}

/// Whether a step's event is among them.
pub(crate) fn has(events: &[Value], event: &str, step: &str) -> bool {
    events.iter().any(|entry| entry["event"] == event && entry["step"] == step)
}

#[test]
fn a_sample_has_one_event_of_each_stretch_and_the_last() {
    for (events, sample, seed) in [(47, 8, 1), (47, 8, 2), (47, 2, 3), (3, 8, 4), (1, 1, 5), (100, 100, 6)] {
        let chosen = one_of_each_stretch(events, sample, seed);
        assert_eq!(chosen, one_of_each_stretch(events, sample, seed));
        assert_eq!(chosen.len(), sample.min(events));
        assert!(chosen.is_sorted_by(|one, next| one < next), "{chosen:?}");
        assert!(chosen[0] >= 1 && chosen.iter().all(|event| *event <= events), "{chosen:?}");
        assert!(sample < 3 || chosen.last() == Some(&events), "{chosen:?}");
    }
    assert_ne!(one_of_each_stretch(47, 8, 1), one_of_each_stretch(47, 8, 2));
}
