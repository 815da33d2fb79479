//! The journal without a disk behaves as the one with a disk does.

use dr_core::journal::{Crash, Durability, Head, Journal, JournalError, MemoryJournal};

use crate::support::entries;

#[tokio::test]
async fn a_crash_before_and_within_an_append_loses_it_and_a_crash_after_it_does_not() {
    for (crash, kept) in [(Crash::Before, 2), (Crash::Within, 2), (Crash::After, 3)] {
        let mut journal = MemoryJournal::new();
        let disk = journal.disk();
        disk.crash_after(1, crash);
        journal.append(&entries(1, 2, 1), Durability::Barrier).await.unwrap();
        assert!(journal.append(&entries(3, 3, 1), Durability::Barrier).await.is_err());
        assert!(matches!(
            journal.append(&entries(3, 3, 1), Durability::Barrier).await,
            Err(JournalError::Closed { .. })
        ));
        let (mut next, lines, epoch) = disk.own().unwrap();
        assert_eq!((lines.len(), epoch), (kept, 2), "{crash:?}");
        let seq = kept as u64 + 1;
        next.append(&entries(seq, seq, epoch), Durability::Lazy).await.unwrap();
        assert_eq!(next.read(1).await.unwrap().len(), kept + 1);
    }
}

#[tokio::test]
async fn an_owner_who_was_replaced_is_told() {
    let mut old = MemoryJournal::new();
    let _new = old.disk().own().unwrap();
    assert!(matches!(
        old.append(&entries(1, 1, 1), Durability::Barrier).await,
        Err(JournalError::Lost { .. })
    ));
}

#[tokio::test]
async fn a_crash_within_an_append_leaves_half_of_it() {
    let mut journal = MemoryJournal::new();
    let disk = journal.disk();
    let (batch, _) = Head::start().encode(&entries(1, 1, 1)).unwrap();
    disk.crash_after(0, Crash::Within);
    journal.append(&entries(1, 1, 1), Durability::Barrier).await.unwrap_err();
    assert_eq!(disk.bytes(), batch[..batch.len() / 2]);
}

#[tokio::test]
async fn what_is_lazy_survives_the_machine_from_the_next_barrier_or_the_release_on() {
    let mut journal = MemoryJournal::new();
    let disk = journal.disk();
    journal.append(&entries(1, 1, 1), Durability::Lazy).await.unwrap();
    journal.append(&[], Durability::Lazy).await.unwrap();
    assert_eq!(disk.durable_bytes(), b"");
    journal.append(&[], Durability::Barrier).await.unwrap();
    assert_eq!(disk.durable_bytes(), disk.bytes());
    journal.append(&entries(2, 2, 1), Durability::Lazy).await.unwrap();
    assert_ne!(disk.durable_bytes(), disk.bytes());
    journal.release().await.unwrap();
    assert_eq!(disk.durable_bytes(), disk.bytes());
}
