//! Ways around a fence and a proof, tried on real servers.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use dr_core::resource::{Basis, FenceHow, Promote};
use dr_core::{ErrorKind, Retry};

use crate::support::*;

/// A walsender with a database runs SQL as any session does.
#[tokio::test]
async fn a_replication_session_that_can_run_sql_does_not_outlive_a_fence_by_logins() {
    let pair = Pair::start().await;
    let store = pair.store_without_control().await;
    sql(pair.east.port, "postgres", "create role rep login replication; grant all on t to rep")
        .await
        .unwrap();
    let conninfo =
        format!("host=127.0.0.1 port={} user=rep dbname=postgres replication=database", pair.east.port);
    let mut psql = Command::new(pair.east.bin.join("psql"))
        .args(["-XAtq", &conninfo])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut say = psql.stdin.take().unwrap();
    let mut hear = BufReader::new(psql.stdout.take().unwrap());
    writeln!(say, "insert into t values (1);\nselect count(*) from t;").unwrap();
    let mut line = String::new();
    hear.read_line(&mut line).unwrap();
    assert_eq!(line.trim(), "1", "it writes before the fence");

    let fenced = store.fence(&cx(), EAST).await;
    // Whoever is disconnected hears a broken pipe.
    let _ = writeln!(say, "insert into t values (2);");
    drop(say);
    psql.wait().unwrap();
    let rows = one(pair.east.port, "select count(*) from t").await;
    let proof = fenced.unwrap();
    assert_eq!(proof.how, FenceHow::NoLogin);
    assert_ne!(rows.as_deref(), Ok("2"), "a write after the fence was confirmed");
    store.promote(&cx(), WEST, Basis::Planned { fences: vec![proof] }).await.unwrap();
    assert_eq!(one(pair.west.port, "select count(*) from t").await.unwrap(), "1");
}

/// A later attempt that cannot have the proof says that it never comes, as the first one does: an unplanned run goes on.
#[tokio::test]
async fn a_proof_that_never_comes_is_not_waited_for_in_a_second_attempt() {
    let pair = Pair::start().await;
    let store = pair.store().await;
    pair.east.kill();
    let proof = store.fence(&unplanned(), EAST).await.unwrap();
    let mut again = unplanned();
    again.attempt = 2;
    let call = promote(WEST, Some(Basis::Planned { fences: vec![proof.clone()] }));
    let effect = store.effect::<Promote>();
    let was = effect.prepare(&again, &call).await.unwrap();
    let error = effect.apply(&again, &call, &was).await.unwrap_err();
    assert_eq!((error.kind(), error.retry()), (ErrorKind::NotReady, Retry::Permanent));
    store.promote(&again, WEST, forced(vec![proof])).await.unwrap();
}
