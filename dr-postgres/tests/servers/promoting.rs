use std::time::{Duration, Instant};

use dr_core::resource::{Basis, Promote, Standing};
use dr_core::{ErrorKind, Happened};

use crate::support::*;

#[tokio::test]
async fn a_promotion_without_a_basis_is_refused() {
    let pair = Pair::start().await;
    let store = pair.store().await;
    let effect = store.effect::<Promote>();
    let call = promote(WEST, None);
    let was = effect.prepare(&cx(), &call).await.unwrap();
    assert!(matches!(was.standing, Standing::Would { .. }));
    let error = effect.apply(&cx(), &call, &was).await.unwrap_err();
    assert_eq!((error.kind(), error.happened()), (ErrorKind::Refused, Happened::No));
    assert_eq!(one(pair.west.port, "select pg_is_in_recovery()").await.unwrap(), "t");
}

/// P11 and P39: the same for the store alone, with rows that were acknowledged before they were on disk.
#[tokio::test]
async fn switching_back_and_forth_loses_nothing_and_ends_the_same() {
    let pair = Pair::start().await;
    let store = pair.store().await;
    for turn in 0..6 {
        let ((from, old), (to, new)) = if turn % 2 == 0 {
            ((EAST, &pair.east), (WEST, &pair.west))
        } else {
            ((WEST, &pair.west), (EAST, &pair.east))
        };
        let row = format!("set synchronous_commit = off; insert into t values ({turn})");
        sql(old.port, "app", &row).await.unwrap();
        let begun = Instant::now();
        let proof = store.fence(&cx(), from).await.unwrap();
        let fenced = begun.elapsed();
        let promotion = store.promote(&cx(), to, Basis::Planned { fences: vec![proof] }).await.unwrap();
        println!("turn {turn}: fence {fenced:?}, promote {:?}", begun.elapsed() - fenced);
        assert_eq!(promotion.timeline, Some(turn + 2));
        let rows = one(new.port, "select count(*) from t").await.unwrap();
        assert_eq!(rows, (turn + 1).to_string());
        let following = store.follow(&cx(), from, to).await.unwrap();
        println!("turn {turn}: {following}");
        pair.streams(new.port).await;
    }
}

#[tokio::test]
async fn a_killed_primary_is_fenced_by_its_control_and_the_standby_promoted_at_once() {
    let pair = Pair::start().await;
    let store = pair.store().await;
    store.observe().await;
    pair.east.kill();
    let begun = Instant::now();
    let proof = store.fence(&unplanned(), EAST).await.unwrap();
    assert_eq!(proof.position, None);
    let fenced = begun.elapsed();
    let promotion = store.promote(&unplanned(), WEST, forced(vec![proof])).await.unwrap();
    println!("fence {fenced:?}, promote {:?}", begun.elapsed() - fenced);
    assert_eq!(promotion.timeline, Some(2));
    sql(pair.west.port, "app", "insert into t values (7)").await.unwrap();
}

#[tokio::test]
async fn a_crashed_source_is_no_ground_for_a_planned_promotion() {
    let pair = Pair::start().await;
    let store = pair.store().await;
    pair.east.kill();
    let proof = store.fence(&unplanned(), EAST).await.unwrap();
    let error = store.promote(&cx(), WEST, Basis::Planned { fences: vec![proof] }).await.unwrap_err();
    assert_eq!((error.kind(), error.happened()), (ErrorKind::NotReady, Happened::No));
    assert_eq!(one(pair.west.port, "select pg_is_in_recovery()").await.unwrap(), "t");
}

/// P39: replay stands still: the proof waits for what was acknowledged.
#[tokio::test]
async fn a_standby_that_has_not_replayed_everything_is_not_promoted_as_planned() {
    let pair = Pair::start().await;
    let store = pair.store().await;
    sql(pair.west.port, "postgres", "select pg_wal_replay_pause()").await.unwrap();
    sql(pair.east.port, "app", "insert into t values (1)").await.unwrap();
    let proof = store.fence(&cx(), EAST).await.unwrap();
    let soon = cx().within(Duration::from_secs(2));
    let error = store.promote(&soon, WEST, Basis::Planned { fences: vec![proof] }).await.unwrap_err();
    assert_eq!((error.kind(), error.happened()), (ErrorKind::NotReady, Happened::No));
}

/// P40: the wait for a synchronous standby is cancelled, and the server acknowledges a row that no other server has: it is
/// waited for like any other.
#[tokio::test]
async fn a_row_acknowledged_by_a_cancelled_wait_is_not_left_behind_by_a_planned_promotion() {
    let pair = Pair::start().await;
    let store = pair.store().await;
    for statement in ["alter system set primary_conninfo = ''", "select pg_reload_conf()"] {
        sql(pair.west.port, "postgres", statement).await.unwrap();
    }
    eventually("nothing is received", async || {
        one(pair.west.port, "select count(*) from pg_stat_wal_receiver").await.as_deref() == Ok("0")
    })
    .await;
    for statement in ["alter system set synchronous_standby_names = 'gone'", "select pg_reload_conf()"] {
        sql(pair.east.port, "postgres", statement).await.unwrap();
    }
    let cancelling = eventually("a wait that is cancelled", async || {
        let cancel =
            "select count(pg_cancel_backend(pid)) from pg_stat_activity where wait_event = 'SyncRep'";
        one(pair.east.port, cancel).await.as_deref() == Ok("1")
    });
    let (acknowledged, ()) =
        tokio::join!(sql(pair.east.port, "app", "insert into t values (40)"), cancelling);
    acknowledged.unwrap();

    let proof = store.fence(&cx(), EAST).await.unwrap();
    let basis = Basis::Planned { fences: vec![proof] };
    let soon = cx().within(Duration::from_secs(2));
    let error = store.promote(&soon, WEST, basis.clone()).await.unwrap_err();
    assert_eq!((error.kind(), error.happened()), (ErrorKind::NotReady, Happened::No));
    assert_eq!(one(pair.west.port, "select pg_is_in_recovery()").await.as_deref(), Ok("t"));
}

#[tokio::test]
async fn a_second_apply_after_a_lost_reply_ends_in_the_same_world() {
    let pair = Pair::start().await;
    let store = pair.store().await;
    let proof = store.fence(&cx(), EAST).await.unwrap();
    let basis = Basis::Planned { fences: vec![proof] };
    let first = store.promote(&cx(), WEST, basis.clone()).await.unwrap();
    let call = promote(WEST, Some(basis));
    let effect = store.effect::<Promote>();
    assert!(effect.prepare(&cx(), &call).await.unwrap().is_already());
    let was = effect.prepare(&cx(), &call).await.unwrap();
    let second = effect.apply(&cx(), &call, &was).await.unwrap();
    assert_eq!((first.timeline, first.position), (second.timeline, second.position));
}

#[tokio::test]
async fn servers_behind_a_command_are_switched_and_rejoined_as_well() {
    let pair = Pair::start().await;
    let store = Store::connect(pair.config_by_command()).await;
    store.switch(EAST, WEST).await;
    store.follow(&cx(), EAST, WEST).await.unwrap();
    pair.streams(pair.west.port).await;
    store.switch(WEST, EAST).await;
    sql(pair.east.port, "app", "insert into t values (1)").await.unwrap();
}

/// P36: the request stands after the timeout, and the server promotes itself later.
#[tokio::test]
async fn a_pending_promotion_is_cancelled_only_with_control() {
    let pair = Pair::start().await;
    let blind = pair.store_without_control().await;
    let store = pair.store().await;
    let proof = store.fence(&cx(), EAST).await.unwrap();
    let startup = pair.west.process("startup").unwrap();
    signal(&startup, "STOP");
    let call = promote(WEST, Some(forced(vec![proof])));
    let effect = blind.effect::<Promote>();
    let was = effect.prepare(&cx(), &call).await.unwrap();
    let soon = cx().within(Duration::from_millis(700));
    let error = effect.apply(&soon, &call, &was).await.unwrap_err();
    assert_eq!((error.kind(), error.happened()), (ErrorKind::Timeout, Happened::Maybe));
    assert!(effect.undo(&cx(), &call, &was.before).await.is_err(), "without control nothing is proven");
    store.effect::<Promote>().undo(&cx(), &call, &was.before).await.unwrap();
    signal(&startup, "CONT");
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(one(pair.west.port, "select pg_is_in_recovery()").await.unwrap(), "t");
}

#[tokio::test]
async fn a_promotion_that_happened_is_not_cancelled() {
    let pair = Pair::start().await;
    let store = pair.store().await;
    let effect = store.effect::<Promote>();
    let call = promote(WEST, None);
    let was = effect.prepare(&cx(), &call).await.unwrap();
    store.switch(EAST, WEST).await;
    let error = effect.undo(&cx(), &call, &was.before).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    assert_eq!(one(pair.west.port, "select pg_is_in_recovery()").await.unwrap(), "f");
}

/// P41: promoted, and the first commit waits for a standby that is not there.
#[tokio::test]
async fn a_promotion_has_not_succeeded_before_a_row_is_committed_and_read_back() {
    let pair = Pair::start().await;
    let store = pair.store().await;
    for statement in ["alter system set synchronous_standby_names = 'gone'", "select pg_reload_conf()"] {
        sql(pair.west.port, "postgres", statement).await.unwrap();
    }
    let proof = store.fence(&cx(), EAST).await.unwrap();
    let soon = cx().within(Duration::from_secs(3));
    let error = store.promote(&soon, WEST, Basis::Planned { fences: vec![proof] }).await.unwrap_err();
    assert_eq!((error.kind(), error.happened()), (ErrorKind::Timeout, Happened::Maybe));
}

/// Measures how often a promotion that follows the loss of the primary by a few milliseconds stalls.
#[tokio::test]
#[ignore = "a measurement: takes minutes"]
async fn measure_the_stall_of_a_promotion_right_after_the_loss() {
    let mut took = Vec::new();
    for turn in 0..16_u64 {
        let pair = Pair::start_with("wal_retrieve_retry_interval = 5s").await;
        let store = pair.store().await;
        store.observe().await;
        let call = promote(WEST, Some(forced(Vec::new())));
        let effect = store.effect::<Promote>();
        let was = effect.prepare(&cx(), &call).await.unwrap();
        pair.east.kill();
        tokio::time::sleep(Duration::from_millis(turn)).await;
        let begun = Instant::now();
        effect.apply(&cx(), &call, &was).await.unwrap();
        took.push(begun.elapsed().as_millis());
    }
    println!("took {took:?} ms");
}
