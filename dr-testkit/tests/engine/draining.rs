//! Capacity is taken from a side only after its callers are gone.

use std::time::Duration;

use dr_core::event::{Ending, Event};
use dr_testkit::{Rig, Run};

use super::support::{ended, says, shop};

const DRAIN: &str = "
phases:
  - { name: move, within: 20s, steps: [ { route: entry } ] }
  - { name: down, within: 60s, steps: [ { scale: services, in: source, replicas: 0, after_drain: true } ] }
";

/// From one step's end to another's.
fn between(run: &Run, first: &str, last: &str) -> Duration {
    let ended = |id: &str| {
        let of = |event: &Event| matches!(event, Event::Succeeded { step, .. } if step.as_str() == id);
        let entry = run.entries.iter().find(|entry| of(&entry.event)).expect("it succeeded");
        Duration::from_millis(entry.elapsed_ms)
    };
    ended(last).saturating_sub(ended(first))
}

/// A TTL of five seconds, and a second for callers that are late.
#[tokio::test(start_paused = true)]
async fn capacity_goes_when_the_last_old_answer_is_forgotten_and_not_before() {
    let shop = shop();
    let run = Rig::new(&shop.world, DRAIN).run().await;
    ended(&run, Ending::Succeeded);
    let took = between(&run, "move/route:entry", "down/scale:services");
    assert!(
        took > Duration::from_millis(5_900) && took < Duration::from_secs(8),
        "{took:?}\n{}",
        run.story()
    );
    assert_eq!(shop.services.ready("east").values().sum::<u32>(), 0);
}

#[tokio::test(start_paused = true)]
async fn where_no_capacity_is_left_nobody_waits_for_its_callers() {
    let shop = shop();
    shop.services.scale_by_hand("east", 0);
    let run = Rig::new(&shop.world, DRAIN).run().await;
    ended(&run, Ending::Succeeded);
    let took = between(&run, "move/route:entry", "down/scale:services");
    assert!(took < Duration::from_secs(1), "{took:?}\n{}", run.story());
}

#[tokio::test(start_paused = true)]
async fn without_a_route_nobody_knows_when_the_callers_are_gone_and_no_capacity_goes() {
    let shop = shop();
    let plan = "
phases:
  - { name: down, within: 60s, steps: [ { scale: services, in: source, replicas: 0, after_drain: true } ] }
";
    let run = Rig::new(&shop.world, plan).run().await;
    ended(&run, Ending::Refused);
    says(&run, "after_drain needs a route before it in this run");
    assert_eq!(shop.services.ready("east").values().sum::<u32>(), 6);
}
