//! What goes wrong on the way: right class, right retry, right words (P15, P23, P25).

use std::time::Duration;

use dr_core::resource::{Cx, Route, Standing};
use dr_core::{ErrorKind, Happened, Retry};
use dr_testkit_aws::{Failure, Fault, Options, Outcome, Record, Service};
use serde_json::json;
use tokio::time::Instant;

use crate::support::{Ground, NAME, SECOND, WEST, text};

fn route53(fault: Fault) -> Failure {
    Failure::new(fault).service(Service::Route53)
}

/// P25: the API throttles.
#[tokio::test]
async fn throttling_is_waited_out() {
    let ground = Ground::simple().await;
    let entry = ground.entry(json!({})).await;
    ground.aws.fail(route53(Fault::Throttled).times(3));
    ground.aws.fail(route53(Fault::PriorRequestNotComplete).action("ChangeResourceRecordSets").times(2));
    entry.route(&Route::to("west")).await.unwrap();
    ground.answers_become(WEST).await;
}

#[tokio::test]
async fn throttling_without_end_is_throttling_and_did_nothing() {
    let ground = Ground::simple().await;
    let entry = ground.entry(json!({})).await;
    let was = entry.prepare(&Route::to("west")).await.unwrap();
    ground.aws.fail(route53(Fault::Throttled).action("ChangeResourceRecordSets"));
    let cx = entry.cx(4 * SECOND);
    let effect = entry.resource.effect::<Route>().unwrap();
    let error = effect.apply(&cx, &Route::to("west"), &was).await.unwrap_err();
    assert_eq!((error.kind(), error.happened()), (ErrorKind::Throttled, Happened::No), "{error}");
    assert!(matches!(error.retry(), Retry::Transient { .. }));
}

/// P25: the account's limit.
#[tokio::test]
async fn five_requests_a_second_are_kept_to() {
    let ground = Ground::with(Options::new().route53_rate(Some(5.0))).await;
    ground.put(Record::simple(NAME, "A", 60, &["192.0.2.10"]));
    let entry = ground.entry(json!({})).await;
    for side in ["west", "east", "west"] {
        entry.route(&Route::to(side)).await.unwrap();
    }
    let throttled =
        ground.aws.calls().iter().filter(|call| matches!(&call.outcome, Outcome::Refused(_))).count();
    assert_eq!(throttled, 0, "{:?}", ground.aws.calls());
    assert!(ground.aws.calls().len() >= 12, "nothing was asked");
}

#[tokio::test]
async fn a_failing_service_is_not_ready_and_may_have_acted() {
    for fault in [Fault::InternalFailure, Fault::ServiceUnavailable, Fault::HtmlErrorPage] {
        let ground = Ground::simple().await;
        let entry = ground.entry(json!({})).await;
        let was = entry.prepare(&Route::to("west")).await.unwrap();
        ground.aws.fail(route53(fault.clone()).action("ChangeResourceRecordSets"));
        let error = entry.apply(&Route::to("west"), &was).await.unwrap_err();
        assert_eq!(
            (error.kind(), error.happened()),
            (ErrorKind::NotReady, Happened::Maybe),
            "{fault:?}: {error}"
        );
        assert!(matches!(error.retry(), Retry::Transient { .. }), "{fault:?}");
        assert_eq!(
            ground.calls("ChangeResourceRecordSets"),
            1,
            "{fault:?}: a change in doubt is not repeated"
        );
        // Looking is repeated.
        ground.aws.heal_all();
        ground.aws.fail(route53(fault).action("ListResourceRecordSets").times(2));
        assert!(matches!(entry.prepare(&Route::to("west")).await.unwrap().standing, Standing::Would { .. }));
    }
}

#[tokio::test]
async fn expired_credentials_say_what_to_do() {
    let ground = Ground::simple().await;
    let entry = ground.entry(json!({})).await;
    ground.aws.fail(route53(Fault::ExpiredCredentials));
    let error = entry.prepare(&Route::to("west")).await.unwrap_err();
    assert_eq!((error.kind(), error.retry()), (ErrorKind::Unauthorized, Retry::Permanent), "{error}");
    assert!(text(&error).contains("aws sso login"), "{error}");
}

#[tokio::test]
async fn a_missing_right_is_named() {
    let ground = Ground::simple().await;
    let entry = ground.entry(json!({})).await;
    let was = entry.prepare(&Route::to("west")).await.unwrap();
    ground.aws.deny("route53:ChangeResourceRecordSets");
    let error = entry.apply(&Route::to("west"), &was).await.unwrap_err();
    assert_eq!((error.kind(), error.happened()), (ErrorKind::Unauthorized, Happened::No), "{error}");
    assert!(text(&error).contains("route53:ChangeResourceRecordSets"), "{error}");
}

#[tokio::test]
async fn a_lost_reply_is_read_again_and_found_done() {
    let ground = Ground::simple().await;
    let entry = ground.entry(json!({})).await;
    ground.aws.fail(route53(Fault::LostReply).action("ChangeResourceRecordSets").times(1));
    entry.route(&Route::to("west")).await.unwrap();
    assert_eq!(ground.calls("ChangeResourceRecordSets"), 1, "it was sent twice");
    ground.answers_become(WEST).await;
}

/// P25: somebody else's change between reading and writing.
#[tokio::test]
async fn a_record_that_someone_changes_under_our_hands_is_a_conflict() {
    let ground = Ground::simple().await;
    let entry = ground.entry(json!({})).await;
    let was = entry.prepare(&Route::to("west")).await.unwrap();
    ground.put(Record::simple(NAME, "A", 60, &["203.0.113.9"]));
    let error = entry.apply(&Route::to("west"), &was).await.unwrap_err();
    assert_eq!((error.kind(), error.happened()), (ErrorKind::Conflict, Happened::No), "{error}");
    assert!(text(&error).contains("203.0.113.9"), "{error}");
    assert_eq!(ground.calls("ChangeResourceRecordSets"), 0);
}

#[tokio::test]
async fn a_vanished_zone_is_named() {
    let ground = Ground::simple().await;
    let entry = ground.entry(json!({ "zone": "Z0000000000000000000" })).await;
    let error = entry.prepare(&Route::to("west")).await.unwrap_err();
    assert_eq!((error.kind(), error.retry()), (ErrorKind::NotFound, Retry::Permanent), "{error}");
    assert!(text(&error).contains("Z0000000000000000000"), "{error}");
}

/// P23: a slow link to AWS.
#[tokio::test]
async fn five_seconds_of_latency_are_only_slow() {
    let ground = Ground::simple().await;
    let entry = ground.entry(json!({})).await;
    let was = entry.prepare(&Route::to("west")).await.unwrap();
    ground.aws.fail(route53(Fault::LatencyMillis(5_000)));
    let effect = entry.resource.effect::<Route>().unwrap();
    effect.apply(&entry.cx(60 * SECOND), &Route::to("west"), &was).await.unwrap();
}

#[tokio::test]
async fn a_black_hole_ends_with_the_deadline() {
    let ground = Ground::simple().await;
    let entry = ground.entry(json!({})).await;
    let was = entry.prepare(&Route::to("west")).await.unwrap();
    ground.aws.fail(route53(Fault::BlackHole));
    let begun = Instant::now();
    let effect = entry.resource.effect::<Route>().unwrap();
    let cx: Cx = entry.cx(3 * SECOND);
    let error = effect.apply(&cx, &Route::to("west"), &was).await.unwrap_err();
    assert!(begun.elapsed() < Duration::from_millis(3_200), "{:?}", begun.elapsed());
    assert_eq!((error.kind(), error.happened()), (ErrorKind::Timeout, Happened::No), "{error}");
}

#[tokio::test]
async fn the_name_servers_are_seen_while_the_api_is_gone() {
    let ground = Ground::simple().await;
    let entry = ground.entry(json!({})).await;
    ground.aws.fail(route53(Fault::BlackHole));
    let seen = entry.observe().await.unwrap();
    assert_eq!(seen.side().unwrap().as_str(), "east");
    assert!(
        seen.automatisms[0].starts_with("unknown"),
        "what is not known is not pinned: {:?}",
        seen.automatisms
    );
}

#[tokio::test]
async fn nothing_listening_is_unreachable_and_nothing_was_sent() {
    let ground = Ground::simple().await;
    let nobody = json!({ "aws": { "endpoint": "http://127.0.0.1:9",
        "keys": { "id": "AKIATESTTESTTESTTEST", "secret": "${test:secret}" } } });
    let entry = ground.entry(nobody).await;
    let error = entry.prepare(&Route::to("west")).await.unwrap_err();
    assert_eq!((error.kind(), error.happened()), (ErrorKind::Unreachable, Happened::No), "{error}");
}
