use std::time::{Duration, Instant};

use dr_core::Side;
use dr_core::resource::{Reach, Replication, Role};
use dr_postgres::Protection;

use crate::support::*;

#[tokio::test]
async fn a_healthy_pair_is_seen_whole() {
    let pair = Pair::start().await;
    let store = pair.store().await;
    let seen = store.observe().await;
    let (east, west) = (&seen.sides[EAST].nodes[0], &seen.sides[WEST].nodes[0]);
    assert_eq!((east.role, east.writable, east.reach), (Role::Primary, Some(true), Reach::Answers));
    assert_eq!((west.role, west.writable, west.receiving), (Role::Standby, Some(false), Some(true)));
    assert!(east.system.is_some() && east.system == west.system);
    assert_eq!((east.timeline, west.timeline), (Some(1), Some(1)));
    assert_eq!(seen.writable_sides(), [&Side::new(EAST)]);
    assert!(west.lag.unwrap() < Duration::from_millis(300));
    assert!(seen.sides[EAST].strangers.is_empty(), "{:?}", seen.sides[EAST].strangers);
    assert!(west.hazards.iter().all(|hazard| !hazard.blocks), "{:?}", west.hazards);
}

/// P2: nobody writes for a while.
#[tokio::test]
async fn an_idle_pair_has_no_lag() {
    let pair = Pair::start().await;
    let store = pair.store().await;
    sql(pair.east.port, "postgres", "insert into t values (1); select pg_switch_wal()").await.unwrap();
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(store.node(WEST).await.lag, Some(Duration::ZERO));
}

/// P1: replication is cut and the primary goes on: the lag is positive or unknown.
#[tokio::test]
async fn a_standby_whose_receiver_is_down_never_has_lag_zero() {
    let pair = Pair::start().await;
    let store = pair.store().await;
    sql(pair.east.port, "postgres", "insert into t values (1)").await.unwrap();
    tokio::time::sleep(Duration::from_millis(300)).await;
    sql(pair.west.port, "postgres", "alter system set primary_conninfo = ''; select 1").await.unwrap_err();
    for statement in ["alter system set primary_conninfo = ''", "select pg_reload_conf()"] {
        sql(pair.west.port, "postgres", statement).await.unwrap();
    }
    eventually("the receiver is down", async || store.node(WEST).await.receiving == Some(false)).await;
    sql(pair.east.port, "postgres", "insert into t values (2)").await.unwrap();
    let lag = store.node(WEST).await.lag;
    assert!(lag.is_some_and(|lag| lag >= Duration::from_millis(300)), "{lag:?}");
    pair.east.kill();
    assert_eq!(store.node(WEST).await.lag, None);
}

#[tokio::test]
async fn a_killed_server_is_stopped_and_a_stopped_one_is_hung() {
    let pair = Pair::start().await;
    let store = pair.store_without_control().await;
    pair.east.signal("STOP");
    let begun = Instant::now();
    let east = store.node(EAST).await;
    assert_eq!((east.reach, east.role, east.writable), (Reach::Hung, Role::Unknown, None));
    assert!(begun.elapsed() < Duration::from_secs(3));
    pair.east.signal("CONT");
    pair.east.kill();
    let east = store.node(EAST).await;
    assert_eq!((east.reach, east.role), (Reach::Closed, Role::Unknown));
    let east = pair.store().await.node(EAST).await;
    assert_eq!((east.reach, east.role, east.writable), (Reach::Closed, Role::Stopped, Some(false)));
}

/// P5: packets to one side are dropped.
#[tokio::test]
async fn a_black_hole_delays_the_other_side_by_no_more_than_the_connect_timeout() {
    let pair = Pair::start().await;
    let mut config = pair.config_without_control();
    let hole = BlackHole::open();
    config["sides"]["void"] =
        serde_json::json!({ "url": format!("postgres://dr@127.0.0.1:{}/postgres", hole.port) });
    let store = Store::connect(config).await;
    let begun = Instant::now();
    let seen = store.observe().await;
    assert!(begun.elapsed() < Duration::from_millis(1_800), "{:?}", begun.elapsed());
    assert_eq!(seen.sides["void"].nodes[0].reach, Reach::Unreachable);
    assert_eq!(seen.sides[EAST].nodes[0].role, Role::Primary);
}

/// P41 and P42: `synchronous_standby_names` that the clone inherited, and a `restore_command` into the dead region.
#[tokio::test]
async fn what_can_stop_a_promotion_is_found_before() {
    let pair = Pair::start().await;
    let store = pair.store().await;
    sql(pair.east.port, "postgres", "create unlogged table u (i int)").await.unwrap();
    for statement in [
        "alter system set synchronous_standby_names = 'gone'",
        "alter system set restore_command = 'scp east:%f %p'",
        "alter system set recovery_min_apply_delay = '1s'",
        "alter system set default_transaction_read_only = on",
        "alter system set wal_retrieve_retry_interval = '5s'",
        "select pg_reload_conf()",
        "select pg_wal_replay_pause()",
    ] {
        sql(pair.west.port, "postgres", statement).await.unwrap();
    }
    let expected = [
        "inherited-synchronous-standby-names",
        "restore-command",
        "apply-delay",
        "replay-paused",
        "read-only-default",
        "slow-wal-retry",
    ];
    eventually("all hazards are found", async || {
        let hazards = store.node(WEST).await.hazards;
        expected.iter().all(|code| hazards.iter().any(|hazard| hazard.code == *code))
    })
    .await;
}

/// P46: a real standby that the plan does not list.
#[tokio::test]
async fn a_standby_that_the_plan_does_not_list_is_a_stranger() {
    let pair = Pair::start().await;
    let mut config = pair.config();
    let void = serde_json::json!({ "url": "postgres://dr@127.0.0.1:1/postgres" });
    config["sides"][WEST] = void;
    let seen: Replication = Store::connect(config)
        .await
        .resource
        .observer::<Replication>()
        .unwrap()
        .observe(&cx())
        .await
        .unwrap();
    // The silent side stands on the same address, so its walsender could be the one that is seen.
    assert!(seen.sides[EAST].strangers.is_empty());
    let mut config = pair.config();
    config["sides"][WEST] = serde_json::json!({ "url": "postgres://dr@192.0.2.1:1/postgres" });
    config["tls"] = "disable".into();
    let seen = Store::connect(config).await.observe().await;
    assert_eq!(seen.sides[EAST].strangers.len(), 1);
}

/// P13: the replica of a primary is killed: what is owed names it and its slots.
#[tokio::test]
async fn protection_names_what_is_missing() {
    let pair = Pair::start().await;
    let store = pair.store().await;
    let look = async || store.resource.observer::<Protection>().unwrap().observe(&cx()).await.unwrap();
    assert!(look().await.sides[EAST].debts().is_empty(), "{:?}", look().await);
    pair.west.kill();
    eventually("the replica is missed", async || look().await.sides[EAST].debts() == ["replica", "slots"])
        .await;
}

#[tokio::test]
async fn encryption_is_required_or_verified_as_the_plan_says() {
    let pair = Pair::start().await;
    pair.east.encrypt();
    let mut config = pair.config_without_control();
    config["tls"] = "require".into();
    let store = Store::connect(config.clone()).await;
    eventually("an encrypted session", async || store.node(EAST).await.role == Role::Primary).await;
    assert_eq!(store.node(WEST).await.reach, Reach::Denied, "it offers no encryption");
    config["tls"] = "verify-full".into();
    assert_eq!(Store::connect(config).await.node(EAST).await.reach, Reach::Denied, "nobody vouches for it");
}
