//! Whether there is room, and how many there were before.

use dr_core::engine::DriveEnd;
use dr_core::event::{Ending, Event};
use dr_core::resource::Hazard;
use dr_testkit::Rig;

use super::support::{MOVE, SCALES, ended, says, shop};

#[tokio::test(start_paused = true)]
async fn without_room_a_run_is_refused_before_anything_is_touched() {
    let shop = shop();
    shop.services.limit_room("west", Some(2));
    let before = shop.world.snapshot();
    let run = Rig::new(&shop.world, MOVE).run().await;
    ended(&run, Ending::Refused);
    says(&run, "3 replicas, and 2 are allowed");
    says(&run, "--override quota");
    assert_eq!(shop.world.requests(), 0);
    assert_eq!(shop.world.snapshot(), before);
}

#[tokio::test(start_paused = true)]
async fn with_the_override_a_run_goes_on_where_room_was_doubted_in_vain() {
    let shop = shop();
    let (code, message) = ("capacity".to_owned(), "the zone was short of machines yesterday".to_owned());
    shop.services.endanger("west", Hazard { code, message, blocks: true });
    ended(&Rig::new(&shop.world, MOVE).run().await, Ending::Refused);
    assert_eq!(shop.world.requests(), 0);
    ended(&Rig::new(&shop.world, MOVE).overriding("another").run().await, Ending::Refused);
    let run = Rig::new(&shop.world, MOVE).overriding("capacity").run().await;
    ended(&run, Ending::Succeeded);
    assert_eq!(shop.orders.writable(), ["west".into()]);
}

#[tokio::test(start_paused = true)]
async fn an_override_makes_no_room_and_the_run_is_undone_in_the_systems_words() {
    let shop = shop();
    shop.services.limit_room("west", Some(2));
    let run = Rig::new(&shop.world, SCALES).overriding("quota").run().await;
    ended(&run, Ending::RolledBack);
    says(&run, "exceeded quota");
    assert_eq!(shop.services.ready("west").values().sum::<u32>(), 0);
}

#[tokio::test(start_paused = true)]
async fn room_is_asked_for_in_each_run_that_one_of_the_scales_is_made_in() {
    for (whens, unplanned_is_refused) in [(["planned", "unplanned"], true), (["planned", "planned"], false)] {
        let shop = shop();
        shop.services.limit_room("west", Some(2));
        let plan = format!(
            "
phases:
  - {{ name: few, within: 20s, steps: [ {{ scale: services, in: target, replicas: 1, when: {} }} ] }}
  - {{ name: many, within: 20s, steps: [ {{ scale: services, in: target, replicas: 3, when: {} }} ] }}
",
            whens[0], whens[1]
        );
        let run = Rig::new(&shop.world, &plan).unplanned().run().await;
        let refused = run.driven.end == DriveEnd::Ended(Ending::Refused);
        assert_eq!(refused, unplanned_is_refused, "{whens:?}: {}", run.story());
        assert_eq!(shop.world.requests(), 0);
    }
}

/// P3: capacity that cannot be read is not capacity.
#[tokio::test(start_paused = true)]
async fn room_that_cannot_be_learnt_stops_the_run() {
    let shop = shop();
    shop.world.fail("west", dr_testkit::model::Fault::BlackHole);
    let run = Rig::new(&shop.world, SCALES).run().await;
    ended(&run, Ending::Refused);
    assert_eq!(shop.world.requests(), 0);
    assert_eq!(run.count(|event| matches!(event, Event::UndoStarted { .. })), 0);
}

fn scaled(replicas: &str) -> String {
    format!(
        "phases: [ {{ name: scale, within: 20s, steps: [ {{ scale: services, in: target, replicas: {replicas} }} ] }} ]"
    )
}

#[tokio::test(start_paused = true)]
async fn before_is_what_an_earlier_run_found_and_a_later_one_notes_anew() {
    let shop = shop();
    shop.services.scale_by_hand("west", 1);
    let run = async |name: &str, replicas: &str| {
        let rig = Rig::new(&shop.world, &scaled(replicas)).with(|began| began.run = name.into());
        ended(&rig.run().await, Ending::Succeeded);
        shop.services.ready("west").values().copied().collect::<Vec<u32>>()
    };
    assert_eq!(run("20270115T080000Z-there", "4").await, [4, 4]);
    assert_eq!(run("20270115T090000Z-back", "before").await, [1, 1]);
    assert_eq!(run("20270116T080000Z-there", "3").await, [3, 3]);
    assert_eq!(run("20270116T080000Z-more", "5").await, [5, 5]);
    assert_eq!(run("20270116T090000Z-back", "before").await, [3, 3], "what the last run found");
}

#[tokio::test(start_paused = true)]
async fn before_where_nobody_noted_anything_is_refused() {
    let shop = shop();
    let run = Rig::new(&shop.world, &scaled("before")).run().await;
    ended(&run, Ending::Refused);
    says(&run, "nobody noted how many there were");
}

#[tokio::test(start_paused = true)]
async fn part_of_the_source_is_rounded_up_and_undone() {
    let shop = shop();
    shop.services.break_rollouts("east", Some("image not found"));
    let plan = SCALES.replace("replicas: 3", "replicas: 50% of source");
    let run = Rig::new(&shop.world, &plan).run().await;
    ended(&run, Ending::RolledBack);
    assert_eq!(shop.services.ready("west").values().copied().collect::<Vec<u32>>(), [0, 0]);
    let half = scaled("50% of source");
    ended(&Rig::new(&shop.world, &half).run().await, Ending::Succeeded);
    assert_eq!(shop.services.ready("west").values().copied().collect::<Vec<u32>>(), [2, 2]);
}
