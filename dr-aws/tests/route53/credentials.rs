//! Who we are does not hang on one region.

use dr_core::ErrorKind;
use dr_core::resource::Route;
use dr_testkit_aws::{Failure, Fault, Service};
use serde_json::{Value, json};

use crate::support::{Entry, Ground, text};

async fn entry(ground: &Ground, sts: &str) -> Entry {
    let mut aws: Value = ground.reached();
    aws["role_arn"] = json!(format!("arn:aws:iam::{}:role/dr", ground.aws.account()));
    aws["sts"] = json!(sts);
    ground.entry(json!({ "aws": aws })).await
}

#[tokio::test]
async fn a_role_is_had_from_whichever_regions_sts_answers() {
    let ground = Ground::simple().await;
    ground.aws.fail(Failure::new(Fault::BlackHole).service(Service::Sts).region("us-east-1"));
    let entry = entry(&ground, "regional").await;
    entry.route(&Route::to("west")).await.unwrap();
    let asked: Vec<String> = ground
        .aws
        .calls()
        .into_iter()
        .filter(|call| call.action == "AssumeRole")
        .map(|call| call.region)
        .collect();
    assert_eq!(asked, ["us-east-1", "eu-central-1"], "the second only after the first was silent, and once");
}

#[tokio::test]
async fn a_role_that_may_not_be_assumed_is_a_persons_to_mend_and_a_failing_sts_is_not() {
    let ground = Ground::simple().await;
    ground.aws.deny("sts:AssumeRole");
    let error = entry(&ground, "regional").await.prepare(&Route::to("west")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unauthorized, "{error}");
    assert!(text(&error).contains("AssumeRole"), "{error:?}");
    ground.aws.allow("sts:AssumeRole");
    ground.aws.fail(Failure::new(Fault::ServiceUnavailable).service(Service::Sts));
    let error = entry(&ground, "regional").await.prepare(&Route::to("west")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unreachable, "{error}");
}
