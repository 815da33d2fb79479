//! A dry run looks at everything and touches nothing.

use dr_core::event::{Ending, Event};
use dr_testkit::Rig;
use dr_testkit::decorate::{Called, Recorder};

use super::support::{MOVE, ended, says, shop};

/// P16: a recorder before every resource.
#[tokio::test(start_paused = true)]
async fn a_dry_run_makes_no_mutating_call() {
    let shop = shop();
    let before = shop.world.snapshot();
    let recorder = Recorder::new();
    let notes = recorder.clone();
    let run =
        Rig::new(&shop.world, MOVE).dry().wrapped(move |step, action| notes.on(step, action)).run().await;
    ended(&run, Ending::Succeeded);
    assert_eq!(recorder.mutating(), []);
    assert!(recorder.order(Called::Prepare).len() >= 7, "{:?}", recorder.order(Called::Prepare));
    assert_eq!((shop.world.snapshot(), shop.world.requests()), (before, 0));
}

#[tokio::test(start_paused = true)]
async fn a_dry_run_previews_each_effect_and_lists_what_it_could_not_exercise() {
    let shop = shop();
    let plan = MOVE.replace("write: true, ", "");
    let run = Rig::new(&shop.world, &plan).dry().run().await;
    ended(&run, Ending::Succeeded);
    assert_eq!(run.count(|event| matches!(event, Event::Previewed { .. })), 5);
    let untried: Vec<String> = run
        .entries
        .iter()
        .filter_map(|entry| match &entry.event {
            Event::NotExercised { step, .. } => Some(step.to_string()),
            _ => None,
        })
        .collect();
    assert_eq!(untried, ["verify/probe:shop"]);
}

#[tokio::test(start_paused = true)]
async fn a_dry_run_finds_everything_that_is_wrong() {
    let shop = shop();
    shop.orders.cut_replication(true);
    shop.entry.silence(0, true);
    shop.entry.silence(1, true);
    let run = Rig::new(&shop.world, MOVE).dry().run().await;
    ended(&run, Ending::Refused);
    says(&run, "1 more");
}
