//! Outcomes that are not known, and the point of no return.

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use dr_core::engine::DriveEnd;
use dr_core::event::{DebtKind, Ending, Entry, Event, Found, Request, Seq, Suspension};
use dr_core::journal::{Durability, Journal, JournalError, Line, MemoryJournal};
use dr_core::resource::{Action, Applied, Before, Class, Cx, Prepared};
use dr_core::{ErrorKind, async_trait};
use dr_testkit::decorate::{Called, Recorder, Schedule, Trouble};
use dr_testkit::model::{Agreeing, Fault};
use dr_testkit::{Rig, Run};
use serde_json::Value;

use super::support::{MOVE, PROMOTE, SCALES, Shop, ended, once_begun, says, shop, suspended};

fn always(step: &str, trouble: Trouble) -> Schedule {
    Schedule::new().at(step, Called::Apply, 1..=u32::MAX, trouble)
}

/// P15: the reply of each verb in turn is lost after it took effect.
#[tokio::test(start_paused = true)]
async fn every_lost_reply_is_read_again_and_ends_in_success() {
    let shop = shop();
    let run = Rig::new(&shop.world, MOVE)
        .in_trouble(&Schedule::new().everywhere(Called::Apply, 1..=1, Trouble::LostReply))
        .run()
        .await;
    ended(&run, Ending::Succeeded);
    assert_eq!(shop.world.violations(), []);
}

/// P15: a call that hangs after acting.
#[tokio::test(start_paused = true)]
async fn a_call_that_acts_and_never_returns_is_settled_as_done() {
    let shop = shop();
    let run = Rig::new(&shop.world, SCALES)
        .in_trouble(&Schedule::new().at(
            "move/route:entry",
            Called::Apply,
            1..=1,
            Trouble::CutAfter(Duration::from_millis(1)),
        ))
        .run()
        .await;
    ended(&run, Ending::Succeeded);
    assert_eq!(run.count(|event| matches!(event, Event::Settled { found: Found::Done, .. })), 1);
    assert_eq!(shop.entry.side(), Some("west".into()));
}

/// P3: a forced promotion is pending when its attempt's time is over, and the next attempt finds it under way.
/// Found: the next attempt, which tries for the planned proof first, joined it and said that nothing was lost.
#[tokio::test(start_paused = true)]
async fn a_forced_promotion_that_the_next_attempt_joins_claims_no_zero_loss() {
    let shop = shop();
    shop.orders.cut_replication(true);
    shop.orders.stall_promotions(Duration::from_secs(15));
    let run = Rig::new(&shop.world, PROMOTE).unplanned().run().await;
    ended(&run, Ending::Recovered);
    assert!(run.step("promote/promote:orders").attempts > 1, "{}", run.story());
    let applied = run.step("promote/promote:orders").applied.clone().expect("a promotion");
    assert!(!applied.said.contains("nothing lost"), "{}", applied.said);
}

const ON_SILENCE: &str = "
phases:
  - name: promote
    within: 60s
    steps:
      - { fence: orders, when_unreachable: { accept_after: 5m } }
      - { promote: orders, accept_loss: 10m }
";

/// Its process dies five seconds after the intent of the promotion, which takes thirty.
async fn dies_in_its_promotion(shop: &Shop, rig: &Rig) -> Run {
    shop.orders.stall_promotions(Duration::from_secs(30));
    let (drive, controls) = rig.begin().await;
    let (dead, ()) = tokio::join!(rig.rest(drive), async {
        once_begun(rig, "promote/promote:orders").await;
        tokio::time::sleep(Duration::from_secs(5)).await;
        controls.interrupt();
        controls.interrupt();
    });
    dead
}

/// P34: the process dies while a forced promotion is under way, and the target, as RDS, no longer tells what it has.
/// Found: the next drive refused a loss that it could not learn any more, and held a run whose callers were served.
#[tokio::test(start_paused = true)]
async fn a_resume_waits_for_a_promotion_that_a_dead_process_asked_for() {
    let shop = shop();
    shop.world.fail("east", Fault::BlackHole);
    shop.orders.kill("east");
    let rig = Rig::new(&shop.world, ON_SILENCE).unplanned().watched_by(Arc::new(Agreeing));
    let dead = dies_in_its_promotion(&shop, &rig).await;
    suspended(&dead, Suspension::Interrupted);
    assert_eq!(shop.orders.writable(), [], "{}", dead.story());
    let run = rig.resume().await;
    ended(&run, Ending::Recovered);
    assert_eq!(shop.orders.writable(), ["west".into()]);
    assert_eq!(shop.world.violations(), []);
    let applied = run.step("promote/promote:orders").applied.clone().expect("a promotion");
    assert!(!applied.said.contains("nothing lost"), "{}", applied.said);
}

/// P7 and P21: a promotion has happened and was not heard, and the source is back and open, from behind an accepted silence
/// or a fence that somebody lifted.
/// Found: no resume could record it, for its ground was gone, and no abort could end the run.
#[tokio::test(start_paused = true)]
async fn a_promotion_that_has_happened_and_cannot_be_heard_any_more_keeps_no_run_open() {
    for silent in [true, false] {
        let shop = shop();
        if silent {
            shop.world.fail("east", Fault::BlackHole);
        }
        let rig = Rig::new(&shop.world, ON_SILENCE).unplanned().watched_by(Arc::new(Agreeing));
        suspended(&dies_in_its_promotion(&shop, &rig).await, Suspension::Interrupted);
        dr_testkit::settled(&shop.world).await;
        shop.world.heal("east");
        shop.orders.start_by_force("east");
        let held = rig.resume().await;
        suspended(&held, Suspension::Held);
        says(&held, "east is not fenced");
        let (drive, controls) = rig.begin_again().await;
        controls.ask(Request::Abort);
        let run = rig.rest(drive).await;
        ended(&run, Ending::Aborted);
        says(&run, "promote/promote:orders has happened, and what it left could not be learnt");
        assert!(!run.driven.text.contains("NOBODY CAN WRITE"), "{}", run.driven.text);
        let debts = run.driven.state.debts.iter();
        let owed: Vec<_> = debts.map(|debt| (debt.kind, debt.side.as_str())).collect();
        assert_eq!(owed, [(DebtKind::Guard, "east")], "{}", run.story());
    }
}

/// The promotion of one store that was found done does not hide another that nobody can write.
#[tokio::test(start_paused = true)]
async fn an_abort_tells_of_a_store_that_nobody_can_write_beside_one_whose_promotion_has_happened() {
    let shop = shop();
    shop.world.store("users");
    let plan = ON_SILENCE.replace("      - { promote", "      - { fence: users }\n      - { promote");
    let later = "  - { name: later, within: 60s, steps: [ { promote: users, accept_loss: 10m } ] }";
    let rig = Rig::new(&shop.world, &format!("{plan}{later}")).unplanned();
    suspended(&dies_in_its_promotion(&shop, &rig).await, Suspension::Interrupted);
    dr_testkit::settled(&shop.world).await;
    shop.orders.start_by_force("east");
    suspended(&rig.resume().await, Suspension::Held);
    let (drive, controls) = rig.begin_again().await;
    controls.ask(Request::Abort);
    let run = rig.rest(drive).await;
    ended(&run, Ending::Aborted);
    says(&run, "promote/promote:orders has happened");
    says(&run, "NOBODY CAN WRITE since");
}

#[tokio::test(start_paused = true)]
async fn a_lost_reply_of_a_forced_promotion_ends_in_success_and_claims_no_zero_loss() {
    let shop = shop();
    shop.orders.kill("east");
    let run = Rig::new(&shop.world, PROMOTE)
        .unplanned()
        .in_trouble(&Schedule::new().at("promote/promote:orders", Called::Apply, 1..=1, Trouble::LostReply))
        .run()
        .await;
    ended(&run, Ending::Recovered);
    let applied = run.step("promote/promote:orders").applied.clone().expect("a promotion");
    assert!(!applied.said.contains("nothing lost"), "{}", applied.said);
}

/// P36: the request takes effect after the run gave up waiting.
#[tokio::test(start_paused = true)]
async fn a_promotion_that_is_pending_after_its_deadline_never_makes_two_writable() {
    for planned in [true, false] {
        let shop = shop();
        shop.orders.stall_promotions(Duration::from_secs(200));
        let rig = Rig::new(&shop.world, PROMOTE);
        let run = if planned { rig.run().await } else { rig.unplanned().run().await };
        assert!(!matches!(run.driven.end, DriveEnd::Ended(Ending::Succeeded)), "{}", run.story());
        dr_testkit::settled(&shop.world).await;
        assert_eq!(shop.world.violations(), [], "{}", run.story());
        assert!(shop.orders.writable().len() <= 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_pending_promotion_that_cannot_be_cancelled_is_held() {
    let shop = shop();
    shop.orders.stall_promotions(Duration::from_secs(2_000));
    shop.orders.lose_control();
    let run = Rig::new(&shop.world, PROMOTE).run().await;
    suspended(&run, Suspension::Held);
    tokio::time::sleep(Duration::from_secs(3_000)).await;
    assert_eq!(shop.world.violations(), []);
}

#[tokio::test(start_paused = true)]
async fn a_held_promotion_that_took_effect_meanwhile_is_found_by_resume() {
    let shop = shop();
    shop.orders.stall_promotions(Duration::from_secs(200));
    shop.orders.lose_control();
    let rig = Rig::new(&shop.world, MOVE);
    suspended(&rig.run().await, Suspension::Held);
    tokio::time::sleep(Duration::from_secs(300)).await;
    let run = rig.resume().await;
    ended(&run, Ending::Succeeded);
    assert_eq!(shop.world.violations(), []);
}

#[tokio::test(start_paused = true)]
async fn a_promotion_that_provably_did_not_happen_lets_a_planned_run_go_back() {
    let shop = shop();
    let before = shop.world.snapshot();
    let run = Rig::new(&shop.world, PROMOTE)
        .in_trouble(&always("promote/promote:orders", Trouble::Fails(ErrorKind::Unauthorized)))
        .run()
        .await;
    ended(&run, Ending::RolledBack);
    assert_eq!(dr_testkit::settled(&shop.world).await, before);
}

#[tokio::test(start_paused = true)]
async fn a_doubtful_step_that_cannot_be_looked_at_when_resumed_stays_in_doubt() {
    let shop = shop();
    let in_doubt = always("up/scale:services", Trouble::InDoubt(ErrorKind::Unauthorized));
    let rig = Rig::new(&shop.world, SCALES).unplanned().in_trouble(&in_doubt);
    let first = rig.run().await;
    suspended(&first, Suspension::Held);
    shop.world.fail("west", dr_testkit::model::Fault::Denied);
    suspended(&rig.resume().await, Suspension::Held);
    suspended(&rig.resume().await, Suspension::Held);
}

#[tokio::test(start_paused = true)]
async fn a_target_that_falls_silent_after_its_promotion_was_asked_for_is_no_proof_that_it_was_not() {
    for again in [false, true] {
        let shop = shop();
        shop.orders.stall_promotions(Duration::from_secs(2));
        let rig = Rig::new(&shop.world, PROMOTE);
        let (drive, controls) = rig.begin().await;
        let (run, ()) = tokio::join!(rig.rest(drive), async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            shop.orders.fail("west", dr_testkit::model::Fault::BlackHole);
            if again {
                controls.interrupt();
                controls.interrupt();
            }
        });
        let run = if again { rig.resume().await } else { run };
        suspended(&run, Suspension::Held);
        shop.orders.heal("west");
        dr_testkit::settled(&shop.world).await;
        assert_eq!(shop.world.violations(), [], "{}", run.story());
    }
}

#[tokio::test(start_paused = true)]
async fn a_pending_promotion_of_a_planned_run_is_cancelled_and_everything_put_back() {
    let shop = shop();
    let before = shop.world.snapshot();
    shop.orders.stall_promotions(Duration::from_secs(2_000));
    let run = Rig::new(&shop.world, PROMOTE).run().await;
    ended(&run, Ending::RolledBack);
    assert_eq!(run.count(|event| matches!(event, Event::Settled { found: Found::Cancelled, .. })), 1);
    tokio::time::sleep(Duration::from_secs(3_000)).await;
    assert_eq!((shop.world.snapshot(), shop.world.violations()), (before, vec![]));
}

/// A planned run of two stores may go back as long as none has crossed; once the first is promoted, the second's promotion
/// is waited for and never cancelled: going back would leave one of them on each side.
#[tokio::test(start_paused = true)]
async fn a_pending_promotion_beside_one_that_has_happened_is_not_cancelled() {
    let shop = shop();
    let users = shop.world.store("users");
    users.stall_promotions(Duration::from_secs(2_000));
    let plan = "
phases:
  - { name: fence, within: 20s, steps: [ { fence: orders }, { fence: users } ] }
  - { name: first, within: 20s, steps: [ { promote: orders } ] }
  - { name: second, within: 20s, steps: [ { promote: users } ] }
";
    let run = Rig::new(&shop.world, plan).run().await;
    suspended(&run, Suspension::Held);
    assert_eq!(run.count(|event| matches!(event, Event::Settled { found: Found::Cancelled, .. })), 0);
    tokio::time::sleep(Duration::from_secs(3_000)).await;
    assert_eq!((users.writable(), shop.orders.writable()), (vec!["west".into()], vec!["west".into()]));
    assert_eq!(shop.world.violations(), []);
}

/// An action whose place cannot be read, and that would change it all the same.
#[derive(Debug)]
struct Unreadable(Arc<dyn Action>);

#[async_trait]
impl Action for Unreadable {
    fn verb(&self) -> &str {
        self.0.verb()
    }

    fn class(&self) -> Class {
        self.0.class()
    }

    fn call(&self) -> Value {
        self.0.call()
    }

    async fn prepare(&self, cx: &Cx) -> dr_core::Result<Prepared> {
        let seen = self.0.prepare(cx).await?;
        Ok(Prepared::unknown("half an answer", seen.before))
    }

    async fn apply(&self, cx: &Cx, was: &Prepared) -> dr_core::Result<Applied> {
        self.0.apply(cx, was).await
    }

    async fn undo(&self, cx: &Cx, was: &Before) -> dr_core::Result<()> {
        self.0.undo(cx, was).await
    }

    fn reads(&self) -> RangeInclusive<u32> {
        self.0.reads()
    }
}

#[tokio::test(start_paused = true)]
async fn what_could_not_be_read_is_not_overwritten_for_it_could_not_be_put_back() {
    for planned in [true, false] {
        let shop = shop();
        let recorder = Recorder::new();
        let notes = recorder.clone();
        let rig = Rig::new(&shop.world, SCALES).wrapped(move |step, action| {
            let action = notes.on(step, action);
            if step.as_str() == "up/scale:services" { Arc::new(Unreadable(action)) } else { action }
        });
        let run = if planned { rig.run().await } else { rig.unplanned().run().await };
        says(&run, "what is there could not be read: half an answer");
        assert_eq!(recorder.count("up/scale:services", Called::Apply), 0, "{}", run.story());
    }
}

/// A journal whose ownership is a lease that never has more than so much left.
#[derive(Debug)]
struct Leased(MemoryJournal, Duration);

#[async_trait]
impl Journal for Leased {
    async fn append(&mut self, batch: &[Entry], how: Durability) -> Result<(), JournalError> {
        self.0.append(batch, how).await
    }

    async fn read(&self, from: Seq) -> Result<Vec<Line>, JournalError> {
        self.0.read(from).await
    }

    fn lease_left(&self) -> Option<Duration> {
        Some(self.1)
    }
}

/// P6: once the lease is over somebody else may own the run, and no call of ours may be under way any more.
#[tokio::test(start_paused = true)]
async fn no_call_outlasts_the_lease() {
    const UP: &str = "up/scale:services";
    let lease = Duration::from_secs(3);
    for called in [Called::Prepare, Called::Apply] {
        let shop = shop();
        let hangs = Schedule::new().at(UP, called, 1..=1, Trouble::BlackHole);
        let rig = Rig::new(&shop.world, SCALES).in_trouble(&hangs);
        let (journal, _, _) = rig.disk().own().expect("a journal");
        let (drive, _controls) = rig.begin_on(Box::new(Leased(journal, lease))).await.expect("a drive");
        let run = rig.rest(drive).await;
        let failed = run
            .entries
            .iter()
            .find(|entry| matches!(&entry.event, Event::Failed { step, .. } if step.as_str() == UP));
        let after = Duration::from_millis(failed.expect("a failure").elapsed_ms);
        assert!(after <= lease + Duration::from_millis(100), "{called}: {after:?}\n{}", run.story());
    }
}
