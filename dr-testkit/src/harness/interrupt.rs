//! Interrupts a run after every event, and goes on with it.

use std::pin::pin;
use std::time::Duration;

use dr_core::async_trait;
use dr_core::engine::DriveEnd;
use dr_core::event::{Entry, Seq, Suspension};
use dr_core::journal::{Durability, Journal, JournalError, Line, MemoryJournal};
use tokio::sync::mpsc;

use super::trials::{Judge, Seen, Trials};
use crate::rig::Rig;

/// How it is interrupted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interrupts {
    /// Once: what is in flight is finished.
    Once,
    /// Twice at once: what is in flight is dropped, and is in doubt.
    Twice,
}

/// A journal that tells of each append.
#[derive(Debug)]
struct Telling {
    inner: MemoryJournal,
    appended: mpsc::UnboundedSender<()>,
}

#[async_trait]
impl Journal for Telling {
    async fn append(&mut self, batch: &[Entry], how: Durability) -> Result<(), JournalError> {
        self.inner.append(batch, how).await?;
        let _ = self.appended.send(());
        Ok(())
    }

    async fn read(&self, from: Seq) -> Result<Vec<Line>, JournalError> {
        self.inner.read(from).await
    }
}

/// Runs what `rig` makes undisturbed, and then again and again, interrupted after each append to its journal and resumed
/// `later`. Every run has to end as the undisturbed one did.
pub async fn interrupt_everywhere(rig: impl Fn() -> Rig, how: Interrupts, later: Duration) -> Trials {
    let mut judge = Judge::of(rig()).await;
    for append in 1.. {
        let seen = Seen::new(rig());
        let (end, interrupted) = interrupt(&seen.rig, append, how).await;
        if !interrupted {
            break;
        }
        tokio::time::sleep(later).await;
        let end = match end {
            DriveEnd::Suspended(Suspension::Interrupted) => seen.rig.resume().await.driven.end,
            end => end,
        };
        let what = format!("interrupted ({how:?}) after append {append}, resumed after {later:?}");
        judge.has_to_be_the_same(&what, &seen, end).await;
    }
    judge.trials()
}

/// Interrupts a run once its journal has had so many appends, and says whether it came to that.
async fn interrupt(rig: &Rig, append: u64, how: Interrupts) -> (DriveEnd, bool) {
    let (appended, mut appends) = mpsc::unbounded_channel();
    let begun = rig.go_on(|inner| Box::new(Telling { inner, appended })).await;
    let Ok((drive, controls)) = begun else { return (DriveEnd::Suspended(Suspension::JournalLost), false) };
    let mut run = pin!(drive.run());
    let mut had = 0;
    loop {
        tokio::select! {
            biased;
            Some(()) = appends.recv() => {
                had += 1;
                if had == append {
                    controls.interrupt();
                    if how == Interrupts::Twice {
                        controls.interrupt();
                    }
                }
            }
            driven = &mut run => return (driven.end, had >= append),
        }
    }
}
