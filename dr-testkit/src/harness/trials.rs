//! What a harness found, and how one disturbed run is judged.

use std::fmt;

use dr_core::engine::DriveEnd;
use dr_core::event::{Ending, Entry};
use dr_core::model::Snapshot;

use crate::promises::{History, Witness};
use crate::rig::{Rig, settled};

/// What a harness found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Trials {
    /// How many runs were disturbed. A harness that disturbed nothing shows nothing.
    pub tried: usize,
    /// How many ended as the undisturbed one.
    pub same: usize,
    /// How many went back to the world before.
    pub back: usize,
    /// How many were held, and came to one of these ends once the trouble was over.
    pub held: usize,
    /// Every run that went wrong, in words.
    pub wrong: Vec<String>,
}

impl fmt::Display for Trials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (tried, same, back, held) = (self.tried, self.same, self.back, self.held);
        write!(f, "{tried} disturbed runs: {same} the same, {back} back, {held} held at first, ")?;
        write!(f, "{} wrong", self.wrong.len())?;
        self.wrong.iter().take(5).try_for_each(|wrong| write!(f, "\n\n{wrong}"))
    }
}

/// How a run ended and what it left.
#[derive(Debug, PartialEq)]
struct End {
    end: DriveEnd,
    world: Snapshot,
}

/// A run with a witness beside its resources.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) rig: Rig,
    witness: Witness,
}

impl Seen {
    pub(super) fn new(rig: Rig) -> Self {
        let witness = Witness::of(rig.disk());
        let beside = witness.clone();
        Self { rig: rig.wrapped(move |step, action| beside.on(step, action)), witness }
    }

    /// The same, with something more before its resources.
    pub(super) fn map(self, more: impl FnOnce(Rig) -> Rig) -> Self {
        Self { rig: more(self.rig), witness: self.witness }
    }

    /// The promise that the run broke, if it broke one.
    fn broken(&self) -> Option<String> {
        let (state, entries) = (self.rig.state()?, self.rig.entries());
        let unannounced = self.witness.unannounced();
        let history =
            History { world: self.rig.world(), entries: &entries, state: &state, unannounced: &unannounced };
        history.broken().map(|(promise, how)| format!("{promise}: {how}"))
    }
}

/// The undisturbed run, and the runs that are held against it.
#[derive(Debug)]
pub(super) struct Judge {
    before: Snapshot,
    calm: End,
    trials: Trials,
}

impl Judge {
    /// Runs it undisturbed.
    pub(super) async fn of(rig: Rig) -> Self {
        let seen = Seen::new(rig);
        let before = seen.rig.world().snapshot();
        let run = seen.rig.run().await;
        let calm = End { end: run.driven.end, world: settled(seen.rig.world()).await };
        let mut judge = Self { before, calm, trials: Trials::default() };
        let went_back = judge.calm.end == DriveEnd::Ended(Ending::RolledBack);
        if let Some(broken) = seen.broken() {
            judge.wrong("undisturbed", &broken, &seen);
        }
        if went_back && judge.calm.world != judge.before {
            let told =
                format!("rolled back into another world:\n{}\nbecame\n{}", judge.before, judge.calm.world);
            judge.wrong("undisturbed", &told, &seen);
        }
        judge
    }

    /// Judges a disturbed run by its end, after the trouble was over if it was held.
    pub(super) async fn hold_against(&mut self, what: &str, seen: &Seen, end: DriveEnd, was_held: bool) {
        self.trials.tried += 1;
        let end = End { end, world: settled(seen.rig.world()).await };
        let went_back =
            matches!(end.end, DriveEnd::Ended(Ending::RolledBack | Ending::Refused | Ending::Aborted))
                && end.world == self.before;
        match (end == self.calm, went_back) {
            (true, _) => self.trials.same += 1,
            (false, true) => self.trials.back += 1,
            (false, false) => {
                let told = format!(
                    "{:?} instead of {:?}\n{}instead of\n{}",
                    end.end, self.calm.end, end.world, self.calm.world
                );
                self.wrong(what, &told, seen);
            }
        }
        self.trials.held += usize::from(was_held);
        if let Some(broken) = seen.broken() {
            self.wrong(what, &broken, seen);
        }
    }

    /// Judges a run that has to end as the undisturbed one.
    pub(super) async fn has_to_be_the_same(&mut self, what: &str, seen: &Seen, end: DriveEnd) {
        let back = self.trials.back;
        self.hold_against(what, seen, end, false).await;
        if self.trials.back > back {
            self.wrong(what, "it went back", seen);
        }
    }

    /// How the undisturbed run ended.
    pub(super) fn calm_end(&self) -> DriveEnd {
        self.calm.end
    }

    pub(super) fn trials(self) -> Trials {
        self.trials
    }

    fn wrong(&mut self, what: &str, how: &str, seen: &Seen) {
        let violations = seen.rig.world().violations();
        let journal = story(&seen.rig.entries());
        self.trials.wrong.push(format!("{what}: {how}\nviolations: {violations:?}\n{journal}"));
    }
}

fn story(entries: &[Entry]) -> String {
    entries
        .iter()
        .map(|entry| {
            let text = serde_json::to_string(&entry.event).unwrap_or_default();
            format!("{:>4} {}\n", entry.seq, text.chars().take(220).collect::<String>())
        })
        .collect()
}
