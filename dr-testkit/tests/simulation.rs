//! Random plans on random worlds with random mishaps, and every promise checked: see [`dr_testkit::simulate`].
//!
//! `make simulate` lives a hundred thousand of them. `DR_SEED=4711 cargo test -p dr-testkit --test simulation` lives one
//! again; `DR_HISTORIES=5000000`, with `--release`, is a soak of hours.
#![expect(clippy::expect_used, reason = "a test that cannot go on has failed")]

use std::fmt::Write as _;
use std::thread;

use dr_testkit::simulate::{Broken, Tally, history};

/// So many in the ordinary run of the tests, which are built without optimisation.
const HISTORIES: u64 = 500;
/// How many broken promises are told in full.
const TOLD: usize = 3;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// The histories of every `step`th seed.
fn histories(from: u64, to: u64, step: usize) -> (Tally, Vec<Broken>) {
    let (mut tally, mut broken) = (Tally::default(), Vec::new());
    for seed in (from..to).step_by(step) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
        match runtime.expect("a runtime").block_on(history(seed)) {
            Ok(lived) => tally.add(&lived),
            Err(error) => broken.push(error),
        }
    }
    (tally, broken)
}

#[test]
fn every_promise_holds_in_every_history() {
    let (from, to) = match number("DR_SEED") {
        Some(seed) => (seed, seed + 1),
        None => (0, number("DR_HISTORIES").unwrap_or(HISTORIES)),
    };
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let living: Vec<_> = (0..threads as u64)
        .map(|first| thread::spawn(move || histories(from + first, to, threads)))
        .collect();
    let (mut tally, mut broken) = (Tally::default(), Vec::new());
    for lived in living {
        let (part, wrong) = lived.join().expect("a history that does not panic");
        tally.add(&part);
        broken.extend(wrong);
    }
    println!("{tally}");
    let mut told = String::new();
    for (index, error) in broken.iter().enumerate() {
        let _ = match index < TOLD {
            true => writeln!(told, "{error}\n"),
            false => writeln!(told, "seed {}: {}", error.seed, error.promise),
        };
    }
    assert!(broken.is_empty(), "{} of {} histories:\n{told}", broken.len(), to - from);
    assert!(to - from == 1 || tally.changes > 2 * tally.histories, "too little happened: {tally}");
}

#[test]
fn the_same_seed_is_the_same_history() {
    assert_eq!(histories(0, 50, 1), histories(0, 50, 1));
}
