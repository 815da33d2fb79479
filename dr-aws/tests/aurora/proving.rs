//! Proof of rights, without changing anything.

use std::time::Duration;

use dr_core::resource::{Verdict, Wanted};

use crate::support::{EAST, cx};
use crate::world::World;

fn wanted() -> Vec<Wanted> {
    ["fence", "promote", "follow"]
        .into_iter()
        .map(|verb| Wanted { verb: verb.to_owned(), side: None })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn one_right_that_is_missing_is_named_on_both_sides() {
    let world = World::new().await;
    let proves = world.resource.proves().unwrap();
    let cx = &cx(Duration::from_secs(20));
    let all = proves.prove(cx, &wanted(), None).await;
    assert_eq!(all.len(), 12, "{all:?}");
    assert!(all.iter().all(|proof| proof.verdict == Verdict::Proven), "{all:?}");
    for right in ["rds:SwitchoverGlobalCluster", "rds:FailoverGlobalCluster", "rds:ModifyDBCluster"] {
        world.aws.deny(right);
        let proofs = proves.prove(cx, &wanted(), None).await;
        let missing: Vec<_> = proofs.iter().filter(|proof| proof.verdict == Verdict::Missing).collect();
        assert_eq!(missing.len(), 2, "{missing:?}");
        assert!(missing.iter().all(|proof| proof.what.starts_with(right)), "{missing:?}");
        world.aws.allow(right);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_asked_to_change_where_the_name_that_was_made_up_is_somebodys() {
    let world = World::new().await;
    let cx = &cx(Duration::from_secs(20));
    world.aws.rds(EAST).create_cluster(&format!("dr-ready-{}", cx.run)).unwrap();
    world.aws.forget_calls();
    let proofs = world.resource.proves().unwrap().prove(cx, &wanted(), None).await;
    let untold: Vec<_> = proofs.iter().filter(|proof| proof.verdict == Verdict::Unknown).collect();
    assert_eq!(untold.len(), 1, "{proofs:?}");
    let changes: Vec<_> =
        world.aws.calls().into_iter().filter(|call| call.mutates && call.region == EAST).collect();
    assert!(changes.is_empty(), "{changes:?}");
}
