//! One store is promoted, and another is still to come.

use std::time::Duration;

use dr_core::ErrorKind;
use dr_core::engine::News;
use dr_core::event::{Status, Suspension};
use dr_core::model::World;
use dr_testkit::Rig;
use dr_testkit::decorate::{Called, Schedule, Trouble};

use super::support::suspended;

/// Past the point of no return the other steps go on beside a broken one, another store's promotion among them.
#[tokio::test(start_paused = true)]
async fn another_stores_promotion_goes_on_beside_a_step_that_failed_after_the_first() {
    let (world, plan) = two_stores();
    let denied = Trouble::Fails(ErrorKind::Unauthorized);
    let denied = Schedule::new().at("beside/route:entry", Called::Apply, 1..=u32::MAX, denied);
    let run = Rig::new(&world, &plan).in_trouble(&denied).run().await;
    suspended(&run, Suspension::Held);
    assert_eq!(run.step("users/promote:users").status, Status::Succeeded, "{}", run.story());
}

/// P8: with another promotion still to come a broken fence stops everything.
#[tokio::test(start_paused = true)]
async fn nothing_is_begun_beside_a_broken_fence_while_a_promotion_is_still_to_come() {
    let (world, plan) = two_stores();
    let rig = Rig::new(&world, &plan);
    let (drive, controls) = rig.begin().await;
    let (run, ()) = tokio::join!(rig.rest(drive), async {
        tokio::time::sleep(Duration::from_secs(8)).await;
        controls.tell(News::BrokenFence("row 7 was acknowledged by east".to_owned()));
    });
    suspended(&run, Suspension::Held);
    for step in ["beside/route:entry", "users/promote:users"] {
        assert_eq!(run.step(step).status, Status::Pending, "{}", run.story());
    }
}

/// One store promoted, then a pause, then what moves callers, and beside it the second store.
fn two_stores() -> (World, String) {
    let world = World::new(["east", "west"]);
    world.store("orders");
    world.store("users");
    world.traffic("entry", Duration::from_secs(1));
    let plan = "
phases:
  - { name: fence, within: 20s, steps: [ { fence: orders }, { fence: users } ] }
  - { name: orders, within: 20s, steps: [ { promote: orders } ] }
  - { name: pause, within: 60s, steps: [ { wait: 10s } ] }
  - { name: beside, within: 20s, after: [pause], steps: [ { route: entry } ] }
  - { name: later, within: 20s, after: [pause], steps: [ { wait: 5s } ] }
  - { name: users, within: 20s, after: [later], steps: [ { promote: users } ] }
";
    (world, plan.to_owned())
}
