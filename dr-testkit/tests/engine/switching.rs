//! Stores whose switchover fences the old writer by itself, and fences that are no store's.

use std::time::Duration;

use dr_core::event::Ending;
use dr_core::resource::{Basis, Promotion, Roles};
use dr_core::runbook::{Binding, Runbook};
use dr_testkit::Rig;
use dr_testkit::harness::crash_everywhere;
use dr_testkit::model::{Fault, World};

use super::support::{PROMOTE, ended, says, shop};

/// A promotion and nothing before it.
const SWITCH: &str = "
phases:
  - name: promote
    within: 20s
    steps: [ { promote: orders, accept_loss: unknown } ]
";

fn left_by_promotion(run: &dr_testkit::Run) -> serde_json::Value {
    run.step("promote/promote:orders").applied.as_ref().map(|left| left.data.clone()).unwrap_or_default()
}

#[tokio::test(start_paused = true)]
async fn a_store_that_fences_itself_needs_no_fence_in_a_planned_run_and_loses_nothing() {
    let shop = shop();
    shop.orders.fence_itself();
    shop.orders.lags(Duration::from_secs(3));
    let ledger = shop.orders.resource().ledger().unwrap();
    let cx = dr_core::resource::Cx::new("run".into(), "rows".into(), Duration::from_secs(10));
    ledger.open(&cx, "book").await.unwrap();
    tokio::time::sleep(Duration::from_secs(4)).await;
    for row in 1..=20 {
        assert!(shop.orders.write("book", row));
    }
    let run = Rig::new(&shop.world, SWITCH).run().await;
    ended(&run, Ending::Succeeded);
    assert_eq!(shop.orders.writable(), ["west".into()]);
    assert_eq!(shop.orders.lost("book"), Vec::<i64>::new(), "it lagged by three seconds");
    assert_eq!(shop.world.violations(), []);
    let left = left_by_promotion(&run);
    let promotion: Promotion = serde_json::from_value(left).unwrap();
    assert_eq!(promotion.basis, Basis::Planned { fences: Vec::new() });
}

#[tokio::test(start_paused = true)]
async fn the_same_store_is_refused_without_a_fence_in_an_unplanned_run() {
    let shop = shop();
    shop.orders.fence_itself();
    let run = Rig::new(&shop.world, SWITCH).unplanned().run().await;
    says(&run, "no fence stands before this promotion");
    assert_eq!(shop.orders.writable(), ["east".into()]);
    assert_eq!(shop.world.requests(), 0);
    let run = Rig::new(&shop.world, PROMOTE).unplanned().run().await;
    assert_eq!(shop.orders.writable(), ["west".into()], "{}", run.story());
    assert_eq!(shop.world.violations(), []);
}

#[tokio::test(start_paused = true)]
async fn a_switchover_without_its_writer_or_its_replication_is_not_begun() {
    let cut = shop();
    cut.orders.fence_itself();
    cut.orders.cut_replication(true);
    let gone = shop();
    gone.orders.fence_itself();
    gone.world.fail("east", Fault::BlackHole);
    for shop in [cut, gone] {
        let run = Rig::new(&shop.world, SWITCH).run().await;
        ended(&run, Ending::Refused);
        assert_eq!(shop.world.requests(), 0);
        assert_eq!(shop.orders.writable(), ["east".into()]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_crash_anywhere_in_a_switchover_ends_as_without_it() {
    let rig = || {
        let world = World::new(["east", "west"]);
        world.store("orders").fence_itself();
        Rig::new(&world, SWITCH)
    };
    let found = crash_everywhere(rig, Duration::from_secs(1)).await;
    assert!(found.wrong.is_empty() && found.tried > 10, "{found}");
}

#[tokio::test(start_paused = true)]
async fn writers_that_stand_down_are_a_fence_that_adds_to_the_stores_own() {
    let shop = shop();
    let plan = "
phases:
  - name: promote
    within: 20s
    steps:
      - { id: writers, fence: services }
      - { fence: orders }
      - { promote: orders }
";
    let run = Rig::new(&shop.world, plan).run().await;
    ended(&run, Ending::Recovered);
    let ready: u32 = shop.services.ready("east").values().sum();
    assert_eq!((ready, shop.orders.writable()), (0, vec!["west".into()]));
    let left = left_by_promotion(&run);
    assert_eq!(left["basis"]["fences"].as_array().map(Vec::len), Some(2), "{left}");
}

const WRITERS_ONLY: &str = "
phases:
  - name: promote
    within: 20s
    steps: [ { fence: services }, { promote: orders, accept_loss: unknown } ]
";

#[tokio::test(start_paused = true)]
async fn writers_that_stand_down_are_no_fence_of_the_store_and_it_is_not_even_bound() {
    let shop = shop();
    let script = Rig::new(&shop.world, WRITERS_ONLY).script().clone();
    let roles = Roles { source: "east".into(), target: "west".into() };
    let findings = Runbook::bind(script, shop.world.resources(), &Binding::new(roles)).expect_err("no fence");
    assert!(findings[0].message.contains("no fence of the very store"), "{findings:?}");
}

#[tokio::test(start_paused = true)]
async fn a_store_that_fences_itself_when_planned_needs_its_own_fence_when_not() {
    let shop = shop();
    shop.orders.fence_itself();
    let run = Rig::new(&shop.world, WRITERS_ONLY).unplanned().run().await;
    says(&run, "no fence of `orders` itself");
    assert_eq!(shop.orders.writable(), ["east".into()]);
}
