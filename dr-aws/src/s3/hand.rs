//! A restore and a marker as a person would type them.

use dr_core::resource::{Call, Point, Restore};
use serde_json::Value;

use super::config::{Bucket, S3Plan};
use super::marker::Marker;
use crate::hand::Hand;
use crate::service::Service;

/// The commands of a call; of a restore those for one object, for each of the others is done alike.
pub(super) fn commands(plan: &S3Plan, verb: &str, call: &Value) -> Vec<String> {
    match verb {
        Restore::VERB => {
            serde_json::from_value(call.clone()).map(|call| restore(plan, &call)).unwrap_or_default()
        }
        Marker::VERB => {
            serde_json::from_value(call.clone()).map(|call| marker(plan, &call)).unwrap_or_default()
        }
        _ => Vec::new(),
    }
}

fn hand(plan: &S3Plan, bucket: &Bucket, action: &str) -> Hand {
    Hand::new(&plan.aws, Service::S3, &bucket.region, action).with("bucket", &bucket.name)
}

fn restore(plan: &S3Plan, call: &Restore) -> Vec<String> {
    let Some((side, to)) = call.side.side().ok().and_then(|side| plan.sides.get_key_value(side)) else {
        return Vec::new();
    };
    let (from, moment) = match &call.point {
        Point::Latest => return Vec::new(),
        Point::At(moment) => (side.as_str(), moment.to_string()),
        Point::Copy(text) => match text.split_once('@') {
            Some((from, moment)) => (from, moment.to_owned()),
            None => (text.as_str(), "now".to_owned()),
        },
    };
    let Some(from) = plan.sides.get(from) else { return Vec::new() };
    let prefix = call.only.as_deref().unwrap_or(&plan.prefix);
    let into = call.into.as_deref().unwrap_or(prefix);
    vec![
        hand(plan, from, "list-object-versions").with("prefix", prefix).line(&plan.aws),
        hand(plan, to, "copy-object")
            .with("copy-source", format!("{}/<key>?versionId=<its newest at {moment}>", from.name))
            .with("key", format!("{into}<the rest of the key>"))
            .line(&plan.aws),
        hand(plan, to, "delete-object").with("key", "<a key that did not exist then>").line(&plan.aws),
    ]
}

fn marker(plan: &S3Plan, call: &Marker) -> Vec<String> {
    let of = |at: &dr_core::resource::At| at.side().ok().and_then(|side| plan.sides.get(side));
    let (Some(from), Some(to)) = (of(&call.from), of(&call.to)) else { return Vec::new() };
    let key = format!("{}markers/by-hand", plan.own());
    vec![
        hand(plan, from, "put-object").with("key", &key).line(&plan.aws),
        hand(plan, to, "wait object-exists").with("key", &key).line(&plan.aws),
        hand(plan, from, "delete-object").with("key", &key).line(&plan.aws),
    ]
}
