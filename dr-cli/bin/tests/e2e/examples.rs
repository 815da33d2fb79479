//! The example plans, as the command with its real backends sees them.

use std::path::{Path, PathBuf};

use crate::support::{dr, run};

fn plans() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/plans");
    let mut plans: Vec<PathBuf> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    plans.sort();
    plans
}

#[test]
fn every_example_plan_passes_its_checks() {
    let plans = plans();
    assert!(plans.len() >= 5, "{plans:?}");
    for plan in plans {
        let said = run(dr().arg("check").arg(&plan)).ends(0);
        let told = format!("{}{}", said.out, said.err);
        for unwanted in ["error", "idle-acknowledgement"] {
            assert!(!told.contains(unwanted), "{}: {told}", plan.display());
        }
    }
}

#[test]
fn every_example_plan_can_be_carried_out_by_hand() {
    for plan in plans() {
        let said = run(dr().arg("runbook").arg(&plan)).ends(0);
        assert!(said.out.lines().count() > 10, "{}: {said:?}", plan.display());
    }
}
