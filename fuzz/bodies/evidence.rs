//! Evidence of a run whose events somebody else wrote: whatever folds can be sealed, and what is sealed is sound.

use dr_core::resource::Redactor;
use dr_evidence::{Bundle, Metrics, Outcome, show, verify};

#[path = "chained.rs"]
mod chained;

/// What the input can break by itself: it names another plan, or sample files that are not there.
const BY_THE_INPUT: [&str; 2] = [
    "plan.yaml is the plan that the run began with",
    "the measurements are those that the journal vouches for",
];

pub(crate) fn run(bytes: &[u8]) {
    let lines = chained::journal(bytes);
    let Ok(metrics) = Metrics::of(&lines) else { return };
    let written = serde_json::to_vec(&metrics).expect("metrics are JSON");
    let read: Metrics = serde_json::from_slice(&written).expect("metrics are read back");
    assert_eq!(serde_json::to_vec(&read).ok(), Some(written));
    let root = tempfile::tempdir().expect("a folder");
    let sealed = Bundle::builder(&lines, "schema: dr/v1\n", &Redactor::default()).seal(root.path(), None);
    let folder = sealed.expect("a run that folds can be sealed").folder;
    let report = verify(&folder);
    let own = report.checks().iter().filter(|check| !BY_THE_INPUT.contains(&check.what.as_str()));
    for check in own {
        assert!(!matches!(check.outcome, Outcome::Failed(_)), "{report}");
    }
    show(&folder).expect("a summary can be shown");
}
