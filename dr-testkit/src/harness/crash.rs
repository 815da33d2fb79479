//! Crashes a run before, within and after every append to its journal, with and without its machine, and goes on with
//! it.

use std::time::Duration;

use dr_core::async_trait;
use dr_core::engine::DriveEnd;
use dr_core::event::{Entry, Seq};
use dr_core::journal::{Crash, Durability, Journal, JournalError, Line, MemoryJournal};
use tokio::sync::mpsc;

use super::trials::{Judge, Seen, Trials};
use crate::rig::Rig;

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

/// Runs what `rig` makes undisturbed, and then again and again, crashed at each append of its journal and resumed
/// `later`. Every run has to end as the undisturbed one did.
pub async fn crash_everywhere(rig: impl Fn() -> Rig, later: Duration) -> Trials {
    let mut judge = Judge::of(rig()).await;
    for append in 1.. {
        let mut crashed = false;
        for how in [Crash::Before, Crash::Within, Crash::After, Crash::Power] {
            let seen = Seen::new(rig());
            if !crash(&seen.rig, append, how).await {
                continue;
            }
            crashed = true;
            tokio::time::sleep(later).await;
            let ended = seen.rig.state().and_then(|state| state.ended);
            let end = match ended {
                Some((ending, _)) => DriveEnd::Ended(ending),
                None => seen.rig.resume().await.driven.end,
            };
            let what = format!("crashed at append {append} ({how:?}), resumed after {later:?}");
            judge.has_to_be_the_same(&what, &seen, end).await;
        }
        if !crashed {
            break;
        }
    }
    judge.trials()
}

/// Crashes a run once; `false` if it came to its end before.
async fn crash(rig: &Rig, append: u64, how: Crash) -> bool {
    let (died, mut death) = mpsc::unbounded_channel();
    rig.disk().crash_after(append, how);
    let driving = async {
        if let Ok((drive, _controls)) = rig.go_on(|journal| mortal(journal, died)).await {
            drive.run().await;
        }
    };
    tokio::select! {
        biased;
        () = driving => false,
        _ = death.recv() => true,
    }
}
