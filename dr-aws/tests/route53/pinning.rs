//! Nothing automatic brings callers back, nor takes them away (P45): both directions.

use std::net::IpAddr;

use dr_aws::Route53Backend;
use dr_core::ErrorKind;
use dr_core::resource::{Route, Standing};
use dr_testkit_aws::Record;
use serde_json::json;

use crate::support::{EAST, Entry, Ground, NAME, WEST, eventually, text};

fn east() -> IpAddr {
    EAST.parse().unwrap()
}

async fn check_says(ground: &Ground, check: &str, healthy: bool) {
    ground.aws.set_endpoint_health(east(), healthy);
    eventually("the check follows its endpoint", async || ground.aws.is_healthy(check) == healthy).await;
}

/// P45: the primary's check recovers after the failover.
#[tokio::test]
async fn a_recovering_check_does_not_bring_callers_back() {
    let (ground, check) = Ground::failover().await;
    check_says(&ground, &check, true).await;
    let entry = Entry::of(&Route53Backend, ground.failover_config(&check)).await;
    let seen = entry.observe().await.unwrap();
    assert_eq!(seen.automatisms.len(), 1, "{:?}", seen.automatisms);
    entry.route(&Route::to("west")).await.unwrap();
    ground.answers_become(WEST).await;
    for healthy in [false, true] {
        check_says(&ground, &check, healthy).await;
        assert!(ground.answers().await.iter().all(|answer| answer == &[WEST]), "callers moved by themselves");
    }
    assert!(entry.observe().await.unwrap().automatisms.is_empty(), "pinned callers have no automatism");
}

#[tokio::test]
async fn a_switch_that_route_53_made_by_itself_is_joined_and_pinned() {
    let (ground, check) = Ground::failover().await;
    check_says(&ground, &check, false).await;
    ground.answers_become(WEST).await;
    let entry = Entry::of(&Route53Backend, ground.failover_config(&check)).await.unplanned();
    let was = entry.prepare(&Route::to("west")).await.unwrap();
    let Standing::Would { diff } = &was.standing else { panic!("not pinned is not done: {was:?}") };
    assert!(diff.to_string().contains("by what Route 53 decides"), "{diff}");
    assert!(diff.to_string().contains(&check), "{diff}");
    entry.apply(&Route::to("west"), &was).await.unwrap();
    check_says(&ground, &check, true).await;
    assert!(
        ground.answers().await.iter().all(|answer| answer == &[WEST]),
        "the recovered check took them back"
    );
}

#[tokio::test]
async fn a_failback_puts_the_conditions_back_and_waits_for_the_check() {
    let (ground, check) = Ground::failover().await;
    let before = ground.aws.snapshot();
    let entry = Entry::of(&Route53Backend, ground.failover_config(&check)).await;
    entry.route(&Route::to("west")).await.unwrap();
    check_says(&ground, &check, false).await;
    eventually("the checkers tell of it", async || entry.prepare(&Route::to("east")).await.is_err()).await;
    let error = entry.prepare(&Route::to("east")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotReady, "{error}");
    assert!(text(&error).contains(&check), "{error}");
    check_says(&ground, &check, true).await;
    eventually("the checkers tell of it", async || entry.prepare(&Route::to("east")).await.is_ok()).await;
    entry.route(&Route::to("east")).await.unwrap();
    ground.answers_become(EAST).await;
    assert_eq!(before, ground.aws.snapshot(), "failback restores exactly");
}

#[tokio::test]
async fn an_unplanned_run_pins_callers_to_the_ordinary_primary_too() {
    let (ground, check) = Ground::failover().await;
    let entry = Entry::of(&Route53Backend, ground.failover_config(&check)).await;
    entry.route(&Route::to("west")).await.unwrap();
    let unplanned = Entry::of(&Route53Backend, ground.failover_config(&check)).await.unplanned();
    unplanned.route(&Route::to("east")).await.unwrap();
    ground.answers_become(EAST).await;
    check_says(&ground, &check, false).await;
    assert!(ground.answers().await.iter().all(|answer| answer == &[EAST]), "a failing check took them away");
}

#[tokio::test]
async fn a_planned_run_refuses_to_forget_a_check_that_the_plan_does_not_name() {
    let (ground, check) = Ground::failover().await;
    ground.put(Record::simple(NAME, "A", 60, &[WEST]).failover("Secondary", false).checked_by(&check));
    let planned = Entry::of(&Route53Backend, ground.failover_config(&check)).await;
    let error = planned.prepare(&Route::to("west")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused, "{error}");
    assert!(text(&error).contains("health_checks: { west:"), "{error}");
    // In a disaster it is said, and done all the same.
    Entry::of(&Route53Backend, ground.failover_config(&check))
        .await
        .unplanned()
        .route(&Route::to("west"))
        .await
        .unwrap();
}

#[tokio::test]
async fn all_weight_on_a_side_is_pinned_as_well() {
    let ground = Ground::new().await;
    let check = ground.endpoint_check(EAST).await;
    ground.put(Record::simple(NAME, "A", 60, &[EAST]).weighted("east", 0).checked_by(&check));
    ground.put(Record::simple(NAME, "A", 60, &[WEST]).weighted("west", 1));
    let entry = ground.entry(json!({ "routing": "weighted", "health_checks": { "east": check } })).await;
    entry.route(&Route::to("east")).await.unwrap();
    ground.answers_become(EAST).await;
    check_says(&ground, &check, false).await;
    assert!(ground.answers().await.iter().all(|answer| answer == &[EAST]), "zero weight took them");
}
