//! The continuous-verification runbook: its failover, its ways back, and what becomes of them when things go wrong.

use dr_testkit_aws::Fault;
use dr_testkit_kube::{Behaviour, Rights, Start};

use crate::support::{SOURCE, TARGET, finish};
use crate::world::World;

pub(crate) const FAILOVER: &str = "region-failover.yaml";
const SWITCHOVER: &str = "planned-switchover.yaml";
const QUICK_RETURN: &str = "quick-return.yaml";
const FULL_RETURN: &str = "full-return.yaml";

/// What a failover from a lost region has to have come to.
#[track_caller]
pub(crate) fn recovered(world: &World) {
    world.served();
    let seen = world.seen();
    assert_eq!(
        (seen.writable.as_slice(), seen.callers.as_slice()),
        (&[TARGET.to_owned()][..], &[TARGET.to_owned()][..])
    );
    assert!(seen.staff[TARGET].values().all(|(wanted, ready, _)| (*wanted, *ready) == (3, 3)), "{seen:?}");
    world.evidence_verifies();
}

/// The lost region is back and its database follows again; then callers go back.
#[track_caller]
pub(crate) fn returns(world: &World) {
    world.heal();
    world.does(&["protect"], FAILOVER).ends(0);
    world.does(&["switchover"], QUICK_RETURN).ends(0);
    world.seen().is_served_by(SOURCE, [3, 1]);
    world.has_every_acknowledged_order(SOURCE);
    world.evidence_verifies();
}

/// The same while callers are served, and within its budget.
#[track_caller]
pub(crate) fn returns_quickly(world: &World) {
    returns(world);
    let metrics = world.metrics();
    assert_eq!((&metrics["lost_writes"], &metrics["rto_met"]), (&0.into(), &true.into()), "{metrics:#}");
}

#[test]
fn a_lost_region_is_failed_over_with_the_runbooks_evidence_and_quickly_returned_to() {
    let world = World::up();
    world.lose_the_source();
    let said = world.does(&["failover"], FAILOVER).ends(11);
    assert!(said.out.contains("RECOVERED") || said.err.contains("RECOVERED"), "{said:?}");
    recovered(&world);

    let metrics = world.metrics();
    for (field, value) in [
        ("source_region", SOURCE.into()),
        ("target_region", TARGET.into()),
        ("dry_run", false.into()),
        ("rto_target_seconds", 900.into()),
        ("rto_met", serde_json::Value::Bool(true)),
        ("rpo_target_seconds", 10.into()),
        ("rpo_met", serde_json::Value::Bool(true)),
        ("rto_basis", "client".into()),
        ("rpo_basis", "client".into()),
    ] {
        assert_eq!(metrics[field], value, "{field}: {metrics:#}");
    }
    assert!(metrics["acknowledged_writes"].as_u64() > Some(0), "{metrics:#}");
    for phase in ["preflight", "scale_up", "promote", "dns_update", "health_check"] {
        assert!(metrics["timings"][format!("{phase}_seconds")].is_number(), "{phase}: {metrics:#}");
    }
    for (file, tells) in [
        ("target-deployments.txt", "prod-teei-api-gateway"),
        ("target-pods.txt", "prod-teei-impact-in-"),
        ("target-nodes.txt", "Ready"),
        ("source-deployments.txt", ""),
        ("summary.md", "Emulated, not the real system"),
        ("summary.md", "the AWS API (route53)"),
        ("summary.md", "depends-on-source"),
    ] {
        assert!(
            world.evidence(file).contains(tells),
            "`{tells}` is not in {file}:\n{}",
            world.evidence(file)
        );
    }
    let table = world.evidence("target-deployments.txt");
    assert_eq!(table.lines().filter(|line| line.contains("3/3")).count(), 15, "{table}");

    returns_quickly(&world);
}

#[test]
fn a_failover_waits_for_route_53s_control_plane_as_its_plan_says_and_goes_on() {
    let world = World::up();
    world.lose_the_source();
    world.aws.lose_region(SOURCE, Fault::Refused);
    let run = world.begin(&["failover"], FAILOVER);
    world.awaits(("failed", "dns_update/route:entry"));
    assert_eq!(world.seen().writable, [TARGET], "everything else is done by then");
    world.aws.restore_region(SOURCE);
    finish(run).ends(11);
    recovered(&world);
}

#[test]
fn a_failed_switchover_is_undone_and_a_drill_goes_and_fully_returns_without_a_loss() {
    let world = World::up();
    let before = world.seen();
    before.is_served_by(SOURCE, [3, 1]);

    // An image that is not there: no pod beyond the first can ever be ready.
    world.with_cluster(TARGET, async |cluster| {
        cluster.kubelet.behave(&cluster.namespace, Behaviour::new().start(Start::ImagePull));
    });
    world.does(&["switchover"], SWITCHOVER).ends(13).tells("mage");
    assert_eq!(world.seen(), before);
    world.served();

    world.with_cluster(TARGET, async |cluster| cluster.kubelet.behave_as_others(&cluster.namespace));
    world.does(&["drill"], SWITCHOVER).ends(0);
    let metrics = world.metrics();
    assert_eq!((&metrics["lost_writes"], &metrics["rto_met"]), (&0.into(), &true.into()), "{metrics:#}");
    assert_eq!(metrics["mode"], "drill", "{metrics:#}");
    world.seen().is_served_by(TARGET, [1, 3]);
    world.has_every_acknowledged_order(TARGET);

    // Nothing runs in the old region any more.
    world.with_cluster(SOURCE, async |cluster| cluster.scale_by_hand(0).await);
    world.does(&["protect"], FULL_RETURN).ends(0);
    world.does(&["switchover"], FULL_RETURN).ends(0);
    let metrics = world.metrics();
    assert_eq!((&metrics["lost_writes"], &metrics["rto_met"]), (&0.into(), &true.into()), "{metrics:#}");
    let seen = world.seen();
    seen.is_served_by(SOURCE, [3, 1]);
    for (name, (_, _, told)) in &seen.staff[SOURCE] {
        assert_eq!(told["SERVING_REGION"], SOURCE, "{name}");
        assert!(told["DATABASE_URL"].starts_with("the secret "), "{name}: {told:?}");
    }
    world.has_every_acknowledged_order(SOURCE);
    world.evidence_verifies();
}

/// Everything that the failover needs of a cluster, with these rights to scale.
fn rights(scaling: &[&str]) -> Rights {
    Rights::everywhere()
        .allow("apps", &["deployments"], &["get", "list", "watch", "patch"])
        .allow("apps", &["deployments/scale"], scaling)
        .allow("", &["pods"], &["list", "watch"])
        .allow("", &["nodes", "resourcequotas"], &["list"])
        .allow("", &["services"], &["get"])
        .allow("autoscaling", &["horizontalpodautoscalers"], &["get", "list", "patch"])
        .allow("policy", &["poddisruptionbudgets"], &["list"])
}

/// P17: one right less on a real API server.
#[test]
fn readiness_is_proven_from_here_and_a_missing_right_is_named() {
    let world = World::up();
    let plan = world.plan(FAILOVER);
    let plan = plan.to_str().unwrap();
    world.is_known_in_the_target_as(async |admin, namespace| {
        admin.user(&format!("dr-{namespace}"), rights(&["get", "patch"])).await.unwrap()
    });
    let said = world.dr(&["ready", "--with-source", plan]).ends(0);
    assert!(said.out.contains("READY") && !said.out.contains("NOT READY"), "{said:?}");

    // Without the source one thing is missing, and the plan acknowledges it by name.
    let said = world.dr(&["ready", plan]).ends(15);
    assert!(said.out.contains("NOT READY: 1 missing, 0 unproven"), "{said:?}");
    assert!(said.out.contains("Route 53's control plane is in us-east-1"), "{said:?}");

    world.is_known_in_the_target_as(async |admin, namespace| {
        admin.user(&format!("dr-lesser-{namespace}"), rights(&["get"])).await.unwrap()
    });
    let said = world.dr(&["ready", "--with-source", plan]).ends(15);
    assert!(said.out.contains("NOT READY: 1 missing, 0 unproven"), "{said:?}");
    assert!(said.out.contains("✗ patch deployments.apps/scale in"), "{said:?}");
}
