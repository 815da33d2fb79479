//! The journal on a shared store: leases, epochs, and a store that does not say what it did.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use dr_core::journal::{
    Created, Durability, Head, Journal as _, JournalError, MemorySlots, SlotJournal, Slots, Tag, Tenancy,
};
use dr_core::{Error, ErrorKind, Result, Timestamp, TokioClock, async_trait};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

use crate::scripted::Scripted;
use crate::support::{actor, entries, run};

pub(crate) const TTL: Duration = Duration::from_secs(30);

pub(crate) fn who(name: &str, take_over: bool) -> Tenancy {
    Tenancy { owner: actor(name), ttl: TTL, take_over }
}

pub(crate) async fn create(
    slots: &Arc<dyn Slots>,
    name: &str,
) -> std::result::Result<SlotJournal, JournalError> {
    let clock = Arc::new(TokioClock::starting_at(Timestamp::from_millis(0)));
    SlotJournal::create(Arc::clone(slots), clock, &run("one"), &who(name, false)).await
}

pub(crate) async fn own(
    slots: &Arc<dyn Slots>,
    name: &str,
    take_over: bool,
) -> std::result::Result<(SlotJournal, Vec<dr_core::journal::Line>, u64), JournalError> {
    let clock = Arc::new(TokioClock::starting_at(Timestamp::from_millis(0)));
    SlotJournal::own(Arc::clone(slots), clock, &run("one"), &who(name, take_over)).await
}

pub(crate) fn memory() -> Arc<dyn Slots> {
    Arc::new(MemorySlots::new())
}

#[tokio::test(start_paused = true)]
async fn what_is_appended_is_there_for_the_next_owner() {
    let slots = memory();
    let mut journal = create(&slots, "alice").await.unwrap();
    journal.append(&entries(1, 3, 1), Durability::Barrier).await.unwrap();
    journal.append(&entries(4, 4, 1), Durability::Lazy).await.unwrap();
    journal.release().await.unwrap();
    let (mut next, lines, epoch) = own(&slots, "bob", false).await.unwrap();
    assert_eq!((lines.len(), epoch), (4, 2));
    next.append(&entries(5, 5, 2), Durability::Barrier).await.unwrap();
    assert_eq!(SlotJournal::read_only(&*slots, &run("one")).await.unwrap().len(), 5);
}

#[tokio::test(start_paused = true)]
async fn a_run_is_begun_once() {
    let slots = memory();
    create(&slots, "alice").await.unwrap();
    assert!(matches!(create(&slots, "bob").await, Err(JournalError::Refused { .. })));
}

#[tokio::test(start_paused = true)]
async fn a_run_without_an_event_is_a_run() {
    let slots = memory();
    let journal = create(&slots, "alice").await.unwrap();
    assert_eq!(SlotJournal::read_only(&*slots, &run("one")).await.unwrap(), []);
    drop(journal);
}

#[tokio::test(start_paused = true)]
async fn a_dead_owners_lease_is_waited_out() {
    let slots = memory();
    let journal = create(&slots, "alice").await.unwrap();
    let begun = tokio::time::Instant::now();
    let (_, _, epoch) = own(&slots, "bob", false).await.unwrap();
    assert!(begun.elapsed() >= TTL && epoch == 2);
    assert_eq!(journal.lease_left(), Some(Duration::ZERO), "the old owner knew before the new one began");
}

#[tokio::test(start_paused = true)]
async fn a_living_owner_keeps_the_run() {
    let slots = memory();
    let mut journal = create(&slots, "alice").await.unwrap();
    let renewing = async {
        for _ in 0..5 {
            tokio::time::sleep(TTL / 3).await;
            journal.renew().await.unwrap();
        }
    };
    let (refused, ()) = tokio::join!(own(&slots, "bob", false), renewing);
    assert!(matches!(refused, Err(JournalError::Lost { to }) if to.contains("alice")));
}

#[tokio::test(start_paused = true)]
async fn who_is_taken_over_can_append_and_renew_nothing_more() {
    let slots = memory();
    let mut old = create(&slots, "alice").await.unwrap();
    old.append(&entries(1, 1, 1), Durability::Barrier).await.unwrap();
    let (mut new, _, epoch) = own(&slots, "bob", true).await.unwrap();
    new.append(&entries(2, 2, epoch), Durability::Barrier).await.unwrap();
    let late = old.append(&entries(2, 2, 1), Durability::Barrier).await;
    assert!(matches!(late, Err(JournalError::Lost { to }) if to == "ownership 2"));
    assert!(matches!(old.renew().await, Err(JournalError::Lost { to }) if to.contains("bob")));
}

#[tokio::test(start_paused = true)]
async fn two_take_overs_without_an_event_have_different_epochs() {
    let slots = memory();
    create(&slots, "alice").await.unwrap();
    let (_, _, second) = own(&slots, "bob", true).await.unwrap();
    let (_, _, third) = own(&slots, "carol", true).await.unwrap();
    assert_eq!((second, third), (2, 3));
}

#[tokio::test(start_paused = true)]
async fn an_event_of_another_ownership_is_not_written() {
    let slots = memory();
    let mut journal = create(&slots, "alice").await.unwrap();
    assert!(matches!(
        journal.append(&entries(1, 1, 2), Durability::Barrier).await,
        Err(JournalError::Refused { .. })
    ));
}

#[tokio::test(start_paused = true)]
async fn appends_keep_the_lease_and_idleness_loses_it() {
    let slots = memory();
    let mut journal = create(&slots, "alice").await.unwrap();
    for seq in 1..=10 {
        tokio::time::sleep(TTL / 2).await;
        journal.append(&entries(seq, seq, 1), Durability::Barrier).await.unwrap();
        assert!(journal.lease_left().unwrap() > TTL / 2);
    }
    tokio::time::sleep(TTL).await;
    assert_eq!(journal.lease_left(), Some(Duration::ZERO));
}

#[tokio::test(start_paused = true)]
async fn a_removed_object_is_damage() {
    let slots = memory();
    let mut journal = create(&slots, "alice").await.unwrap();
    for seq in 1..=3 {
        journal.append(&entries(seq, seq, 1), Durability::Barrier).await.unwrap();
    }
    let keys = slots.list("runs/").await.unwrap();
    let (_, tag) = slots.read(&keys[1]).await.unwrap().unwrap();
    assert!(slots.remove_if(&keys[1], &tag).await.unwrap());
    assert!(matches!(journal.read(1).await, Err(JournalError::Damaged { at: 2, .. })));
}

#[tokio::test(start_paused = true)]
async fn who_is_taken_over_writes_nothing_more_though_the_next_has_not_written_yet() {
    let slots = memory();
    let mut old = create(&slots, "alice").await.unwrap();
    let (mut new, _, epoch) = own(&slots, "bob", true).await.unwrap();
    let late = old.append(&entries(1, 1, 1), Durability::Barrier).await;
    assert!(matches!(late, Err(JournalError::Lost { to }) if to.contains("bob")));
    assert_eq!(new.read(1).await.unwrap(), [], "a mark is no event");
    new.append(&entries(1, 2, epoch), Durability::Barrier).await.unwrap();
    new.append(&entries(3, 3, epoch), Durability::Barrier).await.unwrap();
    assert_eq!(SlotJournal::read_only(&*slots, &run("one")).await.unwrap().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn who_died_before_writing_anything_is_followed_by_the_next() {
    let slots = memory();
    create(&slots, "alice").await.unwrap().append(&entries(1, 1, 1), Durability::Barrier).await.unwrap();
    drop(own(&slots, "bob", true).await.unwrap());
    let (mut third, lines, epoch) = own(&slots, "carol", true).await.unwrap();
    assert_eq!((lines.len(), epoch), (1, 3));
    third.append(&entries(2, 2, 3), Durability::Barrier).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_empty_object_in_the_place_of_the_next_is_damage() {
    let slots = memory();
    create(&slots, "alice").await.unwrap().append(&entries(1, 1, 1), Durability::Barrier).await.unwrap();
    let key = slots.list("runs/").await.unwrap()[0].replace("000001.", "000002.");
    slots.create(&key, Bytes::new()).await.unwrap();
    assert!(matches!(own(&slots, "bob", true).await, Err(JournalError::Damaged { at: 2, .. })));
}

/// He would be quicker for ever if each of his objects took two calls.
#[tokio::test(start_paused = true)]
async fn what_an_owner_writes_who_was_taken_over_counts_and_costs_the_next_one_call_each() {
    let store = Scripted::under("runs/");
    let slots: Arc<dyn Slots> = store.clone();
    create(&slots, "alice").await.unwrap();
    let mut head = Head::start();
    for seq in 1..=5 {
        let (object, next) = head.encode(&entries(seq, seq, 1)).unwrap();
        store.overtaken(object);
        head = next;
    }
    let (mut bob, lines, epoch) = own(&slots, "bob", true).await.unwrap();
    assert_eq!((lines.len(), epoch), (5, 2));
    let calls = ["create runs/", "read runs/", "replace leases/"].map(|call| store.count(call));
    assert_eq!(calls, [6, 1, 1]);
    bob.append(&entries(6, 6, 2), Durability::Barrier).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_store_that_says_no_is_not_asked_again_and_nothing_is_in_doubt() {
    let store = Scripted::under("runs/");
    let mut journal = create(&(store.clone() as Arc<dyn Slots>), "alice").await.unwrap();
    store.fails(Error::refused("read-only"));
    let refused = journal.append(&entries(1, 1, 1), Durability::Barrier).await;
    assert!(matches!(refused, Err(JournalError::Store(_))), "{refused:?}");
    assert_eq!(store.count("create runs/"), 1);
}

#[tokio::test(start_paused = true)]
async fn what_an_earlier_try_may_have_written_stays_in_doubt() {
    let store = Scripted::under("runs/");
    let mut journal = create(&(store.clone() as Arc<dyn Slots>), "alice").await.unwrap();
    store.fails(Error::new(ErrorKind::Timeout, "no answer"));
    store.fails(Error::refused("read-only"));
    let doubt = journal.append(&entries(1, 1, 1), Durability::Barrier).await;
    assert!(matches!(doubt, Err(JournalError::InDoubt(_))), "{doubt:?}");
}

#[tokio::test(start_paused = true)]
async fn a_store_that_answers_nobody_is_given_up_long_before_a_long_lease_is_over() {
    let store = Scripted::under("runs/");
    let clock = Arc::new(TokioClock::starting_at(Timestamp::from_millis(0)));
    let tenancy = Tenancy { ttl: Duration::from_secs(600), ..who("alice", false) };
    let mut journal = SlotJournal::create(store.clone(), clock, &run("one"), &tenancy).await.unwrap();
    (0..60).for_each(|_| store.fails(Error::new(ErrorKind::Unreachable, "no route")));
    let begun = tokio::time::Instant::now();
    let failed = journal.append(&entries(1, 1, 1), Durability::Barrier).await;
    assert!(failed.is_err(), "{failed:?}");
    assert!(begun.elapsed() <= Duration::from_secs(20), "{:?}", begun.elapsed());
}

/// Takes a while for every call, another each time.
#[derive(Debug)]
struct Slow {
    inner: MemorySlots,
    random: Mutex<StdRng>,
}

impl Slow {
    fn seeded(inner: &MemorySlots, seed: u64) -> Arc<dyn Slots> {
        Arc::new(Self { inner: inner.clone(), random: Mutex::new(StdRng::seed_from_u64(seed)) })
    }

    async fn takes_a_while(&self) {
        let millis = self.random.lock().unwrap().random_range(0..40);
        tokio::time::sleep(Duration::from_millis(millis)).await;
    }
}

#[async_trait]
impl Slots for Slow {
    async fn create(&self, key: &str, bytes: Bytes) -> Result<Created> {
        self.takes_a_while().await;
        let result = self.inner.create(key, bytes).await;
        self.takes_a_while().await;
        result
    }
    async fn read(&self, key: &str) -> Result<Option<(Bytes, Tag)>> {
        self.takes_a_while().await;
        let result = self.inner.read(key).await;
        self.takes_a_while().await;
        result
    }
    async fn replace_if(&self, key: &str, tag: &Tag, bytes: Bytes) -> Result<bool> {
        self.takes_a_while().await;
        let result = self.inner.replace_if(key, tag, bytes).await;
        self.takes_a_while().await;
        result
    }
    async fn remove_if(&self, key: &str, tag: &Tag) -> Result<bool> {
        self.inner.remove_if(key, tag).await
    }
    async fn list(&self, prefix: &str) -> Result<Vec<String>> {
        self.takes_a_while().await;
        self.inner.list(prefix).await
    }
}

/// P6: an owner who writes all the time and two who take over, in a hundred interleavings.
/// Found: both who took over ended, and nobody drove the run; the next object's place is marked since.
#[tokio::test(start_paused = true)]
async fn of_a_busy_owner_and_two_who_take_over_at_once_one_can_go_on() {
    for seed in 0..100 {
        let inner = MemorySlots::new();
        let slots = |who: u64| Slow::seeded(&inner, seed * 3 + who);
        let mut alice = create(&slots(0), "alice").await.unwrap();
        let busy = async {
            let mut seq = 1;
            while alice.append(&entries(seq, seq, 1), Durability::Barrier).await.is_ok() {
                seq += 1;
            }
        };
        let (bobs, carols) = (slots(1), slots(2));
        let taken = |name, slots| async move {
            let (mut journal, lines, epoch) = own(slots, name, true).await?;
            let next = lines.len() as u64 + 1;
            for seq in next..next + 5 {
                journal.append(&entries(seq, seq, epoch), Durability::Barrier).await?;
            }
            Ok::<_, JournalError>(next + 4)
        };
        let ((), bob, carol) = tokio::join!(busy, taken("bob", &bobs), taken("carol", &carols));
        let ends: Vec<u64> = [&bob, &carol].into_iter().flatten().copied().collect();
        // Both may be through where one had written all five before the other came.
        let last = ends.iter().max().unwrap_or_else(|| panic!("seed {seed}: {bob:?}, {carol:?}"));
        let lines = SlotJournal::read_only(&inner, &run("one")).await.unwrap();
        assert_eq!(
            lines.len() as u64,
            *last,
            "seed {seed}: what was acknowledged is there, and nothing else"
        );
    }
}

/// Writes, and loses the answer, of every second write.
#[derive(Debug)]
struct LostReply {
    inner: MemorySlots,
    writes: AtomicU32,
}

impl LostReply {
    fn answer<T>(&self, result: Result<T>) -> Result<T> {
        if self.writes.fetch_add(1, Ordering::Relaxed).is_multiple_of(2) {
            Err(Error::new(ErrorKind::Timeout, "the answer was lost"))
        } else {
            result
        }
    }
}

#[async_trait]
impl Slots for LostReply {
    async fn create(&self, key: &str, bytes: Bytes) -> Result<Created> {
        self.answer(self.inner.create(key, bytes).await)
    }
    async fn read(&self, key: &str) -> Result<Option<(Bytes, Tag)>> {
        self.inner.read(key).await
    }
    async fn replace_if(&self, key: &str, tag: &Tag, bytes: Bytes) -> Result<bool> {
        self.answer(self.inner.replace_if(key, tag, bytes).await)
    }
    async fn remove_if(&self, key: &str, tag: &Tag) -> Result<bool> {
        self.answer(self.inner.remove_if(key, tag).await)
    }
    async fn list(&self, prefix: &str) -> Result<Vec<String>> {
        self.inner.list(prefix).await
    }
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_is_no_lost_event_and_no_second_one() {
    let inner = MemorySlots::new();
    drop(create(&(Arc::new(inner.clone()) as Arc<dyn Slots>), "alice").await.unwrap());
    let slots: Arc<dyn Slots> = Arc::new(LostReply { inner, writes: AtomicU32::new(0) });
    let (mut journal, _, epoch) = own(&slots, "bob", true).await.unwrap();
    for seq in 1..=10 {
        journal.append(&entries(seq, seq, epoch), Durability::Barrier).await.unwrap();
        tokio::time::sleep(TTL / 2).await;
    }
    assert_eq!(journal.read(1).await.unwrap().len(), 10);
}
