//! Numbers behind which there is no other.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use dr_core::event::{Actor, Entry, Event};
use dr_core::journal::{
    Claims, Head, Inbox, JournalError, MemorySlots, SlotJournal, Slots, Tenancy, read_lines,
};
use dr_core::measure::{LedgerLog, next_row};
use dr_core::{ErrorKind, Identity, RunId, SystemClock, Timestamp};

const RUN: &str = "20261121T020000Z-abcdef";

fn actor() -> Actor {
    Actor { name: "alice".into(), from: "bastion".into() }
}

async fn holding(key: &str, bytes: impl Into<Bytes>) -> Arc<dyn Slots> {
    let slots = MemorySlots::new();
    slots.create(key, bytes.into()).await.expect("an empty store");
    Arc::new(slots)
}

/// Found: the next ownership's number was an overflow.
#[test]
fn a_journal_of_the_last_ownership_of_all_is_damaged() {
    let event = Event::TurnedBack { why: "failed".into() };
    let entry = Entry { seq: 1, epoch: u64::MAX, at: Timestamp::from_millis(0), elapsed_ms: 0, event };
    assert!(matches!(Head::start().encode(std::slice::from_ref(&entry)), Err(JournalError::Refused { .. })));
    let (bytes, _) = Head::start().encode(&[Entry { epoch: 1, ..entry }]).expect("a journal");
    let text = String::from_utf8_lossy(&bytes).replace(r#""epoch":1,"#, &format!(r#""epoch":{},"#, u64::MAX));
    assert!(matches!(read_lines(&Bytes::from(text)), Err(JournalError::Damaged { at: 1, .. })));
}

/// Found: the same in a lease.
#[tokio::test]
async fn a_lease_of_the_last_ownership_of_all_is_damaged() {
    let lease = format!(
        r#"{{"run":"{RUN}","epoch":{},"renewals":0,"owner":{{"name":"bob","from":"there"}},"at":"2026-11-21T01:00:00Z","ttl":"10s","released":true}}"#,
        u64::MAX
    );
    let slots = holding(&format!("leases/{RUN}.json"), lease).await;
    let who = Tenancy { owner: actor(), ttl: Duration::from_secs(10), take_over: false };
    let owned = SlotJournal::own(slots, Arc::new(SystemClock), &RunId::new(RUN), &who).await;
    assert!(matches!(owned, Err(JournalError::Damaged { .. })), "{owned:?}");
}

/// Found: the number behind it was an overflow, and in a release the message's key began with nothing again.
#[tokio::test]
async fn no_message_is_left_behind_the_last_number_of_all() {
    let slots = holding(&format!("runs/{RUN}/inbox/{}.json", u64::MAX), "{}").await;
    let inbox = Inbox::new(Arc::clone(&slots), Arc::new(SystemClock), &RunId::new(RUN));
    let error =
        inbox.post(dr_core::event::Request::Abort, actor(), "stop").await.expect_err("no number is left");
    assert_eq!(error.kind(), ErrorKind::Invalid);
}

/// Found: the same with a claim that is released by hand, which must not be freed without its record.
#[tokio::test]
async fn no_claim_is_released_whose_release_cannot_be_recorded() {
    let slots = holding(&format!("claims-released/{}.json", u64::MAX), "{}").await;
    let claims = Claims::new(slots, Arc::new(SystemClock));
    let identity = Identity::new("x");
    claims.take(&RunId::new(RUN), std::slice::from_ref(&identity), &actor()).await.expect("a claim");
    claims.release_by_hand(&identity, "gone", &actor()).await.expect_err("no number is left");
    assert_eq!(claims.list().await.expect("claims").len(), 1);
}

/// Found: the row behind the last one of all was an overflow.
#[test]
fn the_last_row_of_all_has_none_behind_it() {
    let text = format!(
        "{}\n{}\n",
        r#"{"v":1,"begun":"2026-11-21T02:00:00Z","of":"orders","every":"100ms"}"#,
        format_args!(
            r#"{{"v":1,"row":{},"at":"2026-11-21T02:00:00Z","sent_ms":0,"state":"attempted"}}"#,
            i64::MAX
        )
    );
    assert_eq!(next_row(&LedgerLog::parse(text.as_bytes()).expect("a ledger's file")), i64::MAX);
}
