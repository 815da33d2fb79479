//! How often and how long something is tried again.

use std::time::Duration;

use dr_core::ErrorKind;
use dr_core::event::{Ending, Event, Found, Suspension};
use dr_testkit::decorate::{Called, Recorder, Schedule, Trouble};
use dr_testkit::{Rig, Run, settled};
use tokio::time::Instant;

use super::support::{SCALES, Shop, ended, shop, suspended};

const ROUTE: &str = "move/route:entry";
const THROTTLED: Trouble = Trouble::Fails(ErrorKind::Throttled);
/// Pauses double up to five seconds: so many calls and no more fit into a step's twenty.
const MANY: usize = 16;

/// Runs it in trouble; what it called, and how long it took.
async fn run(shop: &Shop, schedule: &Schedule) -> (Run, Recorder, Duration) {
    let recorder = Recorder::new();
    let notes = recorder.clone();
    let rig = Rig::new(&shop.world, SCALES);
    let rig = rig.in_trouble(schedule).wrapped(move |step, action| notes.on(step, action));
    let begun = Instant::now();
    let run = tokio::time::timeout(Duration::from_secs(600), rig.run()).await.expect("a drive that ends");
    (run, recorder, begun.elapsed())
}

fn in_doubt() -> Schedule {
    Schedule::new().at(ROUTE, Called::Apply, 1..=1, Trouble::InDoubt(ErrorKind::Unauthorized))
}

#[tokio::test(start_paused = true)]
async fn a_step_in_doubt_is_looked_at_until_it_can_be_read() {
    let shop = shop();
    let (run, _, _) = run(&shop, &in_doubt().at(ROUTE, Called::Prepare, 2..=4, THROTTLED)).await;
    ended(&run, Ending::RolledBack);
    assert_eq!(run.count(|event| matches!(event, Event::Settled { found: Found::NotDone, .. })), 1);
}

#[tokio::test(start_paused = true)]
async fn a_step_in_doubt_that_cannot_be_read_within_its_time_stays_unknown() {
    let shop = shop();
    let unreadable = in_doubt().at(ROUTE, Called::Prepare, 2..=u32::MAX, THROTTLED);
    let (run, recorder, took) = run(&shop, &unreadable).await;
    assert_eq!(run.count(|event| matches!(event, Event::Settled { found: Found::Unknown, .. })), 1);
    assert!(took < Duration::from_secs(30), "{took:?}\n{}", run.story());
    let looks = recorder.count(ROUTE, Called::Prepare);
    assert!((4..MANY).contains(&looks), "{looks} looks\n{}", run.story());
}

/// A planned run whose last step is refused, and whose undo of the route fails so often.
fn goes_back(fails: u32) -> Schedule {
    Schedule::new().at("down/last", Called::Apply, 1..=u32::MAX, Trouble::Fails(ErrorKind::Unauthorized)).at(
        ROUTE,
        Called::Undo,
        1..=fails,
        THROTTLED,
    )
}

#[tokio::test(start_paused = true)]
async fn an_undo_that_fails_for_a_while_is_tried_again() {
    let shop = shop();
    let before = shop.world.snapshot();
    let (run, recorder, _) = run(&shop, &goes_back(3)).await;
    ended(&run, Ending::RolledBack);
    assert_eq!(recorder.count(ROUTE, Called::Undo), 4);
    assert_eq!(settled(&shop.world).await, before);
}

#[tokio::test(start_paused = true)]
async fn an_undo_that_fails_for_good_ends_the_drive_within_its_time() {
    let shop = shop();
    let (run, recorder, took) = run(&shop, &goes_back(u32::MAX)).await;
    suspended(&run, Suspension::Stuck);
    assert!(took < Duration::from_secs(30), "{took:?}\n{}", run.story());
    let undone = recorder.count(ROUTE, Called::Undo);
    assert!((4..MANY).contains(&undone), "{undone} times\n{}", run.story());
}
