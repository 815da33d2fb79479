//! What people say to a running run.

use std::time::Duration;

use dr_core::ErrorKind;
use dr_core::engine::DriveEnd;
use dr_core::event::{Ending, Event, Request, Status, Suspension};
use dr_testkit::decorate::{Called, Recorder, Schedule, Trouble};
use dr_testkit::model::Fault;
use dr_testkit::{Controls, Rig, Run, settled};

use super::support::{MOVE, PROMOTE, SCALES, Shop, ended, said, says, shop, suspended};

async fn with(rig: &Rig, say: impl AsyncFnOnce(&Controls)) -> Run {
    let (drive, controls) = rig.begin().await;
    let (run, ()) = tokio::join!(rig.rest(drive), say(&controls));
    run
}

/// Its process is interrupted twice at once, as if it had died: what is in flight is dropped.
async fn dies_after(rig: &Rig, after: Duration) -> Run {
    with(rig, async |controls| {
        tokio::time::sleep(after).await;
        controls.interrupt();
        controls.interrupt();
    })
    .await
}

const ASKS: &str = "
phases:
  - { name: one, within: 60s, steps: [ { approve: 'go on?', id: first } ] }
  - { name: two, within: 60s, after: [], steps: [ { approve: 'and this?', id: second } ] }
";

fn approve(rig: &Rig, step: &str) -> Request {
    Request::Approve { step: step.into(), plan_hash: rig.plan_hash().to_owned() }
}

/// P26: two approvals are pending, one is given.
#[tokio::test(start_paused = true)]
async fn an_approval_lets_its_own_step_pass_and_no_other() {
    let shop = shop();
    let rig = Rig::new(&shop.world, ASKS);
    let run = with(&rig, async |controls| {
        tokio::time::sleep(Duration::from_secs(1)).await;
        controls.ask(approve(&rig, "two/second"));
    })
    .await;
    ended(&run, Ending::Refused);
    assert_eq!(run.step("two/second").status, Status::Succeeded);
    assert_eq!(run.step("one/first").status, Status::Failed);
    let by = run.driven.state.approvals.get("two/second").map(|actor| actor.name.clone());
    assert_eq!(by.as_deref(), Some("tester"));
    assert_eq!(said(&run, "two/second"), "approved by tester from the test kit");
}

#[tokio::test(start_paused = true)]
async fn a_word_that_was_given_before_it_was_asked_for_counts() {
    let shop = shop();
    let plan = "
phases:
  - { name: one, within: 60s, steps: [ { wait: 30s } ] }
  - { name: two, within: 60s, steps: [ { approve: 'and this?', id: second } ] }
";
    let rig = Rig::new(&shop.world, plan);
    let run = with(&rig, async |controls| {
        tokio::time::sleep(Duration::from_secs(1)).await;
        controls.ask(approve(&rig, "two/second"));
    })
    .await;
    ended(&run, Ending::Succeeded);
    assert!(run.step("two/second").was_already(), "{}", run.story());
}

/// P26: an approval with another plan's hash.
#[tokio::test(start_paused = true)]
async fn an_approval_of_another_plan_is_ignored() {
    let shop = shop();
    let rig = Rig::new(&shop.world, ASKS);
    let run = with(&rig, async |controls| {
        for step in ["one/first", "two/second"] {
            controls.ask(Request::Approve { step: step.into(), plan_hash: "another".to_owned() });
        }
    })
    .await;
    ended(&run, Ending::Refused);
    assert_eq!(run.step("one/first").status, Status::Failed);
}

#[tokio::test(start_paused = true)]
async fn the_first_interrupt_finishes_what_is_in_flight_and_begins_nothing() {
    for after in (0..2_000).step_by(25) {
        let shop = shop();
        let rig = Rig::new(&shop.world, SCALES);
        let run = with(&rig, async |controls| {
            tokio::time::sleep(Duration::from_millis(after)).await;
            controls.interrupt();
        })
        .await;
        if let DriveEnd::Ended(ending) = run.driven.end {
            assert_eq!(ending, Ending::Succeeded);
            continue;
        }
        suspended(&run, Suspension::Interrupted);
        let open = run.driven.state.steps.values().filter(|step| step.status == Status::Started).count();
        assert_eq!(open, 0, "{}", run.story());
        ended(&rig.resume().await, Ending::Succeeded);
        assert_eq!(shop.entry.side(), Some("west".into()));
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_is_begun_after_an_interrupt() {
    for after in 0..30 {
        let shop = shop();
        let rig = Rig::new(&shop.world, SCALES);
        let began = tokio::time::Instant::now();
        let mut interrupted = Duration::ZERO;
        let run = with(&rig, async |controls| {
            tokio::time::sleep(Duration::from_millis(after)).await;
            interrupted = began.elapsed();
            controls.interrupt();
        })
        .await;
        suspended(&run, Suspension::Interrupted);
        for entry in &run.entries {
            let begun = matches!(entry.event, Event::Started { .. });
            let before = u128::from(entry.elapsed_ms) <= interrupted.as_millis();
            assert!(!begun || before, "after {interrupted:?}: {}", run.story());
        }
    }
}

/// A step that is looked at when a person ends the run is not begun, not even one that would find nothing to do.
#[tokio::test(start_paused = true)]
async fn an_abort_or_an_interrupt_begins_nothing_that_is_so_already() {
    const UP: &str = "up/scale:services";
    for abort in [true, false] {
        let shop = shop();
        shop.services.scale_by_hand("west", 3);
        let slow = Schedule::new().at(UP, Called::Prepare, 1..=1, Trouble::Late(Duration::from_secs(1)));
        let rig = Rig::new(&shop.world, SCALES).in_trouble(&slow);
        let run = with(&rig, async |controls| {
            tokio::time::sleep(Duration::from_millis(300)).await;
            if abort { controls.ask(Request::Abort) } else { controls.interrupt() }
        })
        .await;
        if abort {
            ended(&run, Ending::Aborted)
        } else {
            suspended(&run, Suspension::Interrupted)
        }
        assert_eq!(run.step(UP).status, Status::Pending, "{}", run.story());
    }
}

#[tokio::test(start_paused = true)]
async fn the_second_interrupt_stops_at_once_and_can_be_resumed() {
    let shop = shop();
    let rig = Rig::new(&shop.world, MOVE);
    let run = dies_after(&rig, Duration::from_millis(560)).await;
    suspended(&run, Suspension::Interrupted);
    assert!(run.driven.state.steps.values().any(|step| step.status == Status::Started), "{}", run.story());
    ended(&rig.resume().await, Ending::Succeeded);
    assert_eq!(shop.world.violations(), []);
}

#[tokio::test(start_paused = true)]
async fn an_abort_before_the_point_of_no_return_puts_everything_back() {
    for after in (0..1_000).step_by(50) {
        let shop = shop();
        let before = shop.world.snapshot();
        let rig = Rig::new(&shop.world, SCALES);
        let run = with(&rig, async |controls| {
            tokio::time::sleep(Duration::from_millis(after)).await;
            controls.ask(Request::Abort);
        })
        .await;
        ended(&run, Ending::Aborted);
        assert_eq!(settled(&shop.world).await, before, "after {after} ms: {}", run.story());
    }
}

#[tokio::test(start_paused = true)]
async fn an_abort_after_the_point_of_no_return_stops_and_undoes_nothing() {
    let shop = shop();
    let rig = Rig::new(&shop.world, MOVE);
    let run = with(&rig, async |controls| {
        tokio::time::sleep(Duration::from_secs(1)).await;
        controls.ask(Request::Abort);
    })
    .await;
    ended(&run, Ending::Aborted);
    assert_eq!(run.count(|event| matches!(event, Event::UndoStarted { .. })), 0);
    assert_eq!(shop.orders.writable(), ["west".into()]);
}

/// P30: one store is promoted and another's promotion is in doubt and did not happen when a person ends the run.
/// Found: it was held for ever.
#[tokio::test(start_paused = true)]
async fn a_run_of_two_stores_that_died_between_them_is_ended_and_says_which_nobody_can_write() {
    let shop = shop();
    let users = shop.world.store("users");
    users.stall_promotions(Duration::from_secs(2_000));
    let plan = "
phases:
  - { name: fence, within: 20s, steps: [ { fence: orders }, { fence: users } ] }
  - { name: promote, within: 60s, steps: [ { promote: orders }, { promote: users } ] }
";
    let rig = Rig::new(&shop.world, plan);
    let run = dies_after(&rig, Duration::from_secs(5)).await;
    suspended(&run, Suspension::Interrupted);
    let (drive, controls) = rig.begin_again().await;
    controls.ask(Request::Abort);
    let run = rig.rest(drive).await;
    ended(&run, Ending::Aborted);
    assert!(run.driven.text.contains("NOBODY CAN WRITE"), "{}", run.driven.text);
    settled(&shop.world).await;
    assert_eq!((shop.orders.writable(), users.writable()), (vec!["west".into()], vec![]));
}

/// P30: the process dies while it waits for a side that is silent, and a person ends the run when the side is back.
/// Found: what the side was before was never read, and the run stayed stuck for ever.
#[tokio::test(start_paused = true)]
async fn a_run_that_died_before_a_silent_side_can_be_ended_once_it_answers() {
    let shop = shop();
    let before = shop.world.snapshot();
    shop.world.fail("east", Fault::BlackHole);
    let plan = PROMOTE.replace("fence: orders", "fence: orders, when_unreachable: { accept_after: 10m }");
    let rig = Rig::new(&shop.world, &plan).unplanned();
    let run = dies_after(&rig, Duration::from_secs(8)).await;
    suspended(&run, Suspension::Interrupted);
    let (drive, controls) = rig.begin_again().await;
    controls.ask(Request::Abort);
    suspended(&rig.rest(drive).await, Suspension::Stuck);
    shop.world.heal("east");
    ended(&rig.resume().await, Ending::Aborted);
    assert_eq!(settled(&shop.world).await, before);
}

/// The same, where the side answers again before the run goes on: the attempt that fences it reads what was before.
/// Found: only the first attempt's look counted, which had read nothing, and the run stayed stuck for ever.
#[tokio::test(start_paused = true)]
async fn a_fence_that_a_later_attempt_set_is_put_back_to_what_that_attempt_read() {
    let shop = shop();
    let before = shop.world.snapshot();
    shop.world.fail("east", Fault::BlackHole);
    let plan = PROMOTE.replace("fence: orders", "fence: orders, when_unreachable: { accept_after: 10m }");
    let never = Trouble::Fails(ErrorKind::Unauthorized);
    let never = Schedule::new().at("promote/promote:orders", Called::Apply, 1..=u32::MAX, never);
    let rig = Rig::new(&shop.world, &plan).unplanned().in_trouble(&never);
    suspended(&dies_after(&rig, Duration::from_secs(8)).await, Suspension::Interrupted);
    shop.world.heal("east");
    let run = rig.resume().await;
    suspended(&run, Suspension::Held);
    assert_eq!(run.step("promote/fence:orders").status, Status::Succeeded);
    let (drive, controls) = rig.begin_again().await;
    controls.ask(Request::Abort);
    ended(&rig.rest(drive).await, Ending::Aborted);
    assert_eq!(settled(&shop.world).await, before);
}

/// P21 and P30: a process dies at any moment of a move, the middle of its promotion among them, and a person ends the run.
/// Found: a run that died with its promotion's intent durable was held for ever, by abort and by resume.
#[tokio::test(start_paused = true)]
async fn a_run_that_died_at_any_moment_is_brought_to_its_end_by_an_abort() {
    let mut looked = false;
    for (after, unplanned) in (0..3_000).step_by(20).flat_map(|after| [(after, false), (after, true)]) {
        let shop = shop();
        let before = shop.world.snapshot();
        let rig = Rig::new(&shop.world, MOVE);
        let rig = if unplanned { rig.unplanned() } else { rig };
        let run = dies_after(&rig, Duration::from_millis(after)).await;
        let DriveEnd::Suspended(Suspension::Interrupted) = run.driven.end else { continue };
        let (drive, controls) = rig.begin_again().await;
        controls.ask(Request::Abort);
        let run = rig.rest(drive).await;
        ended(&run, Ending::Aborted);
        assert_eq!(shop.world.violations(), [], "after {after} ms: {}", run.story());
        assert_eq!(shop.orders.writable().len(), 1, "after {after} ms: {}", run.story());
        if shop.orders.writable() != ["west".into()] {
            assert_eq!(settled(&shop.world).await, before, "after {after} ms: {}", run.story());
        }
        looked |= run.count(|event| matches!(event, Event::Settled { .. })) > 0;
    }
    assert!(looked, "none of them died in the middle of the promotion");
}

/// What an abort comes to when a process died while a promotion is pending for so long.
async fn aborted_while_pending(shop: &Shop, stalled: u64) -> (Rig, Run) {
    shop.orders.stall_promotions(Duration::from_secs(stalled));
    let rig = Rig::new(&shop.world, PROMOTE);
    let run = dies_after(&rig, Duration::from_secs(5)).await;
    suspended(&run, Suspension::Interrupted);
    assert_eq!(run.step("promote/promote:orders").status, Status::Started, "{}", run.story());
    let (drive, controls) = rig.begin_again().await;
    controls.ask(Request::Abort);
    let run = rig.rest(drive).await;
    (rig, run)
}

#[tokio::test(start_paused = true)]
async fn an_abort_cancels_a_promotion_that_is_pending_and_puts_everything_back() {
    let shop = shop();
    let before = shop.world.snapshot();
    let (_, run) = aborted_while_pending(&shop, 2_000).await;
    ended(&run, Ending::Aborted);
    tokio::time::sleep(Duration::from_secs(3_000)).await;
    assert_eq!((shop.world.snapshot(), shop.world.violations()), (before, vec![]));
}

/// P36: what cannot be cancelled may still take effect: the run is held, and ends as soon as that is known.
#[tokio::test(start_paused = true)]
async fn an_abort_waits_for_a_promotion_that_cannot_be_cancelled() {
    let shop = shop();
    shop.orders.lose_control();
    let (rig, run) = aborted_while_pending(&shop, 200).await;
    suspended(&run, Suspension::Held);
    suspended(&rig.resume().await, Suspension::Held);
    tokio::time::sleep(Duration::from_secs(300)).await;
    ended(&rig.resume().await, Ending::Aborted);
    assert_eq!((shop.orders.writable(), shop.world.violations()), (vec!["west".into()], vec![]));
}

#[tokio::test(start_paused = true)]
async fn a_step_is_left_out_by_a_persons_word_but_never_a_fence() {
    let shop = shop();
    let rig = Rig::new(&shop.world, MOVE);
    let run = with(&rig, async |controls| {
        controls.ask(Request::Skip { step: "promote/fence:orders".into() });
        controls.ask(Request::Skip { step: "dns/route:entry".into() });
        controls.ask(Request::Skip { step: "verify/probe:shop".into() });
    })
    .await;
    ended(&run, Ending::Succeeded);
    assert_eq!(run.step("promote/fence:orders").status, Status::Succeeded);
    assert_eq!(run.step("dns/route:entry").status, Status::Skipped);
    assert_eq!(shop.entry.side(), Some("east".into()));
}

#[tokio::test(start_paused = true)]
async fn a_run_that_goes_on_as_unplanned_leaves_planned_gates_out_also_after_a_crash() {
    let shop = shop();
    let plan = "
phases:
  - { name: gate, within: 60s, steps: [ { wait: 30s, when: planned } ] }
  - { name: move, within: 60s, steps: [ { route: entry } ] }
";
    let rig = Rig::new(&shop.world, plan);
    let run = with(&rig, async |controls| {
        tokio::time::sleep(Duration::from_secs(1)).await;
        controls.ask(Request::GoUnplanned);
        tokio::time::sleep(Duration::from_secs(1)).await;
        controls.interrupt();
        controls.interrupt();
    })
    .await;
    suspended(&run, Suspension::Interrupted);
    let run = rig.resume().await;
    ended(&run, Ending::Succeeded);
    assert_eq!(run.step("gate/wait").status, Status::Skipped);
}

/// A person says that a step was done by hand: it is looked at, and where the world says otherwise nothing is done in its
/// place, for nobody asked for that.
#[tokio::test(start_paused = true)]
async fn a_step_that_a_person_called_done_is_looked_at_and_never_carried_out() {
    const LAST: &str = "down/last";
    for done_by_hand in [false, true] {
        let shop = shop();
        let recorder = Recorder::new();
        let refused = Schedule::new().at(LAST, Called::Apply, 1..=1, Trouble::Fails(ErrorKind::Unauthorized));
        let noted = recorder.clone();
        let rig = Rig::new(&shop.world, SCALES)
            .unplanned()
            .in_trouble(&refused)
            .wrapped(move |step, action| noted.on(step, action));
        suspended(&rig.run().await, Suspension::Held);
        if done_by_hand {
            shop.services.scale_by_hand("east", 5);
        }
        let before = recorder.count(LAST, Called::Apply);
        let (drive, controls) = rig.begin_again().await;
        controls.ask(Request::Done { step: LAST.into() });
        let run = rig.rest(drive).await;
        let after = recorder.count(LAST, Called::Apply);
        if done_by_hand {
            ended(&run, Ending::Succeeded);
        } else {
            suspended(&run, Suspension::Held);
            says(&run, "it was said to be done, and the world says otherwise");
            assert_eq!(after, before, "{}", run.story());
        }
    }
}
