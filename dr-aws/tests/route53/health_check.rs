//! Kind `route53-health-check`: callers moved by what a check says, and held there (P45).

use dr_aws::HealthCheckBackend;
use dr_core::resource::{Proof, Route, Standing, Urgency, Verdict, Wanted};
use dr_core::{Backend, ErrorKind, Happened, Side};
use dr_testkit_aws::{Failure, Fault, Service};
use serde_json::json;

use crate::support::{EAST, Entry, Ground, SECOND, WEST, eventually, text};

/// P45: AWS counts a disabled check as healthy.
#[tokio::test]
async fn disabling_a_check_is_refused_with_the_reason() {
    let ground = Ground::new().await;
    let config = ground.check_config("abcd", json!({ "mode": "disable" }));
    let wrong = HealthCheckBackend.configure(config).unwrap_err();
    assert_eq!((wrong.len(), wrong[0].pointer.as_str()), (1, "/mode"));
    assert!(wrong[0].message.contains("disabled check for healthy"), "{}", wrong[0].message);
    assert!(wrong[0].message.contains("mode: invert"), "{}", wrong[0].message);
}

#[tokio::test]
async fn a_check_that_somebody_disabled_is_refused_for_it() {
    let (ground, check, _) = Ground::calculated().await;
    ground.client().update_health_check().health_check_id(&check).disabled(true).send().await.unwrap();
    let entry = Entry::of(&HealthCheckBackend, ground.check_config(&check, json!({}))).await;
    let error = entry.prepare(&Route::to("west")).await.unwrap_err();
    assert_eq!((error.kind(), error.happened()), (ErrorKind::Refused, Happened::No), "{error}");
    assert!(text(&error).contains("--no-disabled"), "{error}");
}

#[tokio::test]
async fn a_calculated_check_holds_callers_away_whatever_the_endpoint_does() {
    let (ground, check, endpoint) = Ground::calculated().await;
    ground.endpoint_is(&endpoint, true).await;
    let entry = Entry::of(&HealthCheckBackend, ground.check_config(&check, json!({}))).await;
    assert_eq!(entry.observe().await.unwrap().automatisms.len(), 1);
    entry.route(&Route::to("west")).await.unwrap();
    for healthy in [false, true] {
        ground.endpoint_is(&endpoint, healthy).await;
        assert!(ground.answers().await.iter().all(|answer| answer == &[WEST]), "callers moved by themselves");
    }
    let seen = entry.observe().await.unwrap();
    assert!(seen.automatisms.is_empty(), "{:?}", seen.automatisms);
    assert_eq!(seen.side().unwrap().as_str(), "west");
}

#[tokio::test]
async fn a_switch_that_route_53_made_by_itself_is_joined_and_held() {
    let (ground, check, endpoint) = Ground::calculated().await;
    ground.endpoint_is(&endpoint, false).await;
    ground.answers_become(WEST).await;
    let entry = Entry::of(&HealthCheckBackend, ground.check_config(&check, json!({}))).await.unplanned();
    let was = entry.prepare(&Route::to("west")).await.unwrap();
    let Standing::Would { diff } = &was.standing else { panic!("not held is not done: {was:?}") };
    assert!(diff.to_string().contains("by what Route 53 decides"), "{diff}");
    entry.apply(&Route::to("west"), &was).await.unwrap();
    ground.endpoint_is(&endpoint, true).await;
    assert!(
        ground.answers().await.iter().all(|answer| answer == &[WEST]),
        "the recovered endpoint took them back"
    );
}

#[tokio::test]
async fn a_failback_gives_the_check_its_own_mind_back() {
    let (ground, check, endpoint) = Ground::calculated().await;
    ground.endpoint_is(&endpoint, true).await;
    let entry = Entry::of(&HealthCheckBackend, ground.check_config(&check, json!({}))).await;
    entry.route(&Route::to("west")).await.unwrap();
    entry.route(&Route::to("east")).await.unwrap();
    ground.answers_become(EAST).await;
    ground.endpoint_is(&endpoint, false).await;
    ground.answers_become(WEST).await;
}

#[tokio::test]
async fn an_unplanned_run_holds_callers_on_the_primary_too() {
    let (ground, check, endpoint) = Ground::calculated().await;
    ground.endpoint_is(&endpoint, true).await;
    let mut entry = Entry::of(&HealthCheckBackend, ground.check_config(&check, json!({}))).await;
    entry.route(&Route::to("west")).await.unwrap();
    entry.urgency = Urgency::Unplanned;
    entry.route(&Route::to("east")).await.unwrap();
    ground.endpoint_is(&endpoint, false).await;
    assert!(
        ground.answers().await.iter().all(|answer| answer == &[EAST]),
        "a failing endpoint took them away"
    );
}

#[tokio::test]
async fn an_endpoints_check_is_refused_unless_the_plan_says_why() {
    let (ground, check) = Ground::failover().await;
    ground.endpoint_is(&check, true).await;
    let entry = Entry::of(&HealthCheckBackend, ground.check_config(&check, json!({}))).await;
    let error = entry.prepare(&Route::to("west")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused, "{error}");
    assert!(text(&error).contains("calculated check over it"), "{error}");
    let accepted = ground.check_config(&check, json!({ "unpinned": "the east only reads" }));
    let entry = Entry::of(&HealthCheckBackend, accepted).await;
    eventually("the checkers tell", async || entry.prepare(&Route::to("west")).await.is_ok()).await;
    entry.route(&Route::to("west")).await.unwrap();
    ground.answers_become(WEST).await;
    let seen = entry.observe().await.unwrap();
    assert!(seen.automatisms[0].contains("come back"), "{:?}", seen.automatisms);
}

#[tokio::test]
async fn the_check_of_a_dead_endpoint_is_not_inverted_back_to_healthy() {
    let (ground, check) = Ground::failover().await;
    ground.endpoint_is(&check, false).await;
    ground.answers_become(WEST).await;
    let accepted = ground.check_config(&check, json!({ "unpinned": "the east only reads" }));
    let entry = Entry::of(&HealthCheckBackend, accepted).await.unplanned();
    eventually("the checkers tell", async || {
        entry.prepare(&Route::to("west")).await.is_ok_and(|was| was.is_already())
    })
    .await;
    entry.route(&Route::to("west")).await.unwrap();
    assert_eq!(ground.calls("UpdateHealthCheck"), 0, "inverting it would call the dead side healthy");
    assert!(ground.answers().await.iter().all(|answer| answer == &[WEST]));
}

#[tokio::test]
async fn a_threshold_that_the_plan_does_not_know_is_refused_in_a_planned_run() {
    let (ground, check, _) = Ground::calculated().await;
    let config = ground.check_config(&check, json!({ "health_threshold": 2 }));
    let error = Entry::of(&HealthCheckBackend, config).await.prepare(&Route::to("west")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused, "{error}");
    assert!(text(&error).contains("health_threshold"), "{error}");
}

#[tokio::test]
async fn a_lost_reply_is_found_in_the_check() {
    let (ground, check, _) = Ground::calculated().await;
    let entry = Entry::of(&HealthCheckBackend, ground.check_config(&check, json!({}))).await;
    let lost = Failure::new(Fault::LostReply).service(Service::Route53).action("UpdateHealthCheck").times(1);
    ground.aws.fail(lost);
    entry.route(&Route::to("west")).await.unwrap();
    assert_eq!(ground.calls("UpdateHealthCheck"), 1);
}

#[tokio::test]
async fn a_vanished_check_is_named() {
    let (ground, _, _) = Ground::calculated().await;
    let entry = Entry::of(&HealthCheckBackend, ground.check_config("11111111-2222", json!({}))).await;
    let error = entry.prepare(&Route::to("west")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
    assert!(text(&error).contains("11111111-2222"), "{error}");
}

#[tokio::test]
async fn the_right_to_change_the_check_is_proven_without_a_change() {
    let (ground, check, _) = Ground::calculated().await;
    let before = ground.look().await;
    let entry = Entry::of(&HealthCheckBackend, ground.check_config(&check, json!({}))).await;
    let prove = async || -> Vec<Proof> {
        let wanted = [Wanted { verb: "route".to_owned(), side: Some(Side::new("west")) }];
        entry.resource.proves().unwrap().prove(&entry.cx(10 * SECOND), &wanted, None).await
    };
    let found = prove().await;
    assert!(found.iter().all(|proof| proof.verdict == Verdict::Proven), "{found:#?}");
    assert_eq!(before, ground.look().await);
    ground.aws.deny("route53:UpdateHealthCheck");
    let missing = prove().await.into_iter().filter(|proof| proof.verdict == Verdict::Missing).count();
    assert_eq!(missing, 1);
}
