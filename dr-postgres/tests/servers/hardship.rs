//! A slow link, a full disk: what is not known is taken for nothing, and what does not arrive is not left behind.

use std::time::Duration;

use dr_core::ErrorKind;
use dr_core::resource::{Basis, Fence, Reach, Role};

use crate::support::*;

const ONE_WAY: Duration = Duration::from_millis(2_500);

/// A store without control of its servers, some of which are behind slow links.
async fn far_away(pair: &Pair, sides: &[&str], connect_timeout: &str) -> (Store, Vec<SlowLink>) {
    let mut config = pair.config_without_control();
    config["connect_timeout"] = connect_timeout.into();
    let mut links = Vec::new();
    for side in sides {
        let port = if *side == EAST { pair.east.port } else { pair.west.port };
        let link = SlowLink::to(port, ONE_WAY).await;
        config["sides"][side]["url"] = format!("postgres://dr@127.0.0.1:{}/postgres", link.port).into();
        links.push(link);
    }
    (Store::connect(config).await, links)
}

/// P23: five seconds to and fro, and nobody waits that long: what is there stays unknown, and nothing is promoted or
/// demoted on the strength of it.
#[tokio::test]
async fn servers_that_answer_too_late_are_unknown_and_nothing_is_done_to_them() {
    let pair = Pair::start().await;
    let (store, _links) = far_away(&pair, &[EAST, WEST], "1s").await;
    for side in [EAST, WEST] {
        let node = store.node(side).await;
        assert_eq!((node.reach, node.role, node.writable), (Reach::Hung, Role::Unknown, None), "{side}");
        assert_eq!(node.lag, None, "{side}");
    }
    for mut hasty in [cx(), unplanned()] {
        hasty = hasty.within(Duration::from_secs(8));
        assert!(store.fence(&hasty, EAST).await.is_err(), "{:?}", hasty.urgency);
        assert!(store.promote(&hasty, WEST, forced(Vec::new())).await.is_err(), "{:?}", hasty.urgency);
    }
    assert_eq!(one(pair.west.port, "select pg_is_in_recovery()").await.as_deref(), Ok("t"));
    sql(pair.east.port, "app", "insert into t values (1)").await.unwrap();
}

/// P23: the same way to the target, and a plan that waits.
#[tokio::test]
async fn five_seconds_of_latency_are_only_slow() {
    let pair = Pair::start().await;
    let (store, _links) = far_away(&pair, &[WEST], "20s").await;
    assert_eq!(store.node(WEST).await.role, Role::Standby);
    sql(pair.east.port, "app", "insert into t values (1)").await.unwrap();
    let mut patient = cx();
    patient.deadline += Duration::from_secs(180);
    let proof = store.fence(&patient, EAST).await.unwrap();
    store.promote(&patient, WEST, Basis::Planned { fences: vec![proof] }).await.unwrap();
    assert_eq!(one(pair.west.port, "select count(*) from t").await.as_deref(), Ok("1"));
    sql(pair.west.port, "app", "insert into t values (2)").await.unwrap();
}

/// P1 and P39: the standby's disk is full. It is behind and says so, and no planned promotion leaves behind what it never
/// got; where the fence is undone the source goes on.
#[tokio::test]
async fn a_standby_whose_disk_is_full_is_behind_and_is_not_promoted_as_planned() {
    if !is_root() {
        eprintln!("SKIPPED: a small disk of one's own needs root");
        return;
    }
    let pair = Pair::start().await;
    let store = pair.store().await;
    pair.west.stop("fast");
    let _disk = SmallDisk::under(&pair.west, 4 << 20);
    pair.west.start();
    pair.streams(pair.east.port).await;
    for thousand in 0..8 {
        let rows = format!("insert into t select generate_series({thousand}0001, {thousand}9999)");
        sql(pair.east.port, "app", &rows).await.unwrap();
        sql(pair.east.port, "postgres", "select pg_switch_wal()").await.unwrap();
    }
    eventually("its disk is full", async || store.node(WEST).await.receiving != Some(true)).await;
    sql(pair.east.port, "app", "insert into t values (0)").await.unwrap();
    let lag = store.node(WEST).await.lag;
    assert_ne!(lag, Some(Duration::ZERO), "it is behind");

    let effect = store.effect::<Fence>();
    let was = effect.prepare(&cx(), &fence(EAST)).await.unwrap();
    let proof = store.fence(&cx(), EAST).await.unwrap();
    let soon = cx().within(Duration::from_secs(4));
    let refused = store.promote(&soon, WEST, Basis::Planned { fences: vec![proof] }).await.unwrap_err();
    assert!([ErrorKind::NotReady, ErrorKind::Unreachable].contains(&refused.kind()), "{refused}");
    effect.undo(&cx(), &fence(EAST), &was.before).await.unwrap();
    let rows = one(pair.east.port, "select count(*) from t where i = 0").await;
    assert_eq!(rows.as_deref(), Ok("1"));
    assert_ne!(one(pair.west.port, "select pg_is_in_recovery()").await.as_deref(), Ok("f"));
}
