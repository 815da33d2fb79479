//! Runs that somebody tries to lead into two writable databases, into an unnoticed loss, or to a good word that is not
//! deserved.

use std::sync::Arc;
use std::time::Duration;

use dr_core::engine::{DriveEnd, News};
use dr_core::event::{DebtKind, Ending, Event, Mode, Request, Status};
use dr_core::model::{Agreeing, Fault, ModelStore, World};
use dr_core::resource::{Applied, Before, Cx, Effect, Prepared, Promote, Promotion, Roles, Urgency};
use dr_core::runbook::{Binding, Runbook};
use dr_core::{Error, Result, Side, async_trait};
use dr_testkit::{Rig, Run};

const PROMOTE: &str = "
phases:
  - name: promote
    within: 20s
    steps:
      - { fence: orders }
      - { promote: orders, accept_loss: 10s }
";

const GOOD: [DriveEnd; 4] = [
    DriveEnd::Ended(Ending::Succeeded),
    DriveEnd::Ended(Ending::OverBudget),
    DriveEnd::Ended(Ending::Recovered),
    DriveEnd::Ended(Ending::NothingToDo),
];

fn pair() -> (World, ModelStore) {
    let world = World::new(["east", "west"]);
    let orders = world.store("orders");
    (world, orders)
}

fn not_good(run: &Run) {
    assert!(!GOOD.contains(&run.driven.end), "{:?}: {}\n{}", run.driven.end, run.driven.text, run.story());
}

/// P14: a promotion that a plan calls optional.
#[tokio::test(start_paused = true)]
async fn an_optional_promotion_that_fails_is_no_success() {
    let (_world, orders) = pair();
    tokio::time::sleep(Duration::from_secs(60)).await;
    orders.kill("east");
    let plan = PROMOTE.replace("accept_loss: 10s", "accept_loss: 10s, optional: true");
    let run = Rig::new(orders.world(), &plan).unplanned().run().await;
    assert_eq!(orders.writable(), Vec::<Side>::new());
    not_good(&run);
    assert!(run.driven.state.nobody_can_write_since().is_some());
}

#[tokio::test(start_paused = true)]
async fn a_run_that_fenced_and_left_the_promotion_out_is_no_success() {
    let (world, orders) = pair();
    let plan = PROMOTE.replace("accept_loss: 10s", "accept_loss: 10s, when: planned");
    let run = Rig::new(&world, &plan).unplanned().run().await;
    assert_eq!(orders.writable(), Vec::<Side>::new());
    not_good(&run);
}

#[tokio::test(start_paused = true)]
async fn the_fence_of_a_third_side_is_no_ground_to_promote_beside_the_source() {
    let world = World::new(["east", "west", "x-north"]);
    let orders = world.store("orders");
    let plan = PROMOTE
        .replace("{ fence: orders }", "{ fence: orders, in: x-north }")
        .replace("10s }", "unknown, graceful_for: 1s }");
    let roles = Roles { source: "east".into(), target: "west".into() };
    let rig = Rig::new(&world, &plan).unplanned();
    let bound = Runbook::bind(rig.script().clone(), world.resources(), &Binding::new(roles));
    if bound.is_ok() {
        not_good(&rig.run().await);
    }
    assert_eq!(world.violations(), []);
    assert_eq!(orders.writable(), [Side::new("east")]);
}

#[tokio::test(start_paused = true)]
async fn a_declared_outage_that_began_before_the_last_commit_bounds_no_loss() {
    let (world, orders) = pair();
    orders.cut_replication(true);
    assert!(orders.write("none", 1), "an acknowledged row that the target has not");
    tokio::time::sleep(Duration::from_secs(300)).await;
    assert!(orders.write("none", 2), "and another, minutes later");
    orders.kill("east");
    let long_ago = world.env(1).now().minus(Duration::from_secs(7200));
    let rig = Rig::new(&world, PROMOTE).unplanned().with(|began| began.outage_since = Some(long_ago));
    let run = rig.run().await;
    not_good(&run);
    assert_eq!(orders.writable(), Vec::<Side>::new(), "five minutes are more than the plan accepts");
}

#[tokio::test(start_paused = true)]
async fn no_override_and_no_word_passes_over_the_roles() {
    for by_word in [false, true] {
        let (world, orders) = pair();
        orders.promote_by_hand("west");
        let mut rig = Rig::new(&world, PROMOTE).unplanned();
        if !by_word {
            rig = rig.overriding("check-roles:orders");
        }
        let (drive, controls) = rig.begin().await;
        if by_word {
            controls.ask(Request::Skip { step: "roles/check-roles:orders".into() });
        }
        let run = rig.rest(drive).await;
        not_good(&run);
        assert_eq!(world.requests(), 0, "{}", run.story());
    }
}

#[tokio::test(start_paused = true)]
async fn a_source_that_follows_nobody_is_not_done_already() {
    let (world, orders) = pair();
    let plan = format!("{PROMOTE}  - {{ name: protect, steps: [ {{ follow: orders }} ] }}");
    let run = Rig::new(&world, &plan).run().await;
    assert_eq!(run.driven.end, DriveEnd::Ended(Ending::Succeeded), "{}", run.story());
    orders.cut_replication(true);
    not_good(&Rig::new(&world, PROMOTE).run().await);
    orders.cut_replication(false);
    let run = Rig::new(&world, PROMOTE).run().await;
    assert_eq!(run.driven.end, DriveEnd::Ended(Ending::NothingToDo), "{}", run.story());
}

#[tokio::test(start_paused = true)]
async fn a_run_aborted_after_its_promotion_keeps_its_debts() {
    let (world, orders) = pair();
    world.fail("east", Fault::BlackHole);
    orders.kill("east");
    let plan = "
phases:
  - name: promote
    within: 20s
    steps:
      - { fence: orders, when_unreachable: { accept_after: 5m } }
      - { promote: orders, accept_loss: unknown }
  - { name: pause, within: 900s, steps: [ { wait: 600s } ] }
";
    let rig = Rig::new(&world, plan).unplanned().watched_by(Arc::new(Agreeing));
    let (drive, controls) = rig.begin().await;
    let (run, ()) = tokio::join!(rig.rest(drive), async {
        tokio::time::sleep(Duration::from_secs(60)).await;
        controls.ask(Request::Abort);
    });
    assert_eq!(run.driven.end, DriveEnd::Ended(Ending::Aborted), "{}", run.story());
    assert_eq!(orders.writable(), [Side::new("west")]);
    let owed: Vec<DebtKind> = run.driven.state.debts.iter().map(|debt| debt.kind).collect();
    assert!(owed.contains(&DebtKind::Guard) && owed.contains(&DebtKind::Replica), "{owed:?}");
}

#[tokio::test(start_paused = true)]
async fn one_promoted_store_does_not_hide_another_that_nobody_can_write() {
    let (world, orders) = pair();
    let users = world.store("users");
    tokio::time::sleep(Duration::from_secs(60)).await;
    users.kill("east");
    let plan = "
phases:
  - { name: fence, within: 20s, steps: [ { fence: orders }, { fence: users } ] }
  - name: promote
    within: 20s
    steps:
      - { promote: orders, accept_loss: 10s }
      - { promote: users, accept_loss: 10s }
";
    let run = Rig::new(&world, plan).unplanned().run().await;
    not_good(&run);
    assert_eq!(orders.writable(), [Side::new("west")]);
    assert_eq!(users.writable(), Vec::<Side>::new());
    assert!(run.driven.state.nobody_can_write_since().is_some());
}

#[tokio::test(start_paused = true)]
async fn an_optional_step_that_failed_is_not_told_to_be_so_already() {
    let world = World::new(["east", "west"]);
    let services = world.workloads("services", &["api"], 1);
    services.resource();
    world.fail("west", Fault::BlackHole);
    let plan = "
phases:
  - name: up
    within: 20s
    steps: [ { scale: services, in: target, replicas: 3, optional: true } ]
";
    let run = Rig::new(&world, plan).run().await;
    assert_ne!(run.driven.end, DriveEnd::Ended(Ending::NothingToDo), "{}", run.story());
}

/// A promotion that cannot say whether an earlier attempt of it acted.
#[derive(Debug)]
struct InDoubt(Arc<dyn Effect<Promote>>);

#[async_trait]
impl Effect<Promote> for InDoubt {
    async fn prepare(&self, cx: &Cx, call: &Promote) -> Result<Prepared> {
        self.0.prepare(cx, call).await
    }

    async fn apply(&self, cx: &Cx, call: &Promote, was: &Prepared) -> Result<Promotion> {
        match self.0.apply(cx, call, was).await {
            Err(error) if cx.attempt > 1 => {
                Err(Error::new(error.kind(), "the proof could not be taken").because(error))
            }
            other => other,
        }
    }

    async fn undo(&self, cx: &Cx, call: &Promote, was: &Before) -> Result<()> {
        self.0.undo(cx, call, was).await
    }
}

#[tokio::test(start_paused = true)]
async fn an_unplanned_promotion_that_is_tried_again_after_a_doubt_still_comes_to_its_end() {
    let (world, orders) = pair();
    orders.kill("east");
    let plan = PROMOTE.replace("10s }", "unknown, graceful_for: 2s }");
    let rig = Rig::new(&world, &plan).unplanned();
    let mut resources = world.resources();
    let resource = resources.remove("orders").expect("the store");
    let inner = resource.effect::<Promote>().expect("a promotion");
    resources.insert("orders".into(), resource.with::<Promote>(Arc::new(InDoubt(inner))));
    let roles = Roles { source: "east".into(), target: "west".into() };
    let runbook = Runbook::bind(rig.script().clone(), resources, &Binding::new(roles)).expect("bound");
    let mut cx = Cx::new("run".into(), "promote/fence:orders".into(), Duration::from_secs(60));
    cx.urgency = Urgency::Unplanned;
    cx.clock = world.env(1).clock();
    let applied = |name: &'static str, cx: Cx| {
        let action = Arc::clone(runbook.action(&name.into()).expect("an action"));
        async move {
            let was = action.prepare(&cx).await.expect("prepared");
            action.apply(&cx, &was).await
        }
    };
    let fenced: Applied = applied("promote/fence:orders", cx.clone()).await.expect("fenced");
    cx.earlier.leave("promote/fence:orders".into(), fenced.data);
    cx.attempt = 2;
    let promoted = applied("promote/promote:orders", cx).await;
    assert!(promoted.is_ok(), "{promoted:?}");
    assert_eq!(orders.writable(), [Side::new("west")]);
}

#[tokio::test(start_paused = true)]
async fn a_guard_does_not_fence_the_only_writer() {
    let (world, orders) = pair();
    let plan = "
phases: [ { name: guard, within: 600s, steps: [ { fence: orders, in: east, await_return: true } ] } ]
";
    let rig = Rig::new(&world, plan).unplanned().with(|began| began.mode = Mode::Guard);
    let run = rig.run().await;
    assert_eq!(orders.writable(), [Side::new("east")], "{}", run.story());
    not_good(&run);
}

#[tokio::test(start_paused = true)]
async fn a_guard_fences_a_writer_beside_another() {
    let (world, orders) = pair();
    orders.promote_by_hand("west");
    let plan = "
phases: [ { name: guard, within: 600s, steps: [ { fence: orders, in: east, await_return: true } ] } ]
";
    let rig = Rig::new(&world, plan).unplanned().with(|began| began.mode = Mode::Guard);
    let run = rig.run().await;
    assert_eq!(orders.writable(), [Side::new("west")], "{}", run.story());
}

#[tokio::test(start_paused = true)]
async fn a_step_for_unplanned_runs_is_taken_by_a_run_that_is_resumed_as_unplanned() {
    let (world, _orders) = pair();
    world.service("shop", &world.traffic("entry", Duration::from_secs(1)), None, None);
    let plan = "
phases:
  - { name: first, within: 20s, steps: [ { wait: 5s } ] }
  - { name: hurry, within: 20s, steps: [ { wait: 1s, id: hurry, when: unplanned } ] }
";
    let rig = Rig::new(&world, plan);
    let (drive, controls) = rig.begin().await;
    let _ = tokio::join!(rig.rest(drive), async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        controls.interrupt();
    });
    let (drive, controls) = rig.begin_again().await;
    controls.ask(Request::GoUnplanned);
    let run = rig.rest(drive).await;
    let skipped = run.count(|event| matches!(event, Event::Skipped { .. }));
    assert_eq!(skipped, 0, "{}", run.story());
    assert_eq!(run.driven.end, DriveEnd::Ended(Ending::Succeeded), "{}", run.story());
}

#[tokio::test(start_paused = true)]
async fn a_fenced_side_that_was_opened_behind_the_run_is_told_at_its_end() {
    let (world, orders) = pair();
    let plan = format!("{PROMOTE}  - {{ name: pause, within: 60s, steps: [ {{ wait: 10s }} ] }}");
    let rig = Rig::new(&world, &plan);
    let (drive, _controls) = rig.begin().await;
    let (run, ()) = tokio::join!(rig.rest(drive), async {
        tokio::time::sleep(Duration::from_secs(5)).await;
        orders.start_by_force("east");
    });
    assert_eq!(orders.writable().len(), 2);
    assert_eq!(run.driven.end, DriveEnd::Ended(Ending::Recovered), "{}", run.story());
    assert!(run.driven.text.contains("TWO WRITABLE SIDES"), "{}", run.driven.text);
}

const WITH_CALLERS: &str = "
phases:
  - name: promote
    within: 20s
    steps:
      - { fence: orders }
      - { promote: orders, accept_loss: 10s }
  - { name: pause, within: 60s, steps: [ { wait: 10s } ] }
  - { name: dns, within: 60s, steps: [ { route: entry } ] }
";

#[tokio::test(start_paused = true)]
async fn callers_are_moved_though_the_fence_breaks_after_the_last_promotion() {
    let (world, _orders) = pair();
    let entry = world.traffic("entry", Duration::from_secs(1));
    let rig = Rig::new(&world, WITH_CALLERS);
    let (drive, controls) = rig.begin().await;
    let (run, ()) = tokio::join!(rig.rest(drive), async {
        tokio::time::sleep(Duration::from_secs(5)).await;
        controls.tell(News::BrokenFence("east acknowledged a write".to_owned()));
    });
    drop(entry);
    assert_eq!(run.step("dns/route:entry").status, Status::Succeeded, "{}", run.story());
    not_good(&run);
    assert!(run.driven.text.contains("acknowledged a write"), "{}", run.driven.text);
}

#[tokio::test(start_paused = true)]
async fn a_fence_that_the_run_lifts_itself_is_not_told_as_broken() {
    let (world, orders) = pair();
    tokio::time::sleep(Duration::from_secs(60)).await;
    let plan = "
phases:
  - { name: fence, within: 20s, steps: [ { fence: orders } ] }
  - { name: look, within: 2s, steps: [ { observe: orders, in: target, expect: { role: primary } } ] }
  - { name: promote, within: 20s, steps: [ { promote: orders } ] }
";
    let rig = Rig::new(&world, plan);
    let (drive, controls) = rig.begin().await;
    let watch = async {
        while orders.writable().is_empty() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    let (run, ()) = tokio::join!(rig.rest(drive), async {
        tokio::time::sleep(Duration::from_millis(70)).await;
        watch.await;
        controls.tell(News::BrokenFence("east acknowledged a write".to_owned()));
    });
    assert_eq!(run.driven.end, DriveEnd::Ended(Ending::RolledBack), "{}", run.story());
    assert_eq!(run.count(|event| matches!(event, Event::FenceBroken { .. })), 0);
    assert_eq!(orders.writable(), [Side::new("east")]);
}
