//! A shared store in which somebody else left objects: claims, debts, the register, messages, a lease and a journal are
//! read or refused.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use dr_core::event::Actor;
use dr_core::journal::{Claims, Debts, Inbox, MemorySlots, Register, SlotJournal, Slots, Tenancy};
use dr_core::{Clock, Identity, RunId, Timestamp, TokioClock};

const RUN: &str = "20261121T020000Z-abcdef";

pub(crate) fn run(bytes: &[u8]) {
    let clock = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    clock.expect("a runtime without threads").block_on(async {
        beside_runs(bytes).await;
        a_run(bytes).await;
    });
}

fn actor() -> Actor {
    Actor { name: "alice".into(), from: "bastion".into() }
}

/// The same bytes under every key that is read.
async fn beside_runs(bytes: &[u8]) {
    let (slots, clock) = store();
    let identity = Identity::new("x");
    for key in [
        "claims/x.json",
        "claims-released/000001.json",
        "debts/x.json",
        "bundles/000001.json",
        &format!("runs/{RUN}/inbox/000001.json"),
        &format!("leases/{RUN}.json"),
        &format!("runs/{RUN}/journal/000000000001.ndjson"),
    ] {
        put(&*slots, key, bytes).await;
    }
    let run = RunId::new(RUN);
    let claims = Claims::new(Arc::clone(&slots), Arc::clone(&clock));
    let _ = claims.list().await;
    let _ = claims.released_by_hand().await;
    let _ = claims.take(&run, std::slice::from_ref(&identity), &actor()).await;
    let _ = claims.release_by_hand(&identity, "gone", &actor()).await;
    let _ = claims.release(&run).await;
    let debts = Debts::new(Arc::clone(&slots), Arc::clone(&clock));
    if let Ok(open) = debts.list().await {
        for debt in &open {
            let _ = debts.pay(&run, debt).await;
        }
    }
    let register = Register::new(Arc::clone(&slots));
    let _ = register.next().await;
    let mut inbox = Inbox::new(Arc::clone(&slots), Arc::clone(&clock), &run);
    assert!(inbox.take_new().await.is_ok_and(|incoming| incoming.len() == 1));
    // A lease may say that it lasts for a hundred years.
    let patience = Duration::from_secs(60);
    let _ = tokio::time::timeout(patience, SlotJournal::own(slots, clock, &run, &tenancy(false))).await;
}

/// A run of ours whose journal, or the mark in the next object's place, is another's.
async fn a_run(bytes: &[u8]) {
    let (slots, clock) = store();
    let run = RunId::new(RUN);
    let made = SlotJournal::create(Arc::clone(&slots), Arc::clone(&clock), &run, &tenancy(false)).await;
    drop(made.expect("an empty store takes a run"));
    put(&*slots, &format!("runs/{RUN}/journal/000000000001.ndjson"), bytes).await;
    let read = SlotJournal::read_only(&*slots, &run).await;
    let owned = SlotJournal::own(slots, clock, &run, &tenancy(true)).await;
    if let (Ok(read), Ok((_, owned, epoch))) = (read, owned) {
        assert_eq!(read, owned);
        assert!(owned.iter().all(|line| line.entry.epoch < epoch));
    }
}

fn tenancy(take_over: bool) -> Tenancy {
    Tenancy { owner: actor(), ttl: Duration::from_secs(10), take_over }
}

fn store() -> (Arc<dyn Slots>, Arc<dyn Clock>) {
    (Arc::new(MemorySlots::new()), Arc::new(TokioClock::starting_at(Timestamp::from_millis(0))))
}

async fn put(slots: &dyn Slots, key: &str, bytes: &[u8]) {
    let _ = slots.create(key, Bytes::copy_from_slice(bytes)).await;
}
