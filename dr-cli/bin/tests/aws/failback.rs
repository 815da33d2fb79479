//! The way home by degrees; and what the handbook's would have done.

use crate::cloud::{BROWSERS, Cloud, DATABASE, EAST, FAILBACK, FAILOVER, NAME, REPLICA, WEST};
use crate::fitting::Fitting;
use crate::support::{dr, finish, run, until};

/// The handbook's days three to five.
const SEEDS_SHIFT: &str = "      - { route: entry, to: target, share: 10, after: [\"restore:database\"] }\n";

#[test]
fn the_handbooks_failback_onto_a_restored_copy_is_refused_before_anything_runs() {
    let folder = tempfile::TempDir::new().unwrap();
    let ours = "      - { route: catalogue, to: target, shares: [10, 50], serving: reads, bake: 24h, gate: shop-home }\n";
    let restore = "      - { restore: database, in: target, into: ecommerce-db-primary-new }\n";
    let plan = Fitting::example(FAILBACK).fit(ours, &format!("{restore}{SEEDS_SHIFT}")).write(folder.path());
    let said = run(dr().arg("check").arg(&plan)).ends(3);
    let told = format!("{}{}", said.out, said.err);
    for code in ["callers-on-a-copy", "share-without-one-writer"] {
        assert!(told.contains(code), "{code} is not in:\n{told}");
    }
}

/// P7 and P11: the lost region returns writable, is fenced by the guard the moment it does, and is made a copy before
/// anybody is sent there.
/// Found: the failover had left whoever browses in the lost region.
#[test]
fn readers_come_home_by_degrees_and_everybody_behind_the_writer_without_a_loss() {
    let cloud = Cloud::up();
    cloud.lose_the_east();
    cloud.does(&["failover"], FAILOVER).ends(11);
    let guard = cloud.begin(&["guard"], FAILOVER);
    cloud.return_the_east();
    finish(guard).ends(0);
    cloud.does(&["protect"], FAILBACK).ends(0);
    let before = cloud.callers.acknowledged().len();
    // Whoever browses is seen at each share on the way.
    let weights = std::thread::scope(|scope| {
        let run = scope.spawn(|| cloud.does(&["switchover"], FAILBACK).ends(0));
        let mut weights = Vec::new();
        until("the end of the way home", || {
            let now = cloud.weights(BROWSERS);
            if weights.last() != Some(&now) {
                weights.push(now);
            }
            run.is_finished().then_some(())
        });
        run.join().unwrap();
        weights
    });
    assert_eq!(weights, [[0, 100], [10, 90], [50, 50], [100, 0]]);
    cloud.served();
    let seen = cloud.seen();
    assert_eq!(seen.writable, [EAST], "{seen:?}");
    assert_eq!((seen.callers, cloud.answers(BROWSERS)), (vec![EAST.to_owned()], vec![EAST.to_owned()]));
    // Nothing that callers saw acknowledged since the failover is missing at home, and the west follows again.
    let missing = cloud.missing(EAST, DATABASE);
    let acknowledged = cloud.callers.acknowledged();
    let since = acknowledged.get(before).copied().unwrap_or(i64::MAX);
    assert!(missing.iter().all(|row| *row < since), "{missing:?} since {since}");
    assert_eq!(cloud.aws.rds(WEST).instance(REPLICA).is_replica(), Some(true));
    assert_eq!(cloud.answers(NAME), [EAST]);
    cloud.evidence_verifies();
}
