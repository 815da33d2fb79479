//! `{ route: entry, shares: [10, 50, 100], … }`: one step for each share, each after the one before.

use serde_json::Value;

use super::codes;
use super::document::Step;
use super::fields;
use super::finding::Finding;

const SHARES: &str = "shares";
/// How many values the steps of one `shares` may hold together: each has all the options.
const MOST: usize = 10_000;

/// The steps that a step stands for: itself, unless it routes in shares.
pub(super) fn steps(mut step: Step, out: &mut Vec<Finding>) -> Vec<Step> {
    let shares = match step.call.as_object_mut().filter(|_| step.verb == "route") {
        Some(call) => call.shift_remove(SHARES),
        None => None,
    };
    let Some(shares) = shares else { return vec![step] };
    let place = step.place(&format!("/{SHARES}"));
    let mut wrong = |message: &str| {
        out.push(Finding::error(
            codes::BAD_VALUE,
            place,
            message,
            "write the shares in percent as they grow: `shares: [10, 50, 100]`",
        ));
        Vec::new()
    };
    let Some(shares) = percents(&shares) else {
        return wrong("`shares` is a list of whole percent from 1 to 100");
    };
    if !shares.windows(2).all(|pair| pair[0] < pair[1]) || shares.is_empty() {
        return wrong("`shares` has to grow from one to the next");
    }
    if step.call.get("share").is_some() {
        return wrong("a route has one `share` or several `shares`, not both");
    }
    if shares.len().saturating_mul(values(&step.call)) > MOST {
        return wrong("a route in `shares` has more options than can be repeated for each share");
    }
    let name = step
        .id
        .clone()
        .unwrap_or_else(|| step.resource.as_ref().map_or_else(String::new, ToString::to_string));
    let mut steps: Vec<Step> = Vec::with_capacity(shares.len());
    for share in shares {
        let mut next = step.clone();
        if let Some(call) = next.call.as_object_mut() {
            call.insert("share".to_owned(), Value::from(share));
        }
        let id = format!("{name}-{share}");
        if !fields::check_name(&id, "a step", place, out) {
            return Vec::new();
        }
        next.id = Some(id);
        if let Some(last) = steps.last() {
            next.after = vec![last.local_id()];
        }
        steps.push(next);
    }
    steps
}

/// How many values there are in it.
fn values(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => 1,
        Value::Array(items) => 1 + items.iter().map(values).sum::<usize>(),
        Value::Object(entries) => 1 + entries.values().map(values).sum::<usize>(),
    }
}

fn percents(shares: &Value) -> Option<Vec<u64>> {
    let percent = |share: &Value| match share {
        Value::Number(number) => number.as_u64(),
        Value::String(text) => text.trim_end_matches('%').trim().parse().ok(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    };
    let all: Option<Vec<u64>> = shares.as_array()?.iter().map(percent).collect();
    all.filter(|all| all.iter().all(|share| (1..=100).contains(share)))
}
