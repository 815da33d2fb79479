//! Every gate, in the dry run and in the real one.

use std::time::Duration;

use dr_core::event::Ending;
use dr_core::resource::Hazard;
use dr_testkit::Rig;
use dr_testkit::decorate::Recorder;
use dr_testkit::model::Fault;

use super::support::{MOVE, Shop, ended, shop};

/// What is wrong with the world, what a refusal says of it, and whether an unplanned run is refused as well.
type Gate = (&'static str, fn(&Shop), &'static str, bool);

const GATES: [Gate; 14] = [
    ("nothing is copied", |shop| shop.orders.cut_replication(true), "lag", false),
    ("the source does not answer", |shop| shop.world.fail("east", Fault::BlackHole), "east", false),
    ("the source hangs", |shop| shop.world.fail("east", Fault::Hung), "east", false),
    ("the source lets nobody in", |shop| shop.world.fail("east", Fault::Denied), "east", false),
    ("the source is down", |shop| shop.orders.kill("east"), "east", false),
    ("the target does not answer", |shop| shop.orders.fail("west", Fault::BlackHole), "west", true),
    ("the target hangs", |shop| shop.orders.fail("west", Fault::Hung), "west", true),
    ("the target is down", |shop| shop.orders.kill("west"), "west", true),
    ("both take writes", |shop| shop.orders.promote_by_hand("west"), "TWO WRITABLE SIDES", true),
    ("a node is not in the plan", |shop| shop.orders.add_stranger("west", "db9.west"), "db9.west", true),
    ("there is no room", |shop| shop.services.limit_room("west", Some(2)), "--override quota", true),
    ("room is in doubt", |shop| shop.services.endanger("west", hazard()), "--override slow", true),
    ("callers' side is silent", |shop| shop.world.fail("west", Fault::Denied), "west", true),
    (
        "the target would not serve well",
        |shop| shop.orders.endanger("west", hazard()),
        "--override slow",
        true,
    ),
];

fn hazard() -> Hazard {
    Hazard { code: "slow".to_owned(), message: "it waits for a dead archive".to_owned(), blocks: true }
}

/// P19: each gate refuses in both, with the same word, and neither touches anything.
#[tokio::test(start_paused = true)]
async fn whatever_a_real_run_is_refused_for_the_dry_run_is_refused_for_as_well() {
    for (what, breaks, word, also_unplanned) in GATES {
        for unplanned in [false, true] {
            let world = || {
                let shop = shop();
                breaks(&shop);
                shop
            };
            let (dry, live) = (world(), world());
            tokio::time::sleep(Duration::from_secs(20)).await;
            let rig = |shop: &Shop| {
                let rig = Rig::new(&shop.world, MOVE);
                if unplanned { rig.unplanned() } else { rig }
            };
            let recorder = Recorder::new();
            let notes = recorder.clone();
            let expected =
                rig(&dry).dry().wrapped(move |step, action| notes.on(step, action)).run().await.driven;
            assert_eq!(recorder.mutating(), [], "{what}");
            if unplanned && !also_unplanned {
                assert!(!expected.text.contains("check-roles"), "{what}: {}", expected.text);
                continue;
            }
            let real = rig(&live).run().await;
            ended(&real, Ending::Refused);
            assert_eq!(live.world.requests(), 0, "{what}: {}", real.story());
            assert_eq!(expected.end, real.driven.end, "{what}: {} and {}", expected.text, real.driven.text);
            for text in [&expected.text, &real.driven.text] {
                assert!(text.contains(word), "{what}: {text}");
            }
        }
    }
}

/// P19: and none stands in the dry run alone.
#[tokio::test(start_paused = true)]
async fn what_a_dry_run_lets_pass_a_real_run_carries_out() {
    for unplanned in [false, true] {
        let (dry, live) = (shop(), shop());
        let rig = |shop: &Shop| {
            shop.orders.endanger("west", hazard());
            let rig = Rig::new(&shop.world, MOVE).overriding("slow");
            if unplanned { rig.unplanned() } else { rig }
        };
        ended(&rig(&dry).dry().run().await, Ending::Succeeded);
        ended(&rig(&live).run().await, Ending::Succeeded);
    }
}
