//! Ownership by a lease: who has it, who has lost it, and what a store that fails leaves of it.

use std::sync::Arc;
use std::time::Duration;

use dr_core::journal::{Durability, Journal as _, JournalError, SlotJournal, Slots};
use dr_core::{Clock, Error, ErrorKind, Timestamp};
use tokio::time::Instant;

use crate::scripted::{Scripted, Wrong};
use crate::slotted::{TTL, create, memory, own, who};
use crate::support::{entries, run};

fn key() -> String {
    format!("leases/{}.json", run("one"))
}

#[tokio::test(start_paused = true)]
async fn a_released_run_and_one_that_is_taken_over_are_not_waited_for() {
    let slots = memory();
    let mut journal = create(&slots, "alice").await.unwrap();
    let begun = Instant::now();
    journal.release().await.unwrap();
    own(&slots, "bob", false).await.unwrap();
    own(&slots, "carol", true).await.unwrap();
    assert_eq!(begun.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_renewal_before_which_the_run_was_taken_over_says_by_whom() {
    for fails in [None, Some(Error::new(ErrorKind::Timeout, "no answer"))] {
        let store = Scripted::under("leases/");
        let slots: Arc<dyn Slots> = store.clone();
        let mut alice = create(&slots, "alice").await.unwrap();
        let (lease, _) = slots.read(&key()).await.unwrap().unwrap();
        let bobs = String::from_utf8(lease.to_vec()).unwrap().replace("alice", "bob");
        store.meets(Wrong { overtaken_by: Some(bobs.into()), fails });
        let lost = alice.renew().await.unwrap_err();
        assert!(matches!(&lost, JournalError::Lost { to } if to.contains("bob")), "{lost}");
        let late = alice.append(&entries(1, 1, 1), Durability::Barrier).await;
        assert!(matches!(late, Err(JournalError::Closed { .. })));
    }
}

#[tokio::test(start_paused = true)]
async fn a_renewal_that_the_store_does_not_take_loses_nothing() {
    let store = Scripted::under("leases/");
    let slots: Arc<dyn Slots> = store.clone();
    let mut journal = create(&slots, "alice").await.unwrap();
    store.fails(Error::new(ErrorKind::Unreachable, "no route").not_happened());
    assert!(matches!(journal.renew().await, Err(JournalError::Store(_))));
    store.fails(Error::new(ErrorKind::Timeout, "no answer"));
    assert!(matches!(journal.renew().await, Err(JournalError::InDoubt(_))));
    journal.renew().await.unwrap();
    journal.append(&entries(1, 1, 1), Durability::Barrier).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_append_renews_a_lease_of_which_a_third_is_spent_and_no_younger_one() {
    let store = Scripted::under("leases/");
    let slots: Arc<dyn Slots> = store.clone();
    let mut journal = create(&slots, "alice").await.unwrap();
    // A tenth of the term is never counted on, so this is a third of the rest.
    tokio::time::sleep(TTL * 3 / 10).await;
    journal.append(&entries(1, 1, 1), Durability::Barrier).await.unwrap();
    assert_eq!(store.count("replace leases/"), 0);
    tokio::time::sleep(Duration::from_millis(1)).await;
    journal.append(&entries(2, 2, 1), Durability::Barrier).await.unwrap();
    assert_eq!(store.count("replace leases/"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_is_older_than_the_journal_makes_no_ownership_of_the_same_number() {
    let slots = memory();
    let mut alice = create(&slots, "alice").await.unwrap();
    alice.append(&entries(1, 1, 1), Durability::Barrier).await.unwrap();
    let (first, _) = slots.read(&key()).await.unwrap().unwrap();
    for (name, seq) in [("bob", 2), ("carol", 3)] {
        let (mut journal, _, epoch) = own(&slots, name, true).await.unwrap();
        journal.append(&entries(seq, seq, epoch), Durability::Barrier).await.unwrap();
    }
    // Somebody puts an old copy back.
    let (_, tag) = slots.read(&key()).await.unwrap().unwrap();
    assert!(slots.replace_if(&key(), &tag, first).await.unwrap());
    let (mut dave, lines, epoch) = own(&slots, "dave", true).await.unwrap();
    assert_eq!((lines.len(), epoch), (3, 4));
    dave.append(&entries(4, 4, 4), Durability::Barrier).await.unwrap();
}

#[derive(Debug)]
struct Stopped;

impl Clock for Stopped {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(0)
    }
}

#[tokio::test(start_paused = true)]
async fn a_living_owner_whose_wall_clock_stands_still_keeps_the_run() {
    let slots = memory();
    let (clock, run, alice) = (Arc::new(Stopped), run("one"), who("alice", false));
    let mut journal = SlotJournal::create(slots.clone(), clock, &run, &alice).await.unwrap();
    let renewing = async {
        for _ in 0..5 {
            tokio::time::sleep(TTL / 3).await;
            journal.renew().await.unwrap();
        }
    };
    let (refused, ()) = tokio::join!(own(&slots, "bob", false), renewing);
    assert!(matches!(refused, Err(JournalError::Lost { to }) if to.contains("alice")));
}
