//! The wall clock of the machine that carries a run out leaps in the middle of it: by libfaketime, which leaves the
//! monotonic clock alone, as a real leap does.

use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::time::Instant;

use serde_json::Value;

use super::crashes::{breaks, length_of_the_next_journal};
use crate::ledger::Clients;
use crate::support::{Sandbox, TARGET, finish, until};
use crate::sweep::{has, wait_for};

/// `dr` by a clock of its own.
struct Clock(PathBuf);

impl Clock {
    fn of(sandbox: &Sandbox) -> Self {
        let clock = Self(sandbox.beside("clock"));
        clock.leaps(0);
        clock
    }

    /// From now on it shows so many seconds more than the true one.
    fn leaps(&self, by: i64) {
        let new = self.0.with_extension("new");
        std::fs::write(&new, format!("{by:+}\n")).unwrap();
        std::fs::rename(new, &self.0).unwrap();
    }

    fn begin(&self, sandbox: &Sandbox, arguments: &[&str]) -> Child {
        sandbox
            .command(arguments)
            .env("LD_PRELOAD", library())
            .env("FAKETIME_TIMESTAMP_FILE", &self.0)
            .env("FAKETIME_NO_CACHE", "1")
            .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    }
}

/// Debian's and Ubuntu's package `libfaketime`, whatever the architecture.
fn library() -> PathBuf {
    let folders = std::fs::read_dir("/usr/lib").unwrap();
    let paths = folders.map(|folder| folder.unwrap().path().join("faketime/libfaketime.so.1"));
    paths.into_iter().find(|path| path.exists()).expect("libfaketime: `make test-deps` installs it")
}

const FENCED: (&str, &str) = ("succeeded", "promote/fence:orders");
const PROMOTED: (&str, &str) = ("succeeded", "promote/promote:orders");
/// What a leap is, in seconds, and when; and the codes of those who have to go on with the run, where it comes in time. A
/// promotion that cannot tell what it would lose is refused, and a name server takes no signature that is more than five
/// minutes old or new.
const LEAPS: [(i64, (&str, &str), &[i32]); 6] = [
    (3_600, FENCED, &[20, 11]),
    (-3_600, FENCED, &[20, 11]),
    (3_600, PROMOTED, &[20, 11]),
    (-3_600, PROMOTED, &[20, 11]),
    (120, PROMOTED, &[11]),
    (-120, PROMOTED, &[11]),
];

/// The clock of the machine leaps in the middle of a failover. It ends as ever, if need be by a resume whose clock is
/// right; and no duration that it tells is longer than the world was broken.
#[test]
fn a_failover_whose_clock_leaps_ends_as_ever_and_tells_no_false_time() {
    for (leap, (event, step), codes) in LEAPS {
        let sandbox = Sandbox::up();
        let clients = Clients::begin(&sandbox, "leapt");
        sandbox.serves();
        let (begun, cut) = (Instant::now(), breaks(&sandbox));
        let clock = Clock::of(&sandbox);
        let held = length_of_the_next_journal(&sandbox);
        let mut child = clock.begin(&sandbox, &["failover", "--yes"]);
        wait_for(&mut child, 1, held);
        until(step, || has(&sandbox.events(), event, step).then_some(()));
        clock.leaps(leap);
        let mut said = finish(child);
        let mut ended = vec![said.code];
        while sandbox.world().open_run && ended.len() < 3 {
            said = sandbox.dr(&["resume"]);
            ended.push(said.code);
        }
        let broken = begun.elapsed().as_secs_f64();
        let metrics = sandbox.metrics();
        let told = format!("{leap} s at {event} {step}: {ended:?} {metrics:#} {said:?}");
        assert!(ended == codes || ended == [11], "{told}");
        for (name, seconds) in durations(&metrics) {
            assert!((0.0..=broken + 1.0).contains(&seconds), "{name} of {broken:.1} s; {told}");
        }
        assert_eq!(sandbox.world().writers, [TARGET], "{told}");
        clients.lost_what_was_reported(&sandbox, TARGET, cut, &metrics);
        sandbox.serves();
        sandbox.evidence_verifies();
    }
}

/// Every measured duration, in seconds.
fn durations(metrics: &Value) -> Vec<(String, f64)> {
    let all = metrics.as_object().unwrap().iter().chain(metrics["timings"].as_object().unwrap());
    all.filter(|(name, _)| name.ends_with("_seconds") && !name.contains("target"))
        .filter_map(|(name, value)| Some((name.clone(), value.as_f64()?)))
        .collect()
}
