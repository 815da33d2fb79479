//! What a run's looks find, what they wait for, and what people read of them.

use std::time::Duration;

use dr_core::event::{Ending, Status};
use dr_testkit::Rig;
use tokio::time::Instant;

use super::support::{MOVE, ended, said, says, shop};

#[tokio::test(start_paused = true)]
async fn each_look_says_what_it_found() {
    let shop = shop();
    let plan = format!("{MOVE}  - {{ name: rest, steps: [ {{ wait: 90s }}, {{ observe: services }} ] }}\n");
    let run = Rig::new(&shop.world, &plan).run().await;
    ended(&run, Ending::Succeeded);
    for (step, found) in [
        ("roles/check-roles:orders", "the source is the primary, the target is its standby"),
        ("roles/check-room:services", "there is room"),
        ("preflight/observe:orders", "lag 0ms"),
        ("rest/wait", "1m 30s passed"),
        ("rest/observe:services", "ready 12 of 12"),
    ] {
        assert_eq!(said(&run, step), found);
    }
}

/// Looks whether everything runs on the target, where nothing does as it begins.
fn awaiting(wait: bool) -> String {
    format!(
        "phases: [ {{ name: look, within: 20s, steps: [ {{ observe: services, in: target, expect: {{ ready: all }}, wait: {wait} }} ] }} ]"
    )
}

const LOOK: &str = "look/observe:services";

#[tokio::test(start_paused = true)]
async fn what_is_awaited_may_come_about_by_the_steps_deadline() {
    let shop = shop();
    let (began, rig) = (Instant::now(), Rig::new(&shop.world, &awaiting(true)));
    let (run, ()) = tokio::join!(rig.run(), async {
        tokio::time::sleep(Duration::from_secs(10)).await;
        shop.services.scale_by_hand("west", 3);
    });
    ended(&run, Ending::Succeeded);
    assert_eq!((said(&run, LOOK), run.step(LOOK).attempts), ("ready 6 of 6", 1), "{}", run.story());
    assert_eq!(began.elapsed().as_secs(), 10);
}

#[tokio::test(start_paused = true)]
async fn what_never_comes_about_is_told_as_it_still_is_at_the_deadline() {
    let shop = shop();
    let began = Instant::now();
    let run = Rig::new(&shop.world, &awaiting(true)).run().await;
    ended(&run, Ending::Refused);
    says(&run, "still not as expected: ready: 0 of 0 → all");
    assert!(began.elapsed() > Duration::from_secs(19), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn what_is_not_awaited_is_refused_at_once() {
    let shop = shop();
    let began = Instant::now();
    let run = Rig::new(&shop.world, &awaiting(false)).run().await;
    ended(&run, Ending::Refused);
    says(&run, "not as expected: ready: 0 of 0 → all");
    assert_eq!((run.step(LOOK).status, run.step(LOOK).attempts), (Status::Failed, 1));
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
}
