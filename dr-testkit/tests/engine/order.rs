//! What runs when.

use std::time::Duration;

use dr_core::event::{Ending, Event};
use dr_testkit::Rig;
use dr_testkit::decorate::{Called, Recorder};
use dr_testkit::model::World;
use tokio::time::Instant;

use super::support::{MOVE, ended, shop};

#[tokio::test(start_paused = true)]
async fn a_planned_move_ends_with_the_target_serving_and_nothing_lost() {
    let shop = shop();
    let run = Rig::new(&shop.world, MOVE).run().await;
    ended(&run, Ending::Succeeded);
    assert_eq!(shop.orders.writable(), ["west".into()]);
    assert_eq!(shop.entry.side(), Some("west".into()));
    assert_eq!(shop.world.violations(), []);
}

#[tokio::test(start_paused = true)]
async fn phases_run_in_their_order_and_fence_before_promotion() {
    let shop = shop();
    let recorder = Recorder::new();
    let notes = recorder.clone();
    let run = Rig::new(&shop.world, MOVE).wrapped(move |step, action| notes.on(step, action)).run().await;
    ended(&run, Ending::Succeeded);
    let order = recorder.order(Called::Apply);
    assert_eq!(
        order,
        [
            "roles/check-roles:orders",
            "roles/check-room:services",
            "preflight/observe:orders",
            "scale_up/scale:services",
            "promote/fence:orders",
            "promote/promote:orders",
            "dns/route:entry",
            "verify/probe:shop",
            "protect/follow:orders"
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn steps_of_a_phase_run_side_by_side() {
    let world = World::new(["east", "west"]);
    let steps: String = (0..10).map(|step| format!("      - {{ wait: 10s, id: w{step} }}\n")).collect();
    world.store("orders");
    let began = Instant::now();
    let run = Rig::new(&world, &format!("phases:\n  - name: all\n    steps:\n{steps}")).run().await;
    ended(&run, Ending::Succeeded);
    assert!(began.elapsed() < Duration::from_secs(11), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_phase_beside_another_does_not_wait_for_it() {
    let world = World::new(["east", "west"]);
    world.store("orders");
    let plan = "
phases:
  - { name: one, steps: [ { wait: 10s } ] }
  - { name: two, after: [], steps: [ { wait: 10s } ] }
  - { name: three, after: [one, two], steps: [ { wait: 10s } ] }
";
    let began = Instant::now();
    let run = Rig::new(&world, plan).run().await;
    ended(&run, Ending::Succeeded);
    assert_eq!(began.elapsed().as_secs(), 20);
}

#[tokio::test(start_paused = true)]
async fn an_intent_stands_in_the_journal_before_its_outcome() {
    let shop = shop();
    let run = Rig::new(&shop.world, MOVE).run().await;
    let place = |is: &dyn Fn(&Event) -> bool| run.entries.iter().position(|entry| is(&entry.event));
    let effects = run.driven.state.in_order().map(|(step, _)| step.id.clone());
    let mut seen = 0;
    for id in effects {
        let started = place(&|event| matches!(event, Event::Started { step, .. } if *step == id));
        let succeeded = place(&|event| matches!(event, Event::Succeeded { step, .. } if *step == id));
        assert!(started.is_some() && started < succeeded, "{id}: {}", run.story());
        seen += 1;
    }
    assert_eq!(seen, 9);
}

#[tokio::test(start_paused = true)]
async fn ten_thousand_steps_run_in_moderate_time() {
    let world = World::new(["east", "west"]);
    world.store("orders");
    let phases: String = (0..2_500)
        .map(|phase| {
            let steps: String =
                (0..4).map(|step| format!("      - {{ wait: 1ms, id: w{step} }}\n")).collect();
            format!("  - name: p{phase}\n    steps:\n{steps}")
        })
        .collect();
    let rig = Rig::new(&world, &format!("phases:\n{phases}"));
    assert_eq!(rig.script().steps.len(), 10_000);
    let began = std::time::Instant::now();
    let run = rig.run().await;
    ended(&run, Ending::Succeeded);
    assert!(began.elapsed() < Duration::from_secs(60), "{:?}", began.elapsed());
}
