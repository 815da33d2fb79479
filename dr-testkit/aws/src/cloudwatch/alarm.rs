//! Alarms.

use crate::place::Place;
use crate::route53::Insufficient;
use crate::world::World;

/// States of an alarm: <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/AlarmThatSendsEmail.html#alarm-states>.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AlarmState {
    Ok,
    Alarm,
    Insufficient,
}

/// An alarm.
#[derive(Debug, Clone)]
pub(crate) struct Alarm {
    pub(crate) state: AlarmState,
    /// The last state with data.
    pub(crate) known: Option<AlarmState>,
}

impl World {
    /// What an alarm makes of a health check that follows it: alarm is unhealthy, OK is healthy.
    ///
    /// <https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/dns-failover-determining-health-of-endpoints.html#dns-failover-determining-health-of-endpoints-cloudwatch>
    pub(crate) fn alarm_health(
        &self,
        account: &str,
        region: &str,
        name: &str,
        insufficient: Insufficient,
    ) -> bool {
        let alarm = self
            .cloudwatch
            .get(&Place::new(account, region))
            .and_then(|cloudwatch| cloudwatch.alarms.get(name));
        let (state, known) =
            alarm.map_or((AlarmState::Insufficient, None), |alarm| (alarm.state, alarm.known));
        match state {
            AlarmState::Ok => true,
            AlarmState::Alarm => false,
            AlarmState::Insufficient => match insufficient {
                Insufficient::Healthy => true,
                Insufficient::Unhealthy => false,
                Insufficient::LastKnown => known != Some(AlarmState::Alarm),
            },
        }
    }
}
