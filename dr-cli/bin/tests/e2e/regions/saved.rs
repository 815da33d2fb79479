//! Saved plans: applied once, and only to the world that they were made for.

use super::switchovers::served_by;
use crate::support::{Sandbox, TARGET};

/// P20: the same file a second time.
#[test]
fn a_saved_plan_is_applied_once() {
    let sandbox = Sandbox::up();
    let saved = sandbox.beside("saved.drplan");
    let saved = saved.to_str().unwrap();
    let told = sandbox.dr(&["plan", "-o", saved]).ends(0).tells("Saved");
    assert!(told.out.contains("changes would be made"), "{told:?}");
    assert_eq!(sandbox.runs().len(), 0, "a dry run left something");
    sandbox.dr(&["switchover", "--yes", saved]).ends(0);
    assert_eq!(sandbox.world(), served_by(TARGET, [(1, 1), (3, 3)]));
    sandbox.dr(&["switchover", "--yes", saved]).ends(12).tells("dr plan");
    sandbox.dr(&["failback", "--yes"]).ends(0);
    // The world is as it was, but for the timelines.
    sandbox.dr(&["switchover", "--yes", saved]).ends(12).tells("dr plan");
    assert_eq!(sandbox.world().claims, 0);
}

/// P20: the world moves between saving and applying.
#[test]
fn a_saved_plan_is_not_applied_to_a_world_that_has_moved() {
    let sandbox = Sandbox::up();
    let saved = sandbox.beside("saved.drplan");
    let saved = saved.to_str().unwrap();
    sandbox.dr(&["plan", "-o", saved]).ends(0);
    sandbox.dr(&["switchover", "--yes"]).ends(0);
    let moved = sandbox.world();
    sandbox.dr(&["switchover", "--yes", saved]).ends(12).tells("the world has moved").tells("dr plan");
    assert_eq!(sandbox.world(), moved);
    sandbox.dr(&["failback", "--yes"]).ends(0);
}
