use std::time::{Duration, Instant};

use dr_core::resource::{Basis, Fence, FenceHow, Fencing, Role, Standing, Unfence};
use dr_core::{ErrorKind, Happened, Side};

use crate::support::*;

async fn holds(store: &Store, side: &str) -> Fencing {
    store.resource.holds().unwrap().holds(&cx(), &Side::new(side)).await.unwrap()
}

#[tokio::test]
async fn a_fence_by_control_stops_bars_and_is_undone() {
    let pair = Pair::start().await;
    let store = pair.store().await;
    let effect = store.effect::<Fence>();
    let was = effect.prepare(&cx(), &fence(EAST)).await.unwrap();
    assert!(matches!(was.standing, Standing::Would { .. }));
    assert!(matches!(holds(&store, EAST).await, Fencing::Open { .. }));
    let proof = store.fence(&cx(), EAST).await.unwrap();
    assert_eq!(
        (proof.how, proof.survives_restart, proof.survives_rewind),
        (FenceHow::StoppedAndBarred, true, true)
    );
    assert!(proof.position.is_some());
    assert!(matches!(holds(&store, EAST).await, Fencing::Confirmed(_)));
    assert!(effect.prepare(&cx(), &fence(EAST)).await.unwrap().is_already());
    effect.undo(&cx(), &fence(EAST), &was.before).await.unwrap();
    sql(pair.east.port, "app", "insert into t values (1)").await.unwrap();
    effect.undo(&cx(), &fence(EAST), &was.before).await.unwrap();
    pair.streams(pair.east.port).await;
}

#[tokio::test]
async fn a_barred_server_that_somebody_starts_is_a_standby() {
    let pair = Pair::start().await;
    let store = pair.store().await;
    store.fence(&cx(), EAST).await.unwrap();
    pair.east.start();
    assert_eq!(one(pair.east.port, "select pg_is_in_recovery()").await.unwrap(), "t");
    assert!(matches!(holds(&store, EAST).await, Fencing::Open { .. }));
    store.fence(&cx(), EAST).await.unwrap();
}

#[tokio::test]
async fn a_start_gate_keeps_a_barred_server_down() {
    let pair = Pair::start().await;
    let store = pair.store().await;
    let gate = || {
        let data = pair.east.data.to_str().unwrap();
        let mut command = std::process::Command::new("sh");
        command.args(["-c", dr_postgres::START_GATE, "gate", data]).stderr(std::process::Stdio::null());
        command.status().unwrap().success()
    };
    assert!(gate());
    store.fence(&cx(), EAST).await.unwrap();
    assert!(gate(), "as a standby it may start");
    std::fs::remove_file(pair.east.data.join("standby.signal")).unwrap();
    assert!(!gate());
}

#[tokio::test]
async fn a_hung_server_is_fenced_by_its_control_in_an_unplanned_run_only() {
    let pair = Pair::start().await;
    let store = pair.store().await;
    pair.east.signal("STOP");
    let error = store.fence(&cx().within(Duration::from_secs(3)), EAST).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    let blind = pair.store_without_control().await;
    assert!(matches!(holds(&blind, EAST).await, Fencing::Hung));
    assert!(matches!(holds(&store, EAST).await, Fencing::Hung));
    let soon = unplanned().within(Duration::from_secs(20));
    let proof = store.fence(&soon, EAST).await.unwrap();
    assert_eq!(proof.how, FenceHow::StoppedAndBarred);
    assert!(pair.east.processes().is_empty());
}

/// P43: a fast stop waits for a receiver that does not confirm.
#[tokio::test]
async fn a_clean_stop_that_waits_for_a_stalled_receiver_is_bounded_and_undone() {
    let pair = Pair::start().await;
    let store = pair.store().await;
    let receiver = pair.west.process("walreceiver").unwrap();
    kill("STOP", &receiver);
    sql(pair.east.port, "postgres", "insert into t select generate_series(1, 1000)").await.unwrap();
    let effect = store.effect::<Fence>();
    let was = effect.prepare(&cx(), &fence(EAST)).await.unwrap();
    let begun = Instant::now();
    let soon = cx().within(Duration::from_secs(3));
    let error = effect.apply(&soon, &fence(EAST), &was).await.unwrap_err();
    assert_eq!((error.kind(), error.happened()), (ErrorKind::Timeout, Happened::Maybe));
    assert!(begun.elapsed() < Duration::from_secs(4));
    kill("CONT", &receiver);
    effect.undo(&cx(), &fence(EAST), &was.before).await.unwrap();
    sql(pair.east.port, "app", "insert into t values (2000)").await.unwrap();
}

/// P37 and P38: logins are closed, nothing that a session can change is relied on, and the promotion lifts what replicated.
#[tokio::test]
async fn a_fence_by_logins_holds_on_the_source_and_is_lifted_on_the_target() {
    let pair = Pair::start().await;
    let store = pair.store_without_control().await;
    let inside = tokio::spawn(sql(pair.east.port, "app", "select pg_sleep(60)"));
    tokio::time::sleep(Duration::from_millis(200)).await;
    sql(pair.east.port, "app", "set synchronous_commit = off; insert into t values (1)").await.unwrap();
    let proof = store.fence(&cx(), EAST).await.unwrap();
    assert_eq!(proof.how, FenceHow::NoLogin);
    assert!(inside.await.unwrap().is_err(), "the session inside was ended");
    assert!(sql(pair.east.port, "app", "begin read write; insert into t values (2)").await.is_err());
    let fenced = store.node(EAST).await;
    assert_eq!(
        (fenced.role, fenced.writable),
        (Role::Primary, Some(false)),
        "nobody can write under the fence"
    );
    let begun = Instant::now();
    store.promote(&cx(), WEST, Basis::Planned { fences: vec![proof] }).await.unwrap();
    println!("promote {:?}", begun.elapsed());
    let seen = store.observe().await;
    assert_eq!(seen.writable_sides(), [&Side::new(WEST)], "two primaries, and one that takes writes");
    assert_eq!(one(pair.west.port, "select count(*) from t").await.unwrap(), "1");
    sql(pair.west.port, "app", "insert into t values (3)").await.unwrap();
    assert!(sql(pair.east.port, "app", "insert into t values (4)").await.is_err(), "the source stays fenced");
}

#[tokio::test]
async fn a_fence_by_logins_is_undone() {
    let pair = Pair::start().await;
    let store = pair.store_without_control().await;
    let effect = store.effect::<Fence>();
    let was = effect.prepare(&cx(), &fence(EAST)).await.unwrap();
    effect.apply(&cx(), &fence(EAST), &was).await.unwrap();
    effect.undo(&cx(), &fence(EAST), &was.before).await.unwrap();
    assert_eq!(store.node(EAST).await.writable, Some(true));
    sql(pair.east.port, "app", "insert into t values (1)").await.unwrap();
    assert!(matches!(holds(&store, EAST).await, Fencing::Open { .. }));
}

/// P37: `default_transaction_read_only` and a session that sets it back.
#[tokio::test]
async fn a_read_only_setting_is_no_fence() {
    let pair = Pair::start().await;
    let store = pair.store_without_control().await;
    for statement in ["alter system set default_transaction_read_only = on", "select pg_reload_conf()"] {
        sql(pair.east.port, "postgres", statement).await.unwrap();
    }
    eventually("the setting is on", async || {
        one(pair.east.port, "show default_transaction_read_only").await.as_deref() == Ok("on")
    })
    .await;
    assert!(matches!(holds(&store, EAST).await, Fencing::Open { .. }));
    sql(pair.east.port, "app", "begin read write; insert into t values (1); commit").await.unwrap();
    assert_eq!(store.fence(&cx(), EAST).await.unwrap().how, FenceHow::NoLogin);
}

/// P37: a prepared transaction that anybody may commit later.
#[tokio::test]
async fn prepared_transactions_refuse_a_fence_by_logins() {
    let pair = Pair::start().await;
    let store = pair.store_without_control().await;
    for statement in ["begin; insert into t values (1); prepare transaction 'later'"] {
        sql(pair.east.port, "app", statement).await.unwrap();
    }
    let error = store.fence(&cx(), EAST).await.unwrap_err();
    assert_eq!((error.kind(), error.happened()), (ErrorKind::Refused, Happened::No));
    sql(pair.east.port, "app", "select 1").await.unwrap();
}

#[tokio::test]
async fn a_managed_side_and_a_side_without_an_application_role_are_refused() {
    let pair = Pair::start().await;
    let mut config = pair.config();
    config["sides"][EAST]["manager"] = "patroni".into();
    let error = Store::connect(config).await.fence(&cx(), EAST).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused);
    let mut config = pair.config_without_control();
    config.as_object_mut().unwrap().remove("application");
    let error = Store::connect(config).await.fence(&cx(), EAST).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused);
}

#[tokio::test]
async fn unfence_is_refused_while_the_other_side_writes_or_is_silent() {
    let pair = Pair::start().await;
    let store = pair.store().await;
    store.switch(EAST, WEST).await;
    let call = Unfence { side: at(EAST) };
    let effect = store.effect::<Unfence>();
    let was = effect.prepare(&cx(), &call).await.unwrap();
    assert_eq!(effect.apply(&cx(), &call, &was).await.unwrap_err().kind(), ErrorKind::Refused);
    pair.west.signal("STOP");
    assert!(effect.apply(&cx(), &call, &was).await.is_err());
    pair.west.signal("CONT");
    store.fence(&unplanned(), WEST).await.unwrap();
    effect.apply(&cx(), &call, &was).await.unwrap();
    sql(pair.east.port, "app", "insert into t values (1)").await.unwrap();
}

#[tokio::test]
async fn a_black_holed_side_is_unreachable_and_never_fenced() {
    let pair = Pair::start().await;
    let mut config = pair.config_without_control();
    let hole = BlackHole::open();
    config["sides"][EAST]["url"] = format!("postgres://dr@127.0.0.1:{}/postgres", hole.port).into();
    let store = Store::connect(config).await;
    assert!(matches!(holds(&store, EAST).await, Fencing::Unreachable));
    assert_eq!(store.fence(&unplanned(), EAST).await.unwrap_err().kind(), ErrorKind::Unreachable);
}

#[tokio::test]
async fn a_control_of_another_server_never_passes_for_a_fence() {
    let pair = Pair::start().await;
    let mut config = pair.config();
    config["sides"][EAST]["control"] = config["sides"][WEST]["control"].clone();
    let store = Store::connect(config).await;
    assert_eq!(store.fence(&cx(), EAST).await.unwrap_err().kind(), ErrorKind::Conflict);
    assert!(matches!(holds(&store, EAST).await, Fencing::Open { .. }));
    sql(pair.east.port, "app", "insert into t values (1)").await.unwrap();
}

#[tokio::test]
async fn a_control_that_never_answers_is_given_up_long_before_the_deadline() {
    let pair = Pair::start().await;
    let mut config = pair.config();
    let hole = BlackHole::open();
    config["sides"][EAST] = serde_json::json!({
        "url": format!("postgres://dr@127.0.0.1:{}/postgres", hole.port),
        "control": { "command": { "prefix": ["sh", "-c", "sleep 1000", "ssh"], "data": "/data", "bin": "/bin" } },
    });
    let store = Store::connect(config).await;
    let begun = Instant::now();
    assert_eq!(store.fence(&unplanned(), EAST).await.unwrap_err().kind(), ErrorKind::Unreachable);
    assert!(matches!(holds(&store, EAST).await, Fencing::Unreachable));
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
}

fn kill(signal: &str, pid: &str) {
    let _ = std::process::Command::new("kill").args(["-s", signal, pid]).status();
}
