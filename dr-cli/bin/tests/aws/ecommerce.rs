//! The region failover: from a lost region, and of what becomes of it when things go wrong on the way.

use dr_testkit_kube::{Behaviour, Start};

use crate::cloud::{BROWSERS, Cloud, DATABASE, EAST, FAILOVER, REPLICA, WEST};

/// What a failover from a lost region has to have come to.
#[track_caller]
pub(crate) fn recovered(cloud: &Cloud) {
    cloud.served();
    let seen = cloud.seen();
    assert_eq!((&seen.callers, cloud.answers(BROWSERS)), (&vec![WEST.to_owned()], vec![WEST.to_owned()]));
    assert!(seen.writable.contains(&WEST.to_owned()), "{seen:?}");
    assert_eq!(seen.nodes[1], 9, "{seen:?}");
    for (name, (wanted, ready, told)) in &seen.staff[WEST] {
        assert_eq!((*wanted, *ready), (9, 9), "{name}");
        assert!(told.contains(REPLICA), "{name}: {told}");
    }
    cloud.evidence_verifies();
}

/// P5: every API, cluster and service of the source swallows what it is sent, and the run keeps its budget.
#[test]
fn a_lost_region_is_failed_over_and_measured_from_its_callers_seat() {
    let cloud = Cloud::up();
    cloud.lose_the_east();
    cloud.aws.forget_calls();
    let said = cloud.does(&["failover"], FAILOVER).ends(11);
    assert!(said.err.contains("RECOVERED") || said.out.contains("RECOVERED"), "{said:?}");
    recovered(&cloud);

    let metrics = cloud.metrics();
    for (field, value) in [
        ("source_region", EAST.into()),
        ("target_region", WEST.into()),
        ("rto_target_seconds", 1800.into()),
        ("rto_met", serde_json::Value::Bool(true)),
        ("rto_basis", "client".into()),
        ("rpo_target_seconds", 300.into()),
        ("rpo_met", serde_json::Value::Bool(true)),
        // No ledger can be read back from RDS: the loss is bounded by the lag, not counted.
        ("rpo_basis", "lag".into()),
    ] {
        assert_eq!(metrics[field], value, "{field}: {metrics:#}");
    }
    for (file, tells) in [
        ("summary.md", "Emulated, not the real system"),
        ("summary.md", "the AWS API (rds"),
        ("summary.md", "the AWS API (route53"),
        ("summary.md", "depends-on-source"),
    ] {
        assert!(cloud.told(file).contains(tells), "`{tells}` is not in {file}:\n{}", cloud.told(file));
    }
    // What a caller saw acknowledged and the replica never had: what the old database alone holds.
    let missing = cloud.missing(WEST, REPLICA);
    assert!(
        cloud.missing(EAST, DATABASE).iter().all(|row| !missing.contains(row)),
        "{missing:?} are nowhere"
    );
    let mut changed = cloud.aws.mutations();
    changed.retain(|call| call.region == EAST && call.service != "route53");
    assert!(changed.is_empty(), "{changed:?}");
}

/// P29: a quota that blocks, and the exact override in the refusal.
#[test]
fn without_room_for_nine_nodes_nothing_is_touched_and_the_override_is_named() {
    let cloud = Cloud::up();
    cloud.aws.set_vcpu_quota(WEST, 16, 0);
    let before = cloud.world();
    cloud.does(&["switchover"], FAILOVER).ends(12).tells("--override");
    assert_eq!(cloud.world(), before);
    cloud.served();
}

/// P18 and P22: every object, record and database of the simulated account is compared with before.
#[test]
fn a_switchover_whose_pods_never_come_is_undone_to_the_world_before() {
    let cloud = Cloud::up();
    let (before, seen) = (cloud.world(), cloud.seen());
    cloud.with_crew(WEST, async |crew| {
        crew.kubelet.behave(&crew.namespace, Behaviour::new().start(Start::ImagePull));
    });
    cloud.does(&["switchover"], FAILOVER).ends(13).tells("mage");
    cloud.with_crew(WEST, async |crew| crew.kubelet.behave_as_others(&crew.namespace));
    assert_eq!(cloud.seen(), seen);
    assert_eq!(cloud.world(), before);
    cloud.served();
    assert_eq!(cloud.missing(EAST, DATABASE), Vec::<i64>::new());
    cloud.evidence_verifies();
}

#[test]
fn a_hard_drill_fences_the_living_region_and_promotes_once() {
    let cloud = Cloud::up();
    cloud.does(&["drill", "--hard"], FAILOVER).ends(11);
    recovered(&cloud);
    assert_eq!(cloud.seen().writable, [WEST], "the old database is shut at its edge");
    let metrics = cloud.metrics();
    assert_eq!((&metrics["mode"], &metrics["rto_met"]), (&"drill".into(), &true.into()), "{metrics:#}");
    let missing = cloud.missing(WEST, REPLICA);
    assert!(cloud.missing(EAST, DATABASE).iter().all(|row| !missing.contains(row)), "{missing:?}");
}
