//! What became of alarms.

use dr_core::Timestamp;

use crate::place::Place;
use crate::wire::{Answer, ApiError, Node, Request};
use crate::world::World;

/// Kinds of entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    ConfigurationUpdate,
    StateUpdate,
    Action,
}

impl Kind {
    const fn as_str(self) -> &'static str {
        match self {
            Self::ConfigurationUpdate => "ConfigurationUpdate",
            Self::StateUpdate => "StateUpdate",
            Self::Action => "Action",
        }
    }
}

/// An entry.
#[derive(Debug, Clone)]
pub(crate) struct Item {
    at: Timestamp,
    alarm: String,
    kind: Kind,
    summary: String,
    data: String,
}

impl World {
    /// An account's CloudWatch in a region.
    pub(crate) fn cloudwatch(&mut self, place: &Place) -> &mut super::CloudWatch {
        self.cloudwatch.entry(place.clone()).or_default()
    }

    pub(super) fn note(&mut self, place: &Place, alarm: &str, kind: Kind, summary: String, data: String) {
        let at = self.clock.wall();
        let item = Item { at, alarm: alarm.to_owned(), kind, summary, data };
        self.cloudwatch(place).history.push(item);
    }
}

/// The newest first, unless told otherwise.
///
/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_DescribeAlarmHistory.html>
pub(super) fn describe(world: &mut World, request: &Request) -> Result<Answer, ApiError> {
    let input = request.input();
    let place = Place::new(&request.account, &request.region);
    let (name, kind) = (input.text("AlarmName"), input.text("HistoryItemType"));
    let (start, end) = (input.time("StartDate")?, input.time("EndDate")?);
    let most = usize::try_from(input.int("MaxRecords")?.unwrap_or(100)).unwrap_or(0);
    if !(1..=100).contains(&most) {
        return Err(ApiError::new(400, "ValidationError", "MaxRecords must be between 1 and 100"));
    }
    let begin = match input.text("NextToken") {
        None => 0,
        Some(token) => token
            .parse::<usize>()
            .map_err(|_| ApiError::new(400, "InvalidNextToken", "The next token specified is invalid."))?,
    };
    let mut items: Vec<Item> = world
        .cloudwatch(&place)
        .history
        .iter()
        .filter(|item| name.is_none_or(|name| name == item.alarm))
        .filter(|item| kind.is_none_or(|kind| kind == item.kind.as_str()))
        .filter(|item| start.is_none_or(|start| item.at >= start))
        .filter(|item| end.is_none_or(|end| item.at <= end))
        .cloned()
        .collect();
    if input.text("ScanBy") != Some("TimestampAscending") {
        items.reverse();
    }
    let next = (items.len() > begin + most).then(|| (begin + most).to_string());
    let page = items.iter().skip(begin).take(most).map(|item| {
        Node::map()
            .put("AlarmName", &item.alarm)
            .put("AlarmType", "MetricAlarm")
            .put("Timestamp", item.at)
            .put("HistoryItemType", item.kind.as_str())
            .put("HistorySummary", &item.summary)
            .put("HistoryData", &item.data)
    });
    Ok(Answer::of(Node::map().put("AlarmHistoryItems", Node::list("member", page)).maybe("NextToken", next)))
}
