//! Callers moved in shares, and to addresses that are read from what runs.

use std::time::Duration;

use dr_core::event::{Ending, Event, Suspension};
use dr_core::journal::Crash;
use dr_core::resource::Share;
use dr_testkit::{Rig, settled};

use super::support::{Shop, ended, says, shop, suspended};

/// Both sides run, both write to the one writer, and callers are shared out.
fn shared() -> Shop {
    let shop = shop();
    shop.services.scale_by_hand("west", 3);
    shop.entry.share();
    shop
}

const GRADUAL: &str = "
phases:
  - name: shift
    within: 20m
    steps:
      - { id: shift, route: entry, shares: [10, 50, 100], bake: 2m, gate: shop, serving: one-writer }
";

const BACK: &str = "back at the step before";

fn share(shop: &Shop) -> u8 {
    shop.entry.share_of("west").percent()
}

#[tokio::test(start_paused = true)]
async fn shares_that_go_well_end_with_all_callers_on_the_target() {
    let shop = shared();
    let run = Rig::new(&shop.world, GRADUAL).run().await;
    ended(&run, Ending::Succeeded);
    assert_eq!(shop.entry.share_of("west"), Share::ALL);
    assert_eq!(shop.entry.side(), Some("west".into()));
    let elapsed = run.entries.last().map(|entry| entry.elapsed_ms).unwrap_or_default();
    assert!(elapsed >= 6 * 60 * 1000, "three trials of two minutes took {elapsed} ms");
}

/// The share that the target gets when the gate turns bad: from the second step on nothing answers there.
async fn turning_bad(shop: &Shop, run: impl Future<Output = dr_testkit::Run>) -> dr_testkit::Run {
    let (run, ()) = tokio::join!(run, async {
        while share(shop) < 50 {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        shop.services.scale_by_hand("west", 0);
    });
    run
}

#[tokio::test(start_paused = true)]
async fn a_gate_that_turns_bad_takes_callers_back_to_the_last_good_step_where_a_run_holds() {
    let shop = shared();
    let rig = Rig::new(&shop.world, GRADUAL).unplanned();
    let run = turning_bad(&shop, rig.run()).await;
    suspended(&run, Suspension::Held);
    says(&run, BACK);
    assert_eq!(share(&shop), 10, "{}", run.story());
}

#[tokio::test(start_paused = true)]
async fn a_gate_that_turns_bad_undoes_a_run_that_is_to_be_undone() {
    let shop = shared();
    let rig = Rig::new(&shop.world, GRADUAL);
    let run = turning_bad(&shop, rig.run()).await;
    ended(&run, Ending::RolledBack);
    says(&run, BACK);
    assert_eq!((share(&shop), shop.entry.side()), (0, Some("east".into())), "{}", run.story());
}

#[tokio::test(start_paused = true)]
async fn a_run_that_was_held_by_its_gate_goes_on_when_all_is_well_again() {
    let shop = shared();
    let rig = Rig::new(&shop.world, GRADUAL).unplanned();
    suspended(&turning_bad(&shop, rig.run()).await, Suspension::Held);
    shop.services.scale_by_hand("west", 3);
    let run = rig.resume().await;
    ended(&run, Ending::Succeeded);
    assert_eq!(run.step("shift/shift-10").attempts, 1, "what went well is not tried again");
    assert_eq!(share(&shop), 100);
}

#[tokio::test(start_paused = true)]
async fn a_trial_that_its_time_is_too_short_for_takes_the_callers_back() {
    let shop = shared();
    let plan = GRADUAL.replace("within: 20m", "within: 1m");
    let run = Rig::new(&shop.world, &plan).unplanned().run().await;
    ended(&run, Ending::Refused);
    says(&run, "of the bake are left and the time is up");
    says(&run, BACK);
    assert_eq!((share(&shop), shop.entry.side()), (0, Some("east".into())), "{}", run.story());
}

#[tokio::test(start_paused = true)]
async fn callers_that_are_there_already_are_on_trial_all_the_same() {
    let shop = shared();
    let plan = GRADUAL.replace("[10, 50, 100]", "[100]");
    let rig = Rig::new(&shop.world, &plan);
    ended(&rig.run().await, Ending::Succeeded);
    let again = tokio::time::Instant::now();
    ended(&rig.again().run().await, Ending::Succeeded);
    assert!(again.elapsed() >= Duration::from_secs(120), "{:?}", again.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_crash_in_a_trial_begins_the_trial_anew() {
    let shop = shared();
    let rig = Rig::new(&shop.world, GRADUAL);
    let (drive, _controls) = rig.begin().await;
    let cut = tokio::time::timeout(Duration::from_secs(90), rig.rest(drive)).await;
    assert!(cut.is_err(), "ninety seconds into the first trial");
    assert_eq!(share(&shop), 10);
    let again = tokio::time::Instant::now();
    let run = rig.resume().await;
    ended(&run, Ending::Succeeded);
    assert!(again.elapsed() >= Duration::from_secs(360), "only {:?}: a trial was cut short", again.elapsed());
    assert_eq!(share(&shop), 100);
}

#[tokio::test(start_paused = true)]
async fn a_crash_at_the_end_of_a_trial_does_not_take_its_share_for_good() {
    for how in [Crash::Before, Crash::Within] {
        let shop = shared();
        let rig = Rig::new(&shop.world, GRADUAL);
        let (drive, _controls) = rig.begin().await;
        let (run, ()) = tokio::join!(rig.rest(drive), async {
            tokio::time::sleep(Duration::from_secs(60)).await;
            rig.disk().crash_after(1, how);
        });
        suspended(&run, Suspension::JournalLost);
        shop.services.scale_by_hand("west", 0);
        let run = rig.resume().await;
        ended(&run, Ending::RolledBack);
        assert_eq!(share(&shop), 0, "{}", run.story());
    }
}

#[tokio::test(start_paused = true)]
async fn what_moves_callers_by_itself_is_pinned_by_a_route_and_free_after_its_undo() {
    let shop = shop();
    shop.services.scale_by_hand("west", 3);
    shop.entry.moves_by_itself("health check", "east");
    let before = shop.world.snapshot();
    shop.services.break_rollouts("east", Some("image not found"));
    let plan = "
phases:
  - { name: move, within: 20s, steps: [ { route: entry } ] }
  - { name: pause, within: 20s, steps: [ { wait: 5s } ] }
  - { name: down, within: 20s, steps: [ { scale: services, in: source, replicas: 5 } ] }
";
    let rig = Rig::new(&shop.world, plan);
    let (run, moved) = tokio::join!(rig.run(), async {
        tokio::time::sleep(Duration::from_secs(2)).await;
        shop.entry.let_it_move()
    });
    assert!(!moved, "it took the callers back while the run thought them moved");
    ended(&run, Ending::RolledBack);
    assert_eq!(settled(&shop.world).await, before);
}

const ADDRESSED: &str = "
phases:
  - { name: move, within: 20s, steps: [ { route: entry, address_from: services } ] }
  - { name: verify, within: 20s, steps: [ { probe: shop, served_by: target } ] }
";

#[tokio::test(start_paused = true)]
async fn an_address_is_read_from_what_runs() {
    let shop = shop();
    shop.services.scale_by_hand("west", 3);
    shop.services.readdress("west", "198.51.100.40");
    let run = Rig::new(&shop.world, ADDRESSED).run().await;
    ended(&run, Ending::Succeeded);
    assert_eq!(shop.entry.answers(), ["198.51.100.40"]);
}

#[tokio::test(start_paused = true)]
async fn a_route_waits_for_an_address_that_is_still_to_come() {
    let shop = shop();
    shop.services.scale_by_hand("west", 3);
    shop.services.take_address("west");
    let rig = Rig::new(&shop.world, ADDRESSED);
    let (run, ()) = tokio::join!(rig.run(), async {
        tokio::time::sleep(Duration::from_secs(5)).await;
        assert_eq!(shop.entry.side(), Some("east".into()), "nobody is sent to no address");
        shop.services.readdress("west", "198.51.100.41");
    });
    ended(&run, Ending::Succeeded);
    assert_eq!(shop.entry.answers(), ["198.51.100.41"]);
}

#[tokio::test(start_paused = true)]
async fn an_undo_after_the_address_changed_puts_back_what_was() {
    let shop = shop();
    shop.services.scale_by_hand("west", 3);
    let before = shop.entry.answers();
    shop.services.break_rollouts("east", Some("image not found"));
    let plan = "
phases:
  - { name: move, within: 20s, steps: [ { route: entry, address_from: services } ] }
  - { name: pause, within: 20s, steps: [ { wait: 5s } ] }
  - { name: down, within: 20s, steps: [ { scale: services, in: source, replicas: 5 } ] }
";
    let rig = Rig::new(&shop.world, plan);
    let (run, ()) = tokio::join!(rig.run(), async {
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert_eq!(shop.entry.answers(), ["198.51.100.11", "198.51.100.12"]);
        shop.services.readdress("west", "198.51.100.42");
    });
    ended(&run, Ending::RolledBack);
    assert_eq!(shop.entry.answers(), before);
    assert_eq!(run.count(|event| matches!(event, Event::UndoFailed { .. })), 0, "{}", run.story());
}
