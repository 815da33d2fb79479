//! CloudWatch: metrics and alarms.

mod alarm;

pub(crate) use alarm::{Alarm, AlarmState};

use std::collections::BTreeMap;

/// An account's CloudWatch in a region.
#[derive(Debug, Default)]
pub(crate) struct CloudWatch {
    pub(crate) alarms: BTreeMap<String, Alarm>,
}
