//! Simulated histories: a random plan on a random world, with random mishaps, lost replies, crashes and interrupts, all
//! from one seed, and every promise checked over the whole history.
//!
//! A history takes milliseconds, for its time is tokio's and passes by itself: run it in a current-thread runtime with
//! its time paused. The same seed is the same history.
//!
//! ```
//! let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
//! let mut seen = dr_testkit::simulate::Tally::default();
//! for seed in 0..20 {
//!     match runtime.block_on(dr_testkit::simulate::history(seed)) {
//!         Ok(tally) => seen.add(&tally),
//!         Err(broken) => panic!("{broken}"),
//!     }
//! }
//! assert!(seen.changes > 20, "nothing is shown where nothing happened: {seen}");
//! ```

mod chaos;
mod history;
mod plan;
mod promises;
mod shop;

use std::collections::BTreeMap;
use std::fmt;

pub use history::history;

/// What happened in histories: a green result of none of it shows nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    /// How many histories.
    pub histories: u64,
    /// Processes that drove a run, dry runs included.
    pub drives: u64,
    /// Changes that were asked of the worlds.
    pub changes: u64,
    /// Calls that were made to go wrong: lost replies, failures, time-outs.
    pub faults: u64,
    /// Things that happened to the worlds by themselves.
    pub mishaps: u64,
    /// Processes that died.
    pub crashes: u64,
    /// How the runs ended, or where they were left.
    pub ends: BTreeMap<String, u64>,
}

impl Tally {
    /// Adds another's.
    pub fn add(&mut self, other: &Self) {
        self.histories += other.histories;
        self.drives += other.drives;
        self.changes += other.changes;
        self.faults += other.faults;
        self.mishaps += other.mishaps;
        self.crashes += other.crashes;
        for (end, count) in &other.ends {
            *self.ends.entry(end.clone()).or_default() += count;
        }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} histories: {} drives, {} changes, {} faults, {} mishaps, {} crashes;",
            self.histories, self.drives, self.changes, self.faults, self.mishaps, self.crashes
        )?;
        self.ends.iter().try_for_each(|(end, count)| write!(f, " {end} {count},"))
    }
}

/// A promise that a history broke.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// Of which seed.
    pub seed: u64,
    /// Which promise.
    pub promise: &'static str,
    /// How it was broken.
    pub how: String,
    /// The plan, what went wrong and when, and the journal.
    pub story: String,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "seed {} breaks a promise: {}\n{}\n\n{}", self.seed, self.promise, self.how, self.story)?;
        write!(f, "replay: `dr_testkit::simulate::history({})`", self.seed)
    }
}

impl std::error::Error for Broken {}
