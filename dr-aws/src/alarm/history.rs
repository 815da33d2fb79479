//! What CloudWatch recorded of an alarm's going off: whether it did, and what became of each of its actions.
//!
//! The history is CloudWatch's own (`DescribeAlarmHistory`): a `StateUpdate` item holds the new state's reason, which is
//! where a rehearsal is known by its mark; the `Action` items after it say of each action whether it was carried out.
//! That a person read the message is not in it.

use std::time::Duration;

use aws_sdk_cloudwatch::types::{AlarmHistoryItem, AlarmType, HistoryItemType, ScanBy};
use aws_smithy_types::DateTime;
use dr_core::resource::Cx;
use dr_core::{Error, Region, Result, Timestamp};
use serde_json::Value;

use crate::asking::Op;
use crate::client::Aws;

/// How far back a rehearsal of the same run is looked for: CloudWatch keeps thirty days.
const BACK: Duration = Duration::from_secs(14 * 86_400);
const PAGE: i32 = 100;

/// What the history says of one rehearsal.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Told {
    /// When it went off with that mark; `None`: it never did.
    pub(super) went_off: Option<Timestamp>,
    /// The actions that were carried out.
    pub(super) reached: Vec<String>,
    /// Those that were not, with the history's words.
    pub(super) failed: Vec<(String, String)>,
}

impl Told {
    /// Those of `actions` of which nothing is said yet.
    pub(super) fn waiting<'a>(&self, actions: &'a [String]) -> Vec<&'a str> {
        let failed = |action: &String| self.failed.iter().any(|(failed, _)| failed == action);
        let open = actions.iter().filter(|action| !self.reached.contains(action) && !failed(action));
        open.map(String::as_str).collect()
    }
}

/// Reads the history of an alarm, and judges it for the rehearsal that bears `mark`.
pub(super) async fn told(
    cx: &Cx,
    aws: &Aws,
    region: &Region,
    name: &str,
    mark: &str,
    actions: &[String],
) -> Result<Told> {
    let cloudwatch = aws.cloudwatch(region);
    let start = DateTime::from_millis(cx.now().minus(BACK).as_millis());
    let mut items: Vec<AlarmHistoryItem> = Vec::new();
    let mut next: Option<String> = None;
    loop {
        let page = Op::reads("cloudwatch:DescribeAlarmHistory")
            .at(region)
            .ask(cx, || {
                cloudwatch
                    .describe_alarm_history()
                    .alarm_name(name)
                    // Without them a composite alarm has none.
                    .alarm_types(AlarmType::MetricAlarm)
                    .alarm_types(AlarmType::CompositeAlarm)
                    .start_date(start)
                    .scan_by(ScanBy::TimestampDescending)
                    .max_records(PAGE)
                    .set_next_token(next.clone())
                    .send()
            })
            .await
            .map_err(Error::from)?;
        items.extend(page.alarm_history_items().iter().cloned());
        // Newest first: what is before the going off says nothing of it.
        let found = items.iter().any(|item| goes_off(item, mark));
        next = page.next_token.filter(|_| !found);
        if next.is_none() {
            break;
        }
    }
    Ok(judge(&items, mark, actions))
}

/// What these items, in any order, say of the rehearsal that bears `mark`.
fn judge(items: &[AlarmHistoryItem], mark: &str, actions: &[String]) -> Told {
    let Some(begun) = items.iter().filter(|item| goes_off(item, mark)).filter_map(at).max() else {
        return Told::default();
    };
    // What an alarm does when it is quiet again may go to the same address: only what came before that counts.
    let ended = items
        .iter()
        .filter(|item| is(item, &HistoryItemType::StateUpdate) && !goes_off(item, mark))
        .filter_map(at)
        .filter(|at| *at > begun)
        .min();
    let mut told = Told { went_off: Some(begun), ..Told::default() };
    for action in actions {
        let of_it: Vec<&AlarmHistoryItem> = items
            .iter()
            .filter(|item| is(item, &HistoryItemType::Action))
            .filter(|item| at(item).is_some_and(|at| at >= begun && ended.is_none_or(|ended| at <= ended)))
            .filter(|item| names(item, action) && !is_of_another_state(item))
            .collect();
        if of_it.iter().any(|item| carried_out(item)) {
            told.reached.push(action.clone());
        } else if let Some(item) = of_it.first() {
            told.failed.push((action.clone(), summary(item).to_owned()));
        }
    }
    told
}

/// Whether it went off with that mark in its reason.
fn goes_off(item: &AlarmHistoryItem, mark: &str) -> bool {
    let new = || {
        let data: Value = serde_json::from_str(item.history_data.as_deref()?).ok()?;
        let state = data.get("newState")?;
        let (value, reason) = (state.get("stateValue")?.as_str()?, state.get("stateReason")?.as_str()?);
        Some(value == "ALARM" && reason.contains(mark))
    };
    is(item, &HistoryItemType::StateUpdate) && new().unwrap_or(false)
}

/// Whether the message that was sent says that it is not about the going off.
fn is_of_another_state(item: &AlarmHistoryItem) -> bool {
    item.history_data.as_deref().is_some_and(|data| {
        ["OK", "INSUFFICIENT_DATA"]
            .iter()
            .any(|state| data.replace(['\\', ' '], "").contains(&format!("\"NewStateValue\":\"{state}\"")))
    })
}

/// Whether it is of that action, and not of one whose name only begins alike.
fn names(item: &AlarmHistoryItem, action: &str) -> bool {
    summary(item).split_whitespace().any(|word| word.trim_end_matches(['.', ',', ';']) == action)
}

/// Only these words are success; whatever else stands there is not.
fn carried_out(item: &AlarmHistoryItem) -> bool {
    summary(item).starts_with("Successfully executed action")
}

fn is(item: &AlarmHistoryItem, kind: &HistoryItemType) -> bool {
    item.history_item_type.as_ref() == Some(kind)
}

fn summary(item: &AlarmHistoryItem) -> &str {
    item.history_summary.as_deref().unwrap_or_default()
}

fn at(item: &AlarmHistoryItem) -> Option<Timestamp> {
    Some(Timestamp::from_millis(item.timestamp?.to_millis().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const MARK: &str = "[run-1/alert]";
    const TOPIC: &str = "arn:aws:sns:us-west-2:123456789012:oncall";

    fn item(second: i64, kind: HistoryItemType, summary: &str, data: Value) -> AlarmHistoryItem {
        AlarmHistoryItem::builder()
            .timestamp(DateTime::from_secs(second))
            .history_item_type(kind)
            .history_summary(summary)
            .history_data(data.to_string())
            .build()
    }

    fn update(second: i64, to: &str, reason: &str) -> AlarmHistoryItem {
        let data = json!({ "version": "1.0", "newState": { "stateValue": to, "stateReason": reason } });
        item(second, HistoryItemType::StateUpdate, "Alarm updated", data)
    }

    fn action(second: i64, how: &str) -> AlarmHistoryItem {
        item(second, HistoryItemType::Action, &format!("{how} action {TOPIC}"), json!({}))
    }

    fn judged(items: &[AlarmHistoryItem]) -> Told {
        judge(items, MARK, &[TOPIC.to_owned()])
    }

    #[test]
    fn an_action_after_the_going_off_counts() {
        let told =
            judged(&[action(11, "Successfully executed"), update(10, "ALARM", "rehearsal [run-1/alert]")]);
        assert_eq!(told.reached, [TOPIC]);
        assert!(told.waiting(&[TOPIC.to_owned()]).is_empty());
    }

    #[test]
    fn another_runs_rehearsal_and_what_was_before_do_not_count() {
        let other = [action(11, "Successfully executed"), update(10, "ALARM", "rehearsal [run-2/alert]")];
        assert_eq!(judged(&other), Told::default());
        let before = [update(10, "ALARM", MARK), action(9, "Successfully executed")];
        assert_eq!(judged(&before).waiting(&[TOPIC.to_owned()]), [TOPIC]);
    }

    #[test]
    fn what_it_does_when_quiet_again_is_no_proof() {
        let quiet =
            [action(13, "Successfully executed"), update(12, "OK", "over"), update(10, "ALARM", MARK)];
        assert!(judged(&quiet).reached.is_empty());
        let message = json!({ "publishedMessage": { "default": "{\"NewStateValue\":\"OK\"}" } });
        let late =
            item(12, HistoryItemType::Action, &format!("Successfully executed action {TOPIC}"), message);
        let quiet = [late, update(12, "OK", "over"), update(10, "ALARM", MARK)];
        assert!(judged(&quiet).reached.is_empty());
    }

    #[test]
    fn a_failed_action_and_unknown_words_are_no_success() {
        for how in ["Failed to execute", "Perhaps executed"] {
            let told = judged(&[action(11, how), update(10, "ALARM", MARK)]);
            assert!(told.reached.is_empty(), "{how}");
            assert_eq!(told.failed.len(), 1, "{how}");
        }
        let retried =
            [action(12, "Successfully executed"), action(11, "Failed to execute"), update(10, "ALARM", MARK)];
        assert!(judged(&retried).failed.is_empty());
    }

    #[test]
    fn an_action_that_only_begins_alike_is_another() {
        let other =
            item(11, HistoryItemType::Action, &format!("Successfully executed action {TOPIC}-2"), json!({}));
        assert_eq!(judged(&[other, update(10, "ALARM", MARK)]).waiting(&[TOPIC.to_owned()]), [TOPIC]);
    }

    #[test]
    fn data_that_is_no_json_says_nothing() {
        let garbled = AlarmHistoryItem::builder()
            .timestamp(DateTime::from_secs(10))
            .history_item_type(HistoryItemType::StateUpdate)
            .history_data("ALARM [run-1/alert]")
            .build();
        assert_eq!(judged(&[garbled]), Told::default());
    }
}
