//! Plans with more steps than a person writes.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use dr_core::StepId;
use dr_core::engine::DriveEnd;
use dr_core::event::{Ending, Event};
use dr_core::model::World;
use dr_testkit::Rig;

/// Two phases of so many steps side by side.
fn halves(each: usize) -> String {
    phases(each, each)
}

fn phases(first: usize, second: usize) -> String {
    let mut text = String::from("phases:\n");
    for (phase, steps) in [("first", first), ("second", second)] {
        let _ = write!(text, "  - name: {phase}\n    steps:\n");
        for index in 0..steps {
            let _ = writeln!(text, "      - {{ scale: fleet, in: target, replicas: 3, id: s{index} }}");
        }
    }
    text
}

fn world() -> World {
    let world = World::new(["east", "west"]);
    world.workloads("fleet", &["shop"], 3);
    world
}

#[tokio::test(start_paused = true)]
async fn nothing_of_a_large_phase_starts_before_the_large_one_ahead_of_it_is_over() {
    let run = Rig::new(&world(), &halves(50)).run().await;
    assert_eq!(run.driven.end, DriveEnd::Ended(Ending::Succeeded), "{}", run.story());
    let mut open: BTreeSet<StepId> = (0..50).map(|index| StepId::new(format!("first/s{index}"))).collect();
    for entry in &run.entries {
        match &entry.event {
            Event::Succeeded { step, .. } => {
                open.remove(step);
            }
            Event::Started { step, .. } if step.as_str().starts_with("second/") => {
                assert_eq!(open.len(), 0, "{step} started");
            }
            _ => {}
        }
    }
    assert_eq!(open.len(), 0);
}

#[tokio::test]
async fn edges_between_large_phases_grow_with_the_steps_and_not_with_their_square() {
    let rig = Rig::new(&world(), &halves(1_000));
    let edges: usize = rig.script().steps.iter().map(|step| step.after.len()).sum();
    assert_eq!(
        edges, 3_000,
        "each waits for, or is waited for by, the step between; the first for the look at room"
    );
}

#[tokio::test]
async fn the_step_between_stands_behind_its_phase_and_only_where_there_are_more_than_a_thousand_edges() {
    let between = |first, second| {
        let rig = Rig::new(&world(), &phases(first, second));
        rig.script().steps.iter().position(|step| step.id.as_str() == "first/*")
    };
    assert_eq!(between(25, 40), None);
    assert_eq!(between(25, 41), Some(26), "the look at room, the phase's own, and then it");
}

#[tokio::test]
async fn small_phases_wait_for_each_others_steps_themselves() {
    let rig = Rig::new(&world(), &halves(3));
    assert_eq!(rig.script().steps.len(), 7, "and the look at room before them");
    assert!(rig.script().steps[4..].iter().all(|step| step.after.len() == 3));
}
