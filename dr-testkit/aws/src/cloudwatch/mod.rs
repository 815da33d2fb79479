//! CloudWatch: metrics, alarms and their history.
//!
//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_Operations.html>

mod alarm;
mod alarm_api;
mod data_api;
mod evaluate;
mod history;
mod metric;

pub(crate) use alarm::{Alarm, AlarmState};
pub(crate) use evaluate::{Due, carry_out};
pub(crate) use metric::MetricKey;

use std::collections::{BTreeMap, BTreeSet};

use dr_core::Timestamp;

use crate::server::unknown;
use crate::service::Service;
use crate::wire::{Answer, ApiError, Request};
use crate::world::World;

/// An account's CloudWatch in a region.
#[derive(Debug, Default)]
pub(crate) struct CloudWatch {
    pub(crate) alarms: BTreeMap<String, Alarm>,
    pub(crate) history: Vec<history::Item>,
    /// What was put there, in the order of its moments.
    pub(crate) data: BTreeMap<MetricKey, Vec<(Timestamp, f64)>>,
    /// Targets that take no notification.
    pub(crate) broken_targets: BTreeSet<String>,
    pub(crate) delivered: Vec<Delivery>,
}

/// A notification that reached its target.
#[derive(Debug, Clone)]
pub(crate) struct Delivery {
    pub(crate) target: String,
    pub(crate) alarm: String,
    pub(crate) state: AlarmState,
}

/// Carries a call out.
pub(crate) fn perform(world: &mut World, request: &Request) -> Result<Answer, ApiError> {
    match request.action.as_str() {
        "GetMetricData" => data_api::get_data(world, request),
        "GetMetricStatistics" => data_api::get_statistics(world, request),
        "PutMetricData" => data_api::put(world, request),
        "DescribeAlarms" => alarm_api::describe(world, request),
        "PutMetricAlarm" => alarm_api::put(world, request),
        "DeleteAlarms" => alarm_api::delete(world, request),
        "SetAlarmState" => alarm_api::set_state(world, request),
        "DescribeAlarmHistory" => history::describe(world, request),
        other => Err(unknown(Service::CloudWatch, other)),
    }
}
