//! Trouble with each step, an interrupt after each event, everything twice.

use std::time::Duration;

use dr_core::ErrorKind;
use dr_testkit::Rig;
use dr_testkit::decorate::{Called, Schedule, Trouble};
use dr_testkit::harness::{Interrupts, Trials, interrupt_everywhere, run_twice, trouble_everywhere};

use super::support::{MOVE, SCALES, shop};

fn planned() -> Rig {
    Rig::new(&shop().world, MOVE)
}

fn unplanned() -> Rig {
    Rig::new(&shop().world, MOVE).unplanned()
}

fn scales() -> Rig {
    Rig::new(&shop().world, SCALES)
}

async fn each_step(rig: fn() -> Rig, call: Called, nth: u32, trouble: Trouble, least: usize) -> Trials {
    let trials = trouble_everywhere(rig, call, 1..=nth, trouble).await;
    assert!(trials.wrong.is_empty(), "{trials}");
    assert!(trials.tried >= least, "{trials}");
    trials
}

/// P14, P22: each step fails for good; the run goes back, or is held and then comes to its end.
#[tokio::test(start_paused = true)]
async fn whichever_step_fails_the_run_goes_back_or_is_held_and_comes_to_its_end() {
    let denied = Trouble::Fails(ErrorKind::Unauthorized);
    let trials = each_step(planned, Called::Apply, u32::MAX, denied, 8).await;
    assert!(trials.back >= 4 && trials.held >= 3, "before the point of no return, and after it: {trials}");
    let trials = each_step(unplanned, Called::Apply, u32::MAX, denied, 7).await;
    assert!(trials.held >= 5, "{trials}");
    let trials = each_step(scales, Called::Apply, u32::MAX, denied, 3).await;
    assert_eq!(trials.back, trials.tried, "{trials}");
}

/// P3, P22: no error says whether anything happened.
#[tokio::test(start_paused = true)]
async fn whichever_step_fails_in_doubt_the_run_goes_back_or_is_held_and_comes_to_its_end() {
    for kind in [ErrorKind::Unknown, ErrorKind::Refused, ErrorKind::Conflict] {
        for rig in [planned, unplanned] {
            each_step(rig, Called::Apply, u32::MAX, Trouble::InDoubt(kind), 7).await;
        }
        each_step(scales, Called::Apply, u32::MAX, Trouble::InDoubt(kind), 3).await;
    }
}

/// P15: whichever call acts and is not heard of.
#[tokio::test(start_paused = true)]
async fn whichever_reply_is_lost_the_run_ends_as_if_it_had_come() {
    for rig in [planned, unplanned] {
        let trials = each_step(rig, Called::Apply, 1, Trouble::LostReply, 7).await;
        assert_eq!(trials.same, trials.tried, "{trials}");
        assert_eq!(trials.held, 0, "{trials}");
    }
}

/// P15: whichever call is cut off at any moment of its work.
#[tokio::test(start_paused = true)]
async fn whichever_call_is_cut_off_the_run_ends_as_it_would_have_or_goes_back() {
    for patience in [0, 1, 50, 110, 400, 900] {
        for rig in [planned, unplanned, scales] {
            let cut = Trouble::CutAfter(Duration::from_millis(patience));
            each_step(rig, Called::Apply, 1, cut, 3).await;
        }
    }
}

/// P5: whichever call is never answered.
#[tokio::test(start_paused = true)]
async fn whichever_call_falls_into_a_black_hole_the_run_comes_to_its_end() {
    for rig in [planned, unplanned, scales] {
        each_step(rig, Called::Apply, 1, Trouble::BlackHole, 3).await;
        each_step(rig, Called::Prepare, 1, Trouble::BlackHole, 3).await;
        each_step(rig, Called::Apply, u32::MAX, Trouble::BlackHole, 3).await;
    }
}

/// P23: five seconds before each answer.
#[tokio::test(start_paused = true)]
async fn on_a_slow_link_the_run_ends_as_it_would_have() {
    for call in [Called::Prepare, Called::Apply] {
        for rig in [planned, unplanned, scales] {
            let trials = each_step(rig, call, u32::MAX, Trouble::Late(Duration::from_secs(5)), 3).await;
            assert_eq!(trials.same, trials.tried, "{trials}");
        }
    }
}

/// P25: whichever call is throttled, twice.
#[tokio::test(start_paused = true)]
async fn whichever_call_is_throttled_the_run_ends_as_it_would_have() {
    for call in [Called::Prepare, Called::Apply] {
        for rig in [planned, unplanned, scales] {
            let trials = each_step(rig, call, 2, Trouble::Fails(ErrorKind::Throttled), 3).await;
            assert_eq!((trials.same, trials.held), (trials.tried, 0), "{trials}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn whichever_call_is_made_twice_the_run_ends_as_it_would_have() {
    for rig in [planned, unplanned, scales] {
        let trials = each_step(rig, Called::Apply, u32::MAX, Trouble::Twice, 3).await;
        assert_eq!((trials.same, trials.held), (trials.tried, 0), "{trials}");
    }
}

/// P22: putting back goes wrong as well.
#[tokio::test(start_paused = true)]
async fn a_run_that_goes_back_in_trouble_ends_where_it_began() {
    for trouble in [
        Trouble::LostReply,
        Trouble::Twice,
        Trouble::Fails(ErrorKind::Throttled),
        Trouble::InDoubt(ErrorKind::Unreachable),
        Trouble::Fails(ErrorKind::Unauthorized),
        Trouble::BlackHole,
        Trouble::CutAfter(Duration::from_millis(100)),
    ] {
        let rig = || {
            let shop = shop();
            shop.services.break_rollouts("east", Some("image not found"));
            Rig::new(&shop.world, SCALES)
        };
        let trials = trouble_everywhere(rig, Called::Undo, 1..=1, trouble).await;
        assert!(trials.wrong.is_empty(), "{trials}");
        assert_eq!((trials.tried, trials.same), (3, 3), "{trials}");
    }
}

/// P21: an interrupt after every event, and what is in flight finished or dropped.
#[tokio::test(start_paused = true)]
async fn wherever_a_run_is_interrupted_it_goes_on_to_the_same_end() {
    for how in [Interrupts::Once, Interrupts::Twice] {
        for later in [Duration::ZERO, Duration::from_millis(150), Duration::from_secs(30)] {
            for rig in [planned, unplanned] {
                let trials = interrupt_everywhere(rig, how, later).await;
                assert!(trials.wrong.is_empty(), "{trials}");
                assert!(trials.tried > 15, "{trials}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_run_made_once_more_finds_nothing_to_do() {
    for rig in [planned, unplanned, scales] {
        let trials = run_twice(rig).await;
        assert!(trials.wrong.is_empty(), "{trials}");
        assert_eq!((trials.tried, trials.same), (1, 1), "{trials}");
    }
}

/// A failing test prints its schedule, and the text is the test's replay.
#[tokio::test(start_paused = true)]
async fn what_a_schedule_did_can_be_read_again_and_does_the_same() {
    let mut struck = 0;
    for seed in 0..60 {
        let drawn = Schedule::seeded(seed, 30);
        let first = unplanned().in_trouble(&drawn).run().await;
        let replay: Schedule = drawn.to_string().parse().expect("its own text");
        let second = unplanned().in_trouble(&replay).run().await;
        assert_eq!(drawn.struck(), replay.struck());
        assert_eq!(first.driven.end, second.driven.end, "{drawn}");
        assert_eq!(first.story(), second.story(), "{drawn}");
        struck += drawn.struck().len();
    }
    assert!(struck > 60, "only {struck}");
}
