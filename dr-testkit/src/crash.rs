//! Crashes a run before, within and after every append to its journal, and goes on with it.

use std::fmt;
use std::time::Duration;

use dr_core::async_trait;
use dr_core::engine::{DriveEnd, Driven};
use dr_core::event::{Ending, Entry, Seq};
use dr_core::journal::{Crash, Durability, Journal, JournalError, Line, MemoryJournal};
use dr_core::model::Snapshot;
use tokio::sync::mpsc;

use super::rig::{Rig, settled};

/// A journal whose process dies where the append is cut off: the call never returns.
#[derive(Debug)]
struct Dying {
    inner: MemoryJournal,
    died: mpsc::UnboundedSender<()>,
}

/// A journal whose process dies where an append is cut off, which is told.
pub(crate) fn mortal(inner: MemoryJournal, died: mpsc::UnboundedSender<()>) -> Box<dyn Journal> {
    Box::new(Dying { inner, died })
}

#[async_trait]
impl Journal for Dying {
    async fn append(&mut self, batch: &[Entry], how: Durability) -> Result<(), JournalError> {
        match self.inner.append(batch, how).await {
            Ok(()) => Ok(()),
            Err(_) => {
                let _ = self.died.send(());
                std::future::pending().await
            }
        }
    }

    async fn read(&self, from: Seq) -> Result<Vec<Line>, JournalError> {
        self.inner.read(from).await
    }
}

/// What a harness found.
#[derive(Debug)]
pub struct Crashes {
    /// How many crashed runs were resumed. A harness that crashed nothing shows nothing.
    pub resumed: usize,
    /// Every run that ended otherwise than the undisturbed one, in words.
    pub wrong: Vec<String>,
}

impl fmt::Display for Crashes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {} resumed runs went wrong", self.wrong.len(), self.resumed)?;
        self.wrong.iter().take(5).try_for_each(|wrong| write!(f, "\n\n{wrong}"))
    }
}

/// How a run ended and what it left.
#[derive(Debug, PartialEq)]
struct End {
    end: DriveEnd,
    world: Snapshot,
    violations: usize,
}

/// Runs what `rig` makes (a fresh world each time) undisturbed, and then again and again, crashed at each append of its
/// journal and resumed `later`. Every run has to end as the undisturbed one did, in the same world; one that ends
/// rolled back in the world before it; none with two writable sides.
pub async fn crash_everywhere(rig: impl Fn() -> Rig, later: Duration) -> Crashes {
    let calm = rig();
    let before = calm.world().snapshot();
    let run = calm.run().await;
    let expected = end_of(&calm, run.driven).await;
    let mut found = Crashes { resumed: 0, wrong: Vec::new() };
    if expected.violations > 0 {
        found.wrong.push(format!("undisturbed: {:?}", calm.world().violations()));
    }
    if expected.end == DriveEnd::Ended(Ending::RolledBack) && expected.world != before {
        found.wrong.push(format!("rolled back into another world:\n{before}\nbecame\n{}", expected.world));
    }
    for append in 1.. {
        let mut crashed = false;
        for how in [Crash::Before, Crash::Within, Crash::After] {
            let disturbed = rig();
            let Some(end) = crash_once(&disturbed, append, how, later).await else { continue };
            crashed = true;
            found.resumed += 1;
            if end != expected {
                found.wrong.push(format!(
                    "crashed at append {append} ({how:?}), resumed after {later:?}: {:?} instead of {:?}\n{}instead of\n{}violations: {:?}\n{}",
                    end.end,
                    expected.end,
                    end.world,
                    expected.world,
                    disturbed.world().violations(),
                    story(&disturbed.entries()),
                ));
            }
        }
        if !crashed {
            return found;
        }
    }
    found
}

/// Crashes a run once; `None` if it came to its end before.
async fn crash_once(rig: &Rig, append: u64, how: Crash, later: Duration) -> Option<End> {
    let (inner, _, _) = rig.disk().own().ok()?;
    let (died, mut death) = mpsc::unbounded_channel();
    rig.disk().crash_after(append, how);
    let (drive, _controls) = rig.begin_on(mortal(inner, died)).await.ok()?;
    tokio::select! {
        biased;
        _ = drive.run() => return None,
        _ = death.recv() => {}
    }
    tokio::time::sleep(later).await;
    let ended = rig.state().and_then(|state| state.ended);
    if let Some((ending, _)) = ended {
        let world = settled(rig.world()).await;
        return Some(End { end: DriveEnd::Ended(ending), world, violations: rig.world().violations().len() });
    }
    let run = rig.resume().await;
    Some(end_of(rig, run.driven).await)
}

async fn end_of(rig: &Rig, driven: Driven) -> End {
    let world = settled(rig.world()).await;
    End { end: driven.end, world, violations: rig.world().violations().len() }
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
