use std::fs;

use dr_core::ErrorKind;
use dr_core::resource::{FollowHow, LedgerRow, Standing, Written};

use crate::support::*;

/// A promotion after a kill, and rows that only the old primary has.
async fn diverged(pair: &Pair, store: &Store) {
    let ledger = store.resource.ledger().unwrap();
    ledger.open(&cx(), "run").await.unwrap();
    assert_eq!(ledger.write(&cx(), "run", 1).await, Written::Acked);
    eventually("the row arrived", async || {
        one(pair.west.port, "select count(*) from dr_ledger where book = 'run'").await.as_deref() == Ok("1")
    })
    .await;
    pair.west.signal("STOP");
    for row in [2, 3] {
        assert_eq!(ledger.write(&cx(), "run", row).await, Written::Acked);
    }
    pair.east.kill();
    // What its receiver had not read yet died with the connection's peer; what was in flight may still arrive.
    pair.west.signal("CONT");
    let proof = store.fence(&unplanned(), EAST).await.unwrap();
    store.promote(&unplanned(), WEST, forced(vec![proof])).await.unwrap();
}

async fn lost(pair: &Pair) -> Vec<LedgerRow> {
    let there =
        sql(pair.west.port, "postgres", "select row from dr_ledger where book = 'run'").await.unwrap();
    [1, 2, 3].into_iter().filter(|row: &LedgerRow| !there.contains(&row.to_string())).collect()
}

#[tokio::test]
async fn a_diverged_primary_is_kept_rewound_and_its_own_rows_are_named() {
    let pair = Pair::start().await;
    let store = pair.store().await;
    diverged(&pair, &store).await;
    pair.east_alone_writes("run", 9).await;
    let mut expected = lost(&pair).await;
    expected.push(9);
    let following = store.follow(&cx(), EAST, WEST).await.unwrap();
    println!("{following}");
    assert_eq!(following.how, FollowHow::Rewound);
    let divergence = following.divergence.unwrap();
    assert_eq!(divergence.rows.unwrap(), expected);
    assert!(divergence.bytes.unwrap() > 0 && divergence.fork.is_some());
    assert!(fs::exists(format!("{}/PG_VERSION", following.kept.unwrap())).unwrap());
    pair.streams(pair.west.port).await;
    assert_eq!(one(pair.east.port, "show port").await.unwrap(), pair.east.port.to_string());
    assert!(store.prepare_follow(EAST, WEST).await.unwrap().is_already());
}

#[tokio::test]
async fn where_a_rewind_is_impossible_it_is_copied_anew() {
    let pair = Pair::start_with("wal_log_hints = off").await;
    let store = pair.store().await;
    diverged(&pair, &store).await;
    pair.east_alone_writes("run", 9).await;
    let following = store.follow(&cx(), EAST, WEST).await.unwrap();
    assert_eq!(following.how, FollowHow::Reseeded);
    assert!(following.divergence.unwrap().rows.unwrap().contains(&9));
    pair.streams(pair.west.port).await;
}

/// P10: the marker stands, so nothing starts the node, and a repeat finishes.
#[tokio::test]
async fn a_follow_that_died_half_way_is_never_started_and_finished_by_a_repeat() {
    let pair = Pair::start().await;
    let store = pair.store().await;
    diverged(&pair, &store).await;
    let effect = store.effect::<dr_core::resource::Follow>();
    let call = dr_core::resource::Follow { side: at(EAST), of: at(WEST) };
    let context = cx();
    let was = effect.prepare(&context, &call).await.unwrap();
    let marker = pair.east.data.with_file_name(".data.dr-following");
    {
        let half = effect.apply(&context, &call, &was);
        let stands = eventually("the marker stands", async || {
            fs::read_to_string(&marker).is_ok_and(|text| text.contains("rewind"))
        });
        tokio::select! { biased; done = half => panic!("it ended: {done:?}"), () = stands => {} }
    }
    let gate = std::process::Command::new("sh")
        .args(["-c", dr_postgres::START_GATE, "gate", pair.east.data.to_str().unwrap()])
        .stderr(std::process::Stdio::null())
        .status()
        .unwrap();
    assert!(!gate.success());
    let following = store.follow(&cx(), EAST, WEST).await.unwrap();
    assert_eq!(following.how, FollowHow::Reseeded);
    assert!(following.kept.is_some() && following.divergence.is_some());
    assert!(!marker.exists());
    pair.streams(pair.west.port).await;
}

/// P9: both promoted by hand.
#[tokio::test]
async fn equal_timelines_of_two_writers_are_refused_with_the_fork() {
    let pair = Pair::start().await;
    let store = pair.store().await;
    store.switch(EAST, WEST).await;
    let parent = pair.east.data.parent().unwrap();
    fs::remove_file(parent.join(".data.dr-barred")).unwrap();
    pair.east.start();
    sql(pair.east.port, "postgres", "select pg_promote()").await.unwrap();
    let error = store.prepare_follow(EAST, WEST).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused, "{error}");
    pair.east.stop("fast");
    let error = store.prepare_follow(EAST, WEST).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused);
    assert!(error.to_string().contains("fork"), "{error}");
}

/// P7: the old primary runs again and takes writes.
#[tokio::test]
async fn a_running_primary_is_not_made_a_copy() {
    let pair = Pair::start().await;
    let store = pair.store().await;
    let error = store.prepare_follow(WEST, WEST).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(matches!(store.prepare_follow(WEST, EAST).await.unwrap().standing, Standing::Already));
    assert_eq!(store.prepare_follow(EAST, WEST).await.unwrap_err().kind(), ErrorKind::NotReady);
}

/// P7: the old primary came back, took a write, and was fenced again.
impl Pair {
    async fn east_alone_writes(&self, book: &str, row: LedgerRow) {
        let parent = self.east.data.parent().unwrap();
        let marker = fs::read(parent.join(".data.dr-barred")).unwrap();
        fs::remove_file(parent.join(".data.dr-barred")).unwrap();
        fs::remove_file(self.east.data.join("standby.signal")).unwrap();
        self.east.start();
        let insert = format!("insert into dr_ledger (book, row) values ('{book}', {row})");
        sql(self.east.port, "app", &insert).await.unwrap();
        self.east.kill();
        fs::write(parent.join(".data.dr-barred"), marker).unwrap();
        fs::write(self.east.data.join("standby.signal"), "").unwrap();
        std::os::unix::fs::chown(self.east.data.join("standby.signal"), owner(self).0, owner(self).1)
            .unwrap();
        std::os::unix::fs::chown(parent.join(".data.dr-barred"), owner(self).0, owner(self).1).unwrap();
    }
}

fn owner(pair: &Pair) -> (Option<u32>, Option<u32>) {
    use std::os::unix::fs::MetadataExt;
    let data = fs::metadata(&pair.east.data).unwrap();
    (Some(data.uid()), Some(data.gid()))
}
