//! What a drive asks of its journal, and what it says when that fails.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use dr_core::event::{Ending, Entry, Event, Seq, Suspension};
use dr_core::journal::{Crash, Durability, Journal, JournalError, Line, MemoryJournal};
use dr_core::{Error, ErrorKind, async_trait};
use dr_testkit::Rig;

use super::support::{MOVE, SCALES, ended, says, shop, suspended};

/// Notes what is reserved, and takes no more batches than so many.
#[derive(Debug)]
struct Noted {
    journal: MemoryJournal,
    reserved: Arc<AtomicU64>,
    batches: u32,
}

#[async_trait]
impl Journal for Noted {
    async fn append(&mut self, batch: &[Entry], how: Durability) -> Result<(), JournalError> {
        let Some(left) = self.batches.checked_sub(1) else {
            let cause = Error::new(ErrorKind::Unreachable, "no route to the store");
            return Err(JournalError::Store(cause.during("put an object")));
        };
        self.batches = left;
        self.journal.append(batch, how).await
    }

    async fn read(&self, from: Seq) -> Result<Vec<Line>, JournalError> {
        self.journal.read(from).await
    }

    async fn reserve(&mut self, bytes: u64) -> Result<(), JournalError> {
        self.reserved.store(bytes, Ordering::Relaxed);
        Ok(())
    }
}

fn noted(rig: &Rig, batches: u32) -> (Box<Noted>, Arc<AtomicU64>) {
    let (journal, _, _) = rig.disk().own().expect("a journal");
    let reserved = Arc::default();
    (Box::new(Noted { journal, reserved: Arc::clone(&reserved), batches }), reserved)
}

/// P20: a disk that fills up meanwhile must not stop a run: what its steps may come to is asked for before the first.
#[tokio::test(start_paused = true)]
async fn room_for_every_step_is_reserved_before_the_first() {
    let shop = shop();
    let rig = Rig::new(&shop.world, MOVE);
    let (journal, reserved) = noted(&rig, u32::MAX);
    let (drive, _controls) = rig.begin_on(journal).await.expect("a drive");
    let steps = u64::try_from(rig.script().steps.len()).expect("a number");
    assert_eq!(reserved.load(Ordering::Relaxed), (1 << 20) + steps * (8 << 10));
    ended(&rig.rest(drive).await, Ending::Succeeded);
}

#[tokio::test(start_paused = true)]
async fn a_journal_that_fails_is_told_with_its_cause() {
    let shop = shop();
    let rig = Rig::new(&shop.world, SCALES);
    let (journal, _) = noted(&rig, 2);
    let (drive, _controls) = rig.begin_on(journal).await.expect("a drive");
    let run = rig.rest(drive).await;
    suspended(&run, Suspension::JournalLost);
    says(&run, "the state store cannot be used: ");
    says(&run, "no route to the store");
}

/// P6: whoever takes the run over is named, and it is no fault of the journal.
#[tokio::test(start_paused = true)]
async fn a_drive_whose_run_was_taken_over_says_by_whom() {
    let shop = shop();
    let rig = Rig::new(&shop.world, SCALES);
    let (drive, _controls) = rig.begin().await;
    let (run, owned) = tokio::join!(rig.rest(drive), async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        rig.disk().own().map(|(_, lines, _)| lines.len())
    });
    assert!(owned.is_ok_and(|lines| lines > 2));
    suspended(&run, Suspension::OwnershipLost);
    says(&run, "the run is owned by");
}

/// What could not be written is handed over only where it happened: an intent that is not durable is not acted on.
#[tokio::test(start_paused = true)]
async fn an_intent_that_could_not_be_written_is_not_told_as_a_thing_that_happened() {
    for appends in 1..12 {
        let shop = shop();
        let rig = Rig::new(&shop.world, SCALES);
        let (drive, _controls) = rig.begin().await;
        rig.disk().crash_after(appends, Crash::Before);
        let run = rig.rest(drive).await;
        suspended(&run, Suspension::JournalLost);
        let intent = |event: &Event| matches!(event, Event::Started { .. } | Event::Ended { .. });
        assert!(!run.driven.unrecorded.iter().any(intent), "{:?}", run.driven.unrecorded);
    }
}
