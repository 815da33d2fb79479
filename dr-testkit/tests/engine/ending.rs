//! What a run says of itself at its end: its words, its times, its budget, its debts.

use std::time::Duration;

use dr_core::engine::Finish;
use dr_core::event::{DebtKind, Ending, Event, Mode, RunState};
use dr_core::measure::{Basis, Figure, Measurement, RtoParts};
use dr_core::model::World;
use dr_core::resource::FenceHow;
use dr_core::{Side, async_trait};
use dr_testkit::{Rig, Run};

use super::support::{MOVE, PROMOTE, ended, once_begun, says, shop};

const FENCE: &str = "
phases: [ { name: guard, within: 20s, steps: [ { fence: orders, in: east } ] } ]
";

fn debts(run: &Run, paid: bool) -> Vec<(DebtKind, Side)> {
    let of = |event: &Event| match event {
        Event::DebtPaid(debt) if paid => Some((debt.kind, debt.side.clone())),
        Event::DebtOpened(debt) if !paid => Some((debt.kind, debt.side.clone())),
        _ => None,
    };
    run.entries.iter().filter_map(|entry| of(&entry.event)).collect()
}

#[tokio::test(start_paused = true)]
async fn a_run_that_moved_a_service_says_who_serves_and_pays_no_debt() {
    let shop = shop();
    let run = Rig::new(&shop.world, MOVE).run().await;
    ended(&run, Ending::Succeeded);
    assert_eq!(run.driven.text, "west serves");
    assert_eq!(debts(&run, true), []);
}

#[tokio::test(start_paused = true)]
async fn a_guard_that_fenced_says_whom_and_pays_for_it() {
    let shop = shop();
    shop.orders.promote_by_hand("west");
    let run = Rig::new(&shop.world, FENCE).unplanned().with(|began| began.mode = Mode::Guard).run().await;
    ended(&run, Ending::Succeeded);
    assert_eq!(run.driven.text, "east is fenced");
    assert_eq!(debts(&run, true), [(DebtKind::Guard, "east".into())]);
}

#[tokio::test(start_paused = true)]
async fn what_was_made_a_copy_again_pays_for_the_copy_and_for_its_guard() {
    let shop = shop();
    ended(&Rig::new(&shop.world, PROMOTE).run().await, Ending::Recovered);
    let plan = "phases: [ { name: protect, within: 600s, steps: [ { follow: orders } ] } ]";
    let run = Rig::new(&shop.world, plan).with(|began| began.mode = Mode::Protect).run().await;
    ended(&run, Ending::Succeeded);
    assert_eq!(run.driven.text, "east follows west");
    assert_eq!(debts(&run, true), [(DebtKind::Replica, "east".into()), (DebtKind::Guard, "east".into())]);
}

#[tokio::test(start_paused = true)]
async fn each_phase_is_told_with_the_time_it_took() {
    let shop = shop();
    let plan = "
phases:
  - { name: pause, within: 20s, steps: [ { wait: 5s } ] }
  - { name: move, within: 20s, steps: [ { route: entry } ] }
";
    let run = Rig::new(&shop.world, plan).run().await;
    ended(&run, Ending::Succeeded);
    let Some(Event::Ended { timings, .. }) = run.entries.last().map(|entry| &entry.event) else {
        panic!("{}", run.story())
    };
    assert_eq!(timings.keys().collect::<Vec<_>>(), ["move_seconds", "pause_seconds"]);
    assert!((timings["pause_seconds"] - 5.0).abs() < 0.01, "{timings:?}");
    assert!(timings["move_seconds"] < 2.0, "{timings:?}");
}

/// Ends the measuring with what is told to be measured.
#[derive(Debug)]
struct Measured(Measurement);

#[async_trait]
impl Finish for Measured {
    async fn finish(&mut self, _state: &RunState) -> Option<Measurement> {
        Some(self.0.clone())
    }
}

async fn measured(rto: Option<Duration>, rpo: Option<Duration>) -> Run {
    let figure = |time: Duration| Figure::exact(time, Basis::Client);
    let measurement = Measurement {
        outages: Vec::new(),
        losses: Vec::new(),
        rto: rto.map(figure),
        rpo: rpo.map(figure),
        parts: RtoParts::default(),
    };
    let shop = shop();
    Rig::new(&shop.world, &format!("budget: {{ rto: 1m, rpo: 10s }}\n{MOVE}"))
        .hooked(move |hooks| hooks.with_finish(Box::new(Measured(measurement.clone()))))
        .run()
        .await
}

#[tokio::test(start_paused = true)]
async fn a_run_over_its_budget_says_which_target_it_missed_and_by_what_figure() {
    let seconds = |seconds| Some(Duration::from_secs(seconds));
    for (rto, rpo, told) in [
        (seconds(61), seconds(0), "RTO 1m 1s (<= 1m)"),
        (seconds(59), seconds(11), "RPO 11s (<= 10s)"),
        (seconds(61), seconds(11), "RTO 1m 1s (<= 1m), RPO 11s (<= 10s)"),
    ] {
        let run = measured(rto, rpo).await;
        ended(&run, Ending::OverBudget);
        assert_eq!(run.driven.text, told);
    }
    let run = measured(seconds(60), seconds(10)).await;
    ended(&run, Ending::Succeeded);
    assert_eq!(
        run.driven.state.measurement.and_then(|measured| measured.rto).map(|rto| rto.at_most),
        Some(60.0)
    );
}

#[tokio::test(start_paused = true)]
async fn whoever_listens_hears_every_event_once_it_is_written() {
    let shop = shop();
    let heard = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let ear = std::sync::Arc::clone(&heard);
    let rig = Rig::new(&shop.world, PROMOTE).hooked(move |hooks| {
        let ear = std::sync::Arc::clone(&ear);
        hooks.with_listener(move |entry| ear.lock().expect("a lock").push(entry.seq))
    });
    let run = rig.run().await;
    let written: Vec<_> = run.entries.iter().map(|entry| entry.seq).collect();
    assert_eq!(*heard.lock().expect("a lock"), written);
}

#[tokio::test(start_paused = true)]
async fn a_refused_run_looks_at_nothing_after_it() {
    let shop = shop();
    shop.orders.cut_replication(true);
    let plan =
        "phases: [ { name: gate, steps: [ { observe: orders, in: target, expect: { lag: '<= 1s' } } ] } ]";
    let run = Rig::new(&shop.world, plan).run().await;
    ended(&run, Ending::Refused);
    let after = |event: &Event| matches!(event, Event::Observed { when, .. } if when == "after");
    assert_eq!(run.count(after), 0, "{}", run.story());
}

#[tokio::test(start_paused = true)]
async fn a_step_that_is_left_out_says_in_which_runs_it_is_taken() {
    for (unplanned, when, word) in [(true, "planned", "planned"), (false, "unplanned", "unplanned")] {
        let shop = shop();
        let plan = format!(
            "phases: [ {{ name: move, within: 20s, steps: [ {{ id: some, wait: 1s, when: {when} }}, {{ route: entry }} ] }} ]"
        );
        let rig = Rig::new(&shop.world, &plan);
        let run = if unplanned { rig.unplanned().run().await } else { rig.run().await };
        assert_eq!(run.step("move/some").skipped.as_deref(), Some(format!("only in {word} runs").as_str()));
    }
}

const EITHER_COPY: &str = "
phases:
  - name: promote
    within: 20s
    steps:
      - { fence: orders }
      - { promote: orders, accept_loss: 10s }
  - { name: pause, within: 60s, steps: [ { wait: 10s } ] }
";

/// P7: a third side takes writes while the first one is shut by a fence that leaves it running.
#[tokio::test(start_paused = true)]
async fn the_fence_of_one_side_does_not_hide_another_that_takes_writes() {
    let world = World::new(["east", "west", "zurich"]);
    let orders = world.store("orders");
    orders.fence_by(FenceHow::NoLogin);
    let rig = Rig::new(&world, EITHER_COPY);
    let (drive, _controls) = rig.begin().await;
    let (run, ()) = tokio::join!(rig.rest(drive), async {
        tokio::time::sleep(Duration::from_secs(5)).await;
        orders.promote_by_hand("zurich");
    });
    ended(&run, Ending::Recovered);
    says(&run, "TWO WRITABLE SIDES: zurich takes writes beside west");
}

/// A copy of the old writer, which the store does not tell about, is no copy of the new one.
#[tokio::test(start_paused = true)]
async fn a_copy_that_this_run_did_not_make_is_owed_where_the_store_does_not_tell() {
    let world = World::new(["east", "west", "zurich"]);
    let orders = world.store("orders");
    orders.hide_receiving();
    let run = Rig::new(&world, PROMOTE).run().await;
    ended(&run, Ending::Recovered);
    assert!(debts(&run, false).contains(&(DebtKind::Replica, "east".into())), "{}", run.story());
}

/// The copy of one store is no copy of another.
#[tokio::test(start_paused = true)]
async fn a_store_whose_neighbour_was_copied_is_owed_its_own_copy() {
    let world = World::new(["east", "west"]);
    let (orders, users) = (world.store("orders"), world.store("users"));
    let both = "
phases:
  - { name: fence, within: 20s, steps: [ { fence: orders }, { fence: users } ] }
  - { name: promote, within: 20s, steps: [ { promote: orders }, { promote: users } ] }
  - { name: protect, within: 600s, steps: [ { follow: users } ] }
";
    orders.hide_receiving();
    users.hide_receiving();
    let run = Rig::new(&world, both).run().await;
    ended(&run, Ending::Recovered);
    says(&run, "no copy follows west");
    assert_eq!(debts(&run, false), [(DebtKind::Replica, "east".into())], "{}", run.story());
}

/// What followed the old writer, by this run's own doing, is no copy of the new one; nor is what followed another store.
#[tokio::test(start_paused = true)]
async fn only_what_was_made_a_copy_of_this_store_after_its_promotion_pays_for_one() {
    let before = "
phases:
  - { name: early, within: 600s, steps: [ { follow: orders, in: zurich, of: source } ] }
  - { name: promote, within: 20s, steps: [ { fence: orders }, { promote: orders } ] }
";
    let beside = "
phases:
  - { name: fence, within: 20s, steps: [ { fence: orders }, { fence: users } ] }
  - { name: promote, within: 20s, steps: [ { promote: orders }, { promote: users } ] }
  - { name: protect, within: 600s, steps: [ { follow: users, in: zurich } ] }
";
    for plan in [before, beside] {
        let world = World::new(["east", "west", "zurich"]);
        let (orders, users) = (world.store("orders"), world.store("users"));
        orders.hide_receiving();
        users.hide_receiving();
        let run = Rig::new(&world, plan).run().await;
        ended(&run, Ending::Recovered);
        assert_eq!(debts(&run, false), [(DebtKind::Replica, "east".into())], "{}", run.story());
    }
}

/// What this run made a copy and is none any more at its end pays for nothing.
#[tokio::test(start_paused = true)]
async fn a_copy_that_was_lost_again_before_the_end_is_owed() {
    let shop = shop();
    shop.orders.hide_receiving();
    let rig = Rig::new(
        &shop.world,
        &format!("{MOVE}  - {{ name: pause, within: 60s, steps: [ {{ wait: 30s }} ] }}"),
    );
    let (drive, _controls) = rig.begin().await;
    let (run, ()) = tokio::join!(rig.rest(drive), async {
        once_begun(&rig, "pause/wait").await;
        shop.orders.kill("east");
    });
    ended(&run, Ending::Recovered);
    assert_eq!(debts(&run, false), [(DebtKind::Replica, "east".into())], "{}", run.story());
}

#[tokio::test(start_paused = true)]
async fn a_dry_run_counts_its_changes_and_says_where_there_are_none() {
    let shop = shop();
    let run = Rig::new(&shop.world, MOVE).dry().run().await;
    ended(&run, Ending::Succeeded);
    assert_eq!(run.driven.text, "6 changes would be made");
    let plan =
        "phases: [ { name: up, within: 20s, steps: [ { scale: services, in: source, replicas: 3 } ] } ]";
    let run = Rig::new(&shop.world, plan).dry().run().await;
    ended(&run, Ending::NothingToDo);
    assert_eq!(run.driven.text, "everything is so already");
}
