//! What a run never does.

use std::sync::Arc;
use std::time::Duration;

use dr_core::Side;
use dr_core::engine::{DriveEnd, News};
use dr_core::event::{Ending, Event, Mode, Status, Suspension};
use dr_core::resource::{Class, FenceHow, FenceOutcome, Promotion};
use dr_testkit::Rig;
use dr_testkit::decorate::{Called, Recorder};
use dr_testkit::model::{Agreeing, Fault, World};

use super::support::{MOVE, PROMOTE, Shop, ended, says, shop, suspended};

const SILENT: &str = "
phases:
  - name: promote
    within: 20s
    steps:
      - { fence: orders, when_unreachable: { accept_after: 5m } }
      - { promote: orders, accept_loss: unknown }
";

fn sole_writer(shop: &Shop, side: &str) {
    assert_eq!(shop.orders.writable(), [Side::new(side)]);
    assert_eq!(shop.world.violations(), []);
}

#[tokio::test(start_paused = true)]
async fn a_promotion_without_a_fence_cannot_even_be_bound() {
    let world = World::new(["east", "west"]);
    world.store("orders");
    let rig = Rig::new(&world, "phases: [ { name: promote, steps: [ { promote: orders } ] } ]");
    let script = rig.script().clone();
    let roles = dr_core::resource::Roles { source: "east".into(), target: "west".into() };
    let bound =
        dr_core::runbook::Runbook::bind(script, world.resources(), &dr_core::runbook::Binding::new(roles));
    let findings = bound.expect_err("no fence");
    assert!(findings[0].message.contains("no fence"), "{findings:?}");
}

#[tokio::test(start_paused = true)]
async fn a_step_that_is_of_another_class_than_its_script_says_cannot_be_bound() {
    let shop = shop();
    let mut script = Rig::new(&shop.world, PROMOTE).script().clone();
    let promotion = script.steps.iter_mut().find(|step| step.class == Class::PointOfNoReturn);
    promotion.expect("a promotion").class = Class::Reversible;
    let roles = dr_core::resource::Roles { source: "east".into(), target: "west".into() };
    let binding = dr_core::runbook::Binding::new(roles);
    let bound = dr_core::runbook::Runbook::bind(script, shop.world.resources(), &binding);
    let findings = bound.expect_err("another class");
    let told = "it is PointOfNoReturn now and was Reversible when the script was made";
    assert!(findings[0].message.contains(told), "{findings:?}");
}

/// A crashed primary comes back beside the new one, after a silence or a hang.
#[tokio::test(start_paused = true)]
async fn a_guard_waits_for_a_silent_writer_and_fences_it_as_it_returns() {
    for fault in [Fault::BlackHole, Fault::Hung] {
        let shop = shop();
        shop.orders.kill("east");
        shop.orders.promote_by_hand("west");
        shop.world.fail("east", fault);
        let plan = "
phases: [ { name: guard, within: 10m, steps: [ { fence: orders, await_return: true } ] } ]
";
        let rig = Rig::new(&shop.world, plan).unplanned().with(|began| began.mode = Mode::Guard);
        let (run, both) = tokio::join!(rig.run(), async {
            tokio::time::sleep(Duration::from_secs(300)).await;
            shop.world.heal("east");
            shop.orders.start("east");
            tokio::time::sleep(Duration::from_secs(6)).await;
            shop.orders.writable()
        });
        assert_eq!(both, ["west".into()], "{fault:?}: {}", run.story());
        assert_eq!(run.step("guard/fence:orders").status, Status::Succeeded, "{}", run.story());
    }
}

#[tokio::test(start_paused = true)]
async fn a_hung_source_is_alive_and_nothing_is_promoted() {
    for silent in [false, true] {
        let shop = shop();
        shop.world.fail("east", Fault::Hung);
        let rig = Rig::new(&shop.world, SILENT).unplanned();
        let run = if silent { rig.watched_by(Arc::new(Agreeing)).run().await } else { rig.run().await };
        assert!(!matches!(
            run.driven.end,
            dr_core::engine::DriveEnd::Ended(Ending::Succeeded | Ending::Recovered)
        ));
        sole_writer(&shop, "east");
    }
}

/// P29: nobody is there to agree on the silence: refused with the reason.
#[tokio::test(start_paused = true)]
async fn a_silent_source_without_watchers_is_not_fenced_and_nothing_is_promoted() {
    let shop = shop();
    shop.world.fail("east", Fault::BlackHole);
    let run = Rig::new(&shop.world, SILENT).unplanned().run().await;
    assert!(!matches!(
        run.driven.end,
        dr_core::engine::DriveEnd::Ended(Ending::Succeeded | Ending::Recovered)
    ));
    says(&run, "not accepted");
    sole_writer(&shop, "east");
}

#[tokio::test(start_paused = true)]
async fn silence_is_accepted_only_where_plan_and_watchers_agree_and_leaves_debts() {
    let shop = shop();
    shop.world.fail("east", Fault::BlackHole);
    shop.orders.kill("east");
    let run = Rig::new(&shop.world, SILENT).unplanned().watched_by(Arc::new(Agreeing)).run().await;
    ended(&run, Ending::Recovered);
    let fence = run.step("promote/fence:orders").applied.clone().expect("a fence");
    let outcome: FenceOutcome = serde_json::from_value(fence.data).expect("an outcome");
    assert!(matches!(outcome, FenceOutcome::Accepted(_)), "{outcome}");
    let owed: Vec<String> = run.driven.state.debts.iter().map(|debt| debt.kind.to_string()).collect();
    assert!(owed.contains(&"guard".to_owned()) && owed.contains(&"replica".to_owned()), "{owed:?}");
    sole_writer(&shop, "west");
}

#[tokio::test(start_paused = true)]
async fn a_planned_run_accepts_no_silence() {
    let shop = shop();
    shop.world.fail("east", Fault::BlackHole);
    let run = Rig::new(&shop.world, SILENT).watched_by(Arc::new(Agreeing)).run().await;
    ended(&run, Ending::Refused);
    sole_writer(&shop, "east");
}

#[tokio::test(start_paused = true)]
async fn a_refused_fence_ends_a_planned_run_where_it_began() {
    let shop = shop();
    let before = shop.world.snapshot();
    shop.orders.refuse_fence(Some("a manager would start it again"));
    let run = Rig::new(&shop.world, MOVE).run().await;
    ended(&run, Ending::RolledBack);
    assert_eq!(dr_testkit::settled(&shop.world).await, before);
    sole_writer(&shop, "east");
}

#[tokio::test(start_paused = true)]
async fn a_fence_that_was_lifted_meanwhile_stops_the_promotion() {
    let shop = shop();
    let plan = "
phases:
  - { name: fence, within: 20s, steps: [ { fence: orders } ] }
  - { name: pause, within: 20s, steps: [ { wait: 5s } ] }
  - { name: promote, within: 20s, steps: [ { promote: orders } ] }
";
    let rig = Rig::new(&shop.world, plan);
    let (drive, _controls) = rig.begin().await;
    let (run, ()) = tokio::join!(rig.rest(drive), async {
        tokio::time::sleep(Duration::from_secs(2)).await;
        shop.orders.start_by_force("east");
    });
    says(&run, "is not fenced");
    says(&run, "abort and begin a new run");
    sole_writer(&shop, "east");
}

/// P8: somebody writes in the source behind the fence.
#[tokio::test(start_paused = true)]
async fn a_fenced_side_that_acknowledged_a_write_stops_the_run_before_it_promotes() {
    for after in 0..400 {
        let shop = shop();
        let rig = Rig::new(&shop.world, PROMOTE);
        let (drive, controls) = rig.begin().await;
        let (run, ()) = tokio::join!(rig.rest(drive), async {
            tokio::time::sleep(Duration::from_millis(after)).await;
            controls.tell(News::BrokenFence("row 7 was acknowledged by east".to_owned()));
        });
        let told = run.entries.iter().position(|entry| {
            matches!(&entry.event, Event::Started { step, .. } if step.as_str() == "promote/promote:orders")
        });
        if told.is_none() {
            assert_eq!(shop.orders.writable(), [Side::new("east")], "after {after} ms: {}", run.story());
        }
        assert_eq!(shop.world.violations(), []);
    }
}

#[tokio::test(start_paused = true)]
async fn an_unplanned_promotion_refuses_a_loss_that_the_plan_does_not_accept() {
    let shop = shop();
    tokio::time::sleep(Duration::from_secs(60)).await;
    shop.orders.kill("east");
    let run = Rig::new(&shop.world, PROMOTE).unplanned().run().await;
    suspended(&run, Suspension::Held);
    says(&run, "may be lost");
    assert_eq!(shop.orders.writable(), Vec::<Side>::new());
}

/// P3: no bound for the loss: refused unless the plan accepts the unknown by that word.
#[tokio::test(start_paused = true)]
async fn an_unplanned_promotion_with_an_unknown_loss_says_so() {
    let shop = shop();
    tokio::time::sleep(Duration::from_secs(60)).await;
    shop.orders.kill("east");
    let plan = PROMOTE.replace("accept_loss: 10s", "accept_loss: unknown");
    let run = Rig::new(&shop.world, &plan).unplanned().run().await;
    ended(&run, Ending::Recovered);
    sole_writer(&shop, "west");
}

#[tokio::test(start_paused = true)]
async fn an_unplanned_run_with_an_answering_source_tries_to_lose_nothing() {
    let shop = shop();
    tokio::time::sleep(Duration::from_secs(60)).await;
    let run = Rig::new(&shop.world, PROMOTE).unplanned().run().await;
    ended(&run, Ending::Recovered);
    let applied = run.step("promote/promote:orders").applied.clone().expect("a promotion");
    assert!(applied.said.contains("nothing lost"), "{}", applied.said);
}

#[tokio::test(start_paused = true)]
async fn an_unplanned_run_falls_back_when_the_planned_proof_does_not_come() {
    let shop = shop();
    shop.orders.fence_by(FenceHow::NoLogin);
    shop.orders.cut_replication(true);
    shop.orders.stall_promotions(Duration::ZERO);
    let plan = PROMOTE.replace("accept_loss: 10s", "accept_loss: 1h, graceful_for: 2s");
    assert!(shop.orders.write("none", 1), "an acknowledged row that the target has not");
    let run = Rig::new(&shop.world, &plan).unplanned().run().await;
    ended(&run, Ending::Recovered);
    let applied = run.step("promote/promote:orders").applied.clone().expect("a promotion");
    let promotion: Promotion = serde_json::from_value(applied.data).expect("a promotion");
    assert!(matches!(promotion.basis, dr_core::resource::Basis::Forced { .. }));
    assert_eq!(shop.orders.lost("none"), [1], "and it may lose what the plan accepts");
}

#[tokio::test(start_paused = true)]
async fn two_writable_sides_are_refused_by_name() {
    let shop = shop();
    shop.orders.promote_by_hand("west");
    let run = Rig::new(&shop.world, PROMOTE).run().await;
    ended(&run, Ending::Refused);
    says(&run, "TWO WRITABLE SIDES");
    assert_eq!(shop.world.requests(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_run_that_is_done_already_has_nothing_to_do() {
    let shop = shop();
    ended(&Rig::new(&shop.world, MOVE).run().await, Ending::Succeeded);
    let requests = shop.world.requests();
    let run = Rig::new(&shop.world, MOVE).run().await;
    ended(&run, Ending::NothingToDo);
    assert_eq!(shop.world.requests(), requests);
}

/// P46: a standby that the plan does not know.
#[tokio::test(start_paused = true)]
async fn a_stranger_that_could_promote_itself_is_refused() {
    let shop = shop();
    shop.orders.add_stranger("east", "10.0.0.9");
    let run = Rig::new(&shop.world, PROMOTE).run().await;
    ended(&run, Ending::Refused);
    says(&run, "10.0.0.9");
}

#[tokio::test(start_paused = true)]
async fn a_planned_move_loses_no_acknowledged_row() {
    let shop = shop();
    shop.orders.lags(Duration::from_millis(300));
    let resource = shop.orders.resource();
    let ledger = resource.ledger().expect("a ledger");
    let cx = dr_core::resource::Cx::new("run".into(), "ledger".into(), Duration::from_secs(60));
    ledger.open(&cx, "book").await.expect("open");
    let rig = Rig::new(&shop.world, MOVE);
    let (drive, _controls) = rig.begin().await;
    let (run, acked) = tokio::join!(rig.rest(drive), async {
        let mut acked = 0;
        for row in 0..400 {
            acked += usize::from(shop.orders.write("book", row));
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        acked
    });
    ended(&run, Ending::Succeeded);
    assert!(acked > 100, "{acked}");
    assert_eq!(shop.orders.lost("book"), Vec::<i64>::new());
}

/// P8: the fence's own look says that it holds; an acknowledged write says that it does not, and the write is believed.
#[tokio::test(start_paused = true)]
async fn no_promotion_is_begun_after_a_fence_that_was_told_to_be_broken() {
    for planned in [true, false] {
        let shop = shop();
        let plan = "
phases:
  - { name: fence, within: 20s, steps: [ { fence: orders } ] }
  - { name: pause, within: 20s, steps: [ { wait: 5s } ] }
  - { name: promote, within: 20s, steps: [ { promote: orders, accept_loss: 10s } ] }
";
        let recorder = Recorder::new();
        let notes = recorder.clone();
        let rig = Rig::new(&shop.world, plan).wrapped(move |step, action| notes.on(step, action));
        let rig = if planned { rig } else { rig.unplanned() };
        let (drive, controls) = rig.begin().await;
        let (run, ()) = tokio::join!(rig.rest(drive), async {
            tokio::time::sleep(Duration::from_secs(2)).await;
            controls.tell(News::BrokenFence("row 7 was acknowledged by east".to_owned()));
        });
        says(&run, "row 7 was acknowledged by east");
        assert_eq!(recorder.count("promote/promote:orders", Called::Prepare), 0, "{}", run.story());
        if matches!(run.driven.end, DriveEnd::Suspended(_)) {
            let resumed = rig.resume().await;
            assert_eq!(recorder.count("promote/promote:orders", Called::Prepare), 0, "{}", resumed.story());
        }
    }
}
