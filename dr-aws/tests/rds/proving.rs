//! Proof of rights, without changing anything and without the side that is gone.

use std::time::Duration;

use dr_core::Side;
use dr_core::resource::{Verdict, Wanted};
use dr_testkit_aws::Fault;

use crate::support::{EAST, WEST, cx};
use crate::world::{World, described, eventually};

fn wanted() -> Vec<Wanted> {
    ["fence", "promote", "follow", "backup", "restore"]
        .into_iter()
        .map(|verb| Wanted { verb: verb.to_owned(), side: None })
        .collect()
}

/// P17: four rights of RDS's API removed in turn.
#[tokio::test(flavor = "multi_thread")]
async fn one_right_that_is_missing_is_named_and_nothing_is_changed() {
    let world = World::new().await;
    // The first sample of the lag is taken.
    eventually("a lag is known", async || world.node(WEST).await.lag.is_some()).await;
    let proves = world.resource.proves().unwrap();
    let before = described(&world.aws, WEST).await;
    let cx = &cx(Duration::from_secs(20));
    let all = proves.prove(cx, &wanted(), None).await;
    assert!(all.len() >= 14, "{all:?}");
    assert!(all.iter().all(|proof| proof.verdict == Verdict::Proven), "{all:?}");
    for right in
        ["rds:PromoteReadReplica", "rds:ModifyDBInstance", "rds:RebootDBInstance", "rds:CreateDBSnapshot"]
    {
        world.aws.deny(right);
        let proofs = proves.prove(cx, &wanted(), None).await;
        let missing: Vec<_> = proofs.iter().filter(|proof| proof.verdict == Verdict::Missing).collect();
        assert_eq!(missing.len(), 2, "{missing:?}");
        assert!(missing.iter().all(|proof| proof.what.starts_with(right)), "{missing:?}");
        world.aws.allow(right);
    }
    assert_eq!(before, described(&world.aws, WEST).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_side_that_is_gone_is_not_asked() {
    let world = World::new().await;
    // The first sample of the lag is taken.
    eventually("a lag is known", async || world.node(WEST).await.lag.is_some()).await;
    world.aws.lose_region(EAST, Fault::BlackHole);
    world.aws.forget_calls();
    let cx = &cx(Duration::from_secs(20));
    let proofs = world.resource.proves().unwrap().prove(cx, &wanted(), Some(&Side::new(EAST))).await;
    assert!(proofs.iter().all(|proof| proof.verdict == Verdict::Proven), "{proofs:?}");
    assert!(world.aws.calls().iter().all(|call| call.region != EAST));
}
