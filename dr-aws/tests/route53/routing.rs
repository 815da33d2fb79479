//! Routes, one after the other, and what they leave.

use dr_core::resource::{Propagation, Route, Share, Standing};
use dr_core::{ErrorKind, Happened};
use dr_testkit_aws::Record;
use serde_json::json;

use crate::support::{EAST, Ground, NAME, WEST, text};

fn share(percent: u8) -> Share {
    Share::of_percent(percent).unwrap()
}

#[tokio::test]
async fn a_simple_record_is_replaced_and_put_back_exactly() {
    let ground = Ground::simple().await;
    let before = ground.look().await;
    let entry = ground.entry(json!({})).await;
    let call = Route::to("west");
    let (was, routed) = entry.route(&call).await.unwrap();
    assert_eq!((routed.propagation, routed.old_ttl.as_secs()), (Propagation::Answers, 60));
    ground.answers_become(WEST).await;
    assert_eq!(entry.observe().await.unwrap().side().unwrap().as_str(), "west");
    entry.undo(&call, &was.before).await.unwrap();
    assert_eq!(before, ground.look().await);
}

#[tokio::test]
async fn a_record_that_is_not_there_is_made_and_taken_away_again() {
    let ground = Ground::new().await;
    let before = ground.look().await;
    let entry = ground.entry(json!({})).await;
    let call = Route::to("west");
    let (was, _) = entry.route(&call).await.unwrap();
    ground.answers_become(WEST).await;
    entry.undo(&call, &was.before).await.unwrap();
    assert_eq!(before, ground.look().await);
}

#[tokio::test]
async fn an_address_that_comes_with_the_call_is_taken_instead_of_the_plans() {
    let ground = Ground::simple().await;
    let before = ground.look().await;
    let entry = ground.entry(json!({ "values": { "east": EAST } })).await;
    let refused = entry.prepare(&Route::to("west")).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Invalid, "{refused}");
    assert!(text(&refused).contains("address_from"), "{refused}");
    let mut call = Route::to("west");
    call.values = Some(vec!["203.0.113.77".to_owned()]);
    let (was, _) = entry.route(&call).await.unwrap();
    ground.answers_become("203.0.113.77").await;
    // By the time of an undo the address may be another one.
    call.values = None;
    entry.undo(&call, &was.before).await.unwrap();
    assert_eq!(before, ground.look().await);
}

#[tokio::test]
async fn callers_are_moved_in_shares_and_back_to_the_last_one() {
    let ground = Ground::weighted().await;
    let entry = ground.entry(json!({ "routing": "weighted" })).await;
    let mut last = None;
    for percent in [10, 50, 100] {
        let call = Route::to("west").sharing(share(percent));
        let (was, routed) = entry.route(&call).await.unwrap();
        assert_eq!((routed.share.percent(), routed.propagation), (percent, Propagation::Answers));
        let shares = entry.observe().await.unwrap().shares;
        assert_eq!((shares["west"].percent(), shares["east"].percent()), (percent, 100 - percent));
        assert!(entry.prepare(&call).await.unwrap().is_already(), "{percent} %");
        last = Some((call, was));
    }
    ground.answers_become(WEST).await;
    let (call, was) = last.unwrap();
    entry.undo(&call, &was.before).await.unwrap();
    assert_eq!(entry.observe().await.unwrap().shares["west"].percent(), 50);
}

#[tokio::test]
async fn a_share_needs_weights() {
    let ground = Ground::simple().await;
    let entry = ground.entry(json!({})).await;
    let error = entry.prepare(&Route::to("west").sharing(share(10))).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
}

/// P25: a record that the plan does not describe.
#[tokio::test]
async fn a_foreign_record_is_refused_and_stays() {
    let ground = Ground::weighted().await;
    ground.put(Record::simple(NAME, "A", 60, &["203.0.113.5"]).weighted("canary", 1));
    let before = ground.look().await;
    let entry = ground.entry(json!({ "routing": "weighted" })).await;
    let error = entry.prepare(&Route::to("west")).await.unwrap_err();
    assert_eq!((error.kind(), error.happened()), (ErrorKind::Refused, Happened::No), "{error}");
    assert!(text(&error).contains("canary"), "{error}");
    let simple = ground.entry(json!({})).await;
    let error = simple.prepare(&Route::to("west")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused, "{error}");
    assert!(text(&error).contains("routing: simple"), "{error}");
    assert_eq!(before.lines().count(), ground.look().await.lines().count());
    assert!(ground.aws.mutations().is_empty(), "{:?}", ground.aws.mutations());
}

#[tokio::test]
async fn only_what_differs_is_changed() {
    let ground = Ground::weighted().await;
    let entry = ground.entry(json!({ "routing": "weighted" })).await;
    let was = entry.prepare(&Route::to("west")).await.unwrap();
    let Standing::Would { diff } = &was.standing else { panic!("{was:?}") };
    assert_eq!(diff.0.len(), 2, "{diff}");
    entry.apply(&Route::to("west"), &was).await.unwrap();
    let again = entry.route(&Route::to("west")).await.unwrap();
    assert!(again.0.is_already());
    assert_eq!(ground.calls("ChangeResourceRecordSets"), 1, "what is so already is not sent again");
}
