//! Back and forth, again and again.

use crate::support::{SOURCE, Sandbox, TARGET, World};

/// The world while one side serves and the other follows.
pub(super) fn served_by(side: &str, staff: [(u64, u64); 2]) -> World {
    let (primary, standby) = ("primary".to_owned(), "standby, receiving".to_owned());
    let (source_role, target_role) = if side == SOURCE { (primary, standby) } else { (standby, primary) };
    World {
        writers: vec![side.to_owned()],
        routed: side.to_owned(),
        source_role,
        target_role,
        staff,
        claims: 0,
        debts: 0,
        open_run: false,
    }
}

/// P11: twenty times there and back under load.
#[test]
fn twenty_switchovers_under_load_lose_nothing_and_end_the_same_each_time() {
    let sandbox = Sandbox::up();
    for round in 0..20 {
        let (verb, side, staff) = match round % 4 {
            0 => (vec!["switchover"], TARGET, [(1, 1), (3, 3)]),
            1 | 3 => (vec!["failback"], SOURCE, [(3, 3), (1, 1)]),
            _ => (vec!["switchover", "--from", SOURCE, "--to", TARGET], TARGET, [(1, 1), (3, 3)]),
        };
        let acknowledged = sandbox.acknowledged();
        sandbox.dr(&[&verb[..], &["--yes"]].concat()).ends(0);
        let metrics = sandbox.metrics();
        assert_eq!(metrics["lost_writes"], 0, "round {round}: {metrics:#}");
        assert!(metrics["acknowledged_writes"].as_u64() > Some(0), "round {round}: {metrics:#}");
        assert_eq!(metrics["rto_met"], true, "round {round}: {metrics:#}");
        assert_eq!(metrics["rpo_seconds"], 0.0, "round {round}: {metrics:#}");
        assert!(sandbox.acknowledged() > acknowledged, "round {round}: the load is not served");
        assert_eq!(sandbox.world(), served_by(side, staff), "round {round}");
    }
    sandbox.evidence_verifies();
    assert_eq!(sandbox.bundles().len(), 20);
    // Counted by somebody else than `dr`: every order that a caller saw acknowledged is in the database.
    let acknowledged = sandbox.acknowledged();
    let rows: u64 = sandbox.asked(SOURCE, "select count(*) from orders").parse().unwrap();
    assert!(rows >= acknowledged, "{rows} rows of {acknowledged} acknowledged");
}
