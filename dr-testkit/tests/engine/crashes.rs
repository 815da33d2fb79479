//! A crash before, within and after each append.

use std::time::Duration;

use dr_testkit::Rig;
use dr_testkit::harness::crash_everywhere;

use super::support::{MOVE, SCALES, Shop, shop};

const LATER: [Duration; 3] = [Duration::ZERO, Duration::from_millis(150), Duration::from_secs(30)];

async fn survives(plan: &str, least: usize, rig: impl Fn(&Shop, Rig) -> Rig) {
    for later in LATER {
        let found = crash_everywhere(
            || {
                let shop = shop();
                let bare = Rig::new(&shop.world, plan);
                rig(&shop, bare)
            },
            later,
        )
        .await;
        assert!(found.wrong.is_empty(), "{found}");
        assert!(found.tried >= least, "only {} crashes", found.tried);
    }
}

/// P34: a crash before, within and after each append of the journal.
#[tokio::test(start_paused = true)]
async fn a_move_that_crashes_anywhere_ends_as_an_undisturbed_one() {
    survives(MOVE, 40, |_, rig| rig).await;
}

#[tokio::test(start_paused = true)]
async fn an_unplanned_move_that_crashes_anywhere_ends_as_an_undisturbed_one() {
    survives(MOVE, 40, |_, rig| rig.unplanned()).await;
}

#[tokio::test(start_paused = true)]
async fn a_run_that_rolls_back_and_crashes_anywhere_ends_where_it_began() {
    survives(SCALES, 30, |shop, rig| {
        shop.services.break_rollouts("east", Some("image not found"));
        rig
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_planned_move_that_is_refused_its_fence_and_crashes_anywhere_ends_where_it_began() {
    survives(MOVE, 20, |shop, rig| {
        shop.orders.refuse_fence(Some("a manager would start it again"));
        rig
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_run_that_has_nothing_to_do_and_crashes_anywhere_does_nothing() {
    for later in LATER {
        let mut worlds = Vec::new();
        for _ in 0..64 {
            let shop = shop();
            Rig::new(&shop.world, MOVE).run().await;
            worlds.push(shop);
        }
        let worlds = std::cell::RefCell::new(worlds);
        let found = crash_everywhere(
            || {
                let shop = worlds.borrow_mut().pop().expect("worlds enough");
                Rig::new(&shop.world, MOVE)
            },
            later,
        )
        .await;
        assert!(found.wrong.is_empty(), "{found}");
        assert!(found.tried > 3);
    }
}
