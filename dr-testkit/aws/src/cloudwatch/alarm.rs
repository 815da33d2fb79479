//! Alarms, and what a health check makes of one.

use std::time::Duration;

use dr_core::Timestamp;

use super::metric::MetricKey;
use crate::place::Place;
use crate::route53::Insufficient;
use crate::wire::{ApiError, Input, Node};
use crate::world::World;

/// States of an alarm: <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/AlarmThatSendsEmail.html#alarm-states>.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AlarmState {
    Ok,
    Alarm,
    Insufficient,
}

impl AlarmState {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::Alarm => "ALARM",
            Self::Insufficient => "INSUFFICIENT_DATA",
        }
    }

    pub(super) fn parse(text: &str) -> Result<Self, ApiError> {
        [Self::Ok, Self::Alarm, Self::Insufficient]
            .into_iter()
            .find(|state| state.as_str() == text)
            .ok_or_else(|| {
                ApiError::new(
                    400,
                    "ValidationError",
                    format!("1 validation error detected: Value '{text}' at 'stateValue' failed to satisfy constraint: Member must satisfy enum value set: [INSUFFICIENT_DATA, ALARM, OK]"),
                )
            })
    }
}

/// An alarm.
#[derive(Debug, Clone)]
pub(crate) struct Alarm {
    pub(crate) name: String,
    pub(crate) description: Option<String>,
    pub(crate) metric: MetricKey,
    pub(crate) statistic: String,
    pub(crate) period: Duration,
    pub(crate) periods: usize,
    pub(crate) to_alarm: usize,
    pub(crate) threshold: f64,
    pub(crate) comparison: String,
    pub(crate) missing: String,
    pub(crate) acts: bool,
    pub(crate) ok_actions: Vec<String>,
    pub(crate) alarm_actions: Vec<String>,
    pub(crate) insufficient_actions: Vec<String>,
    pub(crate) configured: Timestamp,
    pub(crate) state: AlarmState,
    pub(crate) reason: String,
    pub(crate) since: Timestamp,
    /// The last state with data.
    pub(crate) known: Option<AlarmState>,
    /// Names this configuration: an evaluation of an older one does nothing.
    pub(crate) generation: u64,
}

const COMPARISONS: [&str; 4] = [
    "GreaterThanOrEqualToThreshold",
    "GreaterThanThreshold",
    "LessThanThreshold",
    "LessThanOrEqualToThreshold",
];

impl Alarm {
    pub(super) fn read(input: &Input<'_>, now: Timestamp, generation: u64) -> Result<Self, ApiError> {
        if input.has("Metrics") {
            return Err(ApiError::new(
                501,
                "NotImplemented",
                "the simulator does not model metric expressions",
            ));
        }
        let whole = |name: &str| -> Result<usize, ApiError> {
            input
                .int(name)?
                .and_then(|number| usize::try_from(number).ok())
                .filter(|number| *number > 0)
                .ok_or_else(|| ApiError::invalid(format!("The value for parameter {name} is invalid")))
        };
        let comparison = input.need("ComparisonOperator")?.to_owned();
        if !COMPARISONS.contains(&comparison.as_str()) {
            return Err(ApiError::invalid(format!("Invalid ComparisonOperator: {comparison}")));
        }
        let periods = whole("EvaluationPeriods")?;
        let to_alarm = if input.has("DatapointsToAlarm") { whole("DatapointsToAlarm")? } else { periods };
        let missing = input.text("TreatMissingData").unwrap_or("missing").to_owned();
        if !["missing", "breaching", "notBreaching", "ignore"].contains(&missing.as_str()) {
            return Err(ApiError::invalid(format!("Invalid TreatMissingData: {missing}")));
        }
        let actions = |name: &str| input.texts(name).unwrap_or_default();
        Ok(Self {
            name: input.need("AlarmName")?.to_owned(),
            description: input.text("AlarmDescription").map(str::to_owned),
            metric: MetricKey::read(input)?,
            statistic: input.need("Statistic")?.to_owned(),
            period: Duration::from_secs(whole("Period")? as u64),
            periods,
            to_alarm,
            threshold: input.float("Threshold").ok_or_else(|| ApiError::missing("Threshold"))?,
            comparison,
            missing,
            acts: input.flag("ActionsEnabled")?.unwrap_or(true),
            ok_actions: actions("OKActions"),
            alarm_actions: actions("AlarmActions"),
            insufficient_actions: actions("InsufficientDataActions"),
            configured: now,
            state: AlarmState::Insufficient,
            reason: "Unchecked: Initial alarm creation".to_owned(),
            since: now,
            known: None,
            generation,
        })
    }

    /// What is told when it comes to a state.
    pub(super) fn actions(&self, state: AlarmState) -> &[String] {
        match state {
            AlarmState::Ok => &self.ok_actions,
            AlarmState::Alarm => &self.alarm_actions,
            AlarmState::Insufficient => &self.insufficient_actions,
        }
    }

    /// Whether a value crosses the threshold.
    pub(super) fn is_breached_by(&self, value: f64) -> bool {
        match self.comparison.as_str() {
            "GreaterThanOrEqualToThreshold" => value >= self.threshold,
            "GreaterThanThreshold" => value > self.threshold,
            "LessThanThreshold" => value < self.threshold,
            _ => value <= self.threshold,
        }
    }

    /// As the API shows it, without what changes by itself.
    pub(crate) fn settings(&self, place: &Place) -> Node {
        let actions = |list: &[String]| Node::list("member", list);
        let dimensions = self
            .metric
            .dimensions
            .iter()
            .map(|(name, value)| Node::map().put("Name", name).put("Value", value));
        Node::map()
            .put("AlarmName", &self.name)
            .put("AlarmArn", place.arn("cloudwatch", &format!("alarm:{}", self.name)))
            .maybe("AlarmDescription", self.description.as_deref())
            .put("AlarmConfigurationUpdatedTimestamp", self.configured)
            .put("ActionsEnabled", self.acts)
            .put("OKActions", actions(&self.ok_actions))
            .put("AlarmActions", actions(&self.alarm_actions))
            .put("InsufficientDataActions", actions(&self.insufficient_actions))
            .put("MetricName", &self.metric.name)
            .put("Namespace", &self.metric.namespace)
            .put("Statistic", &self.statistic)
            .put("Dimensions", Node::list("member", dimensions))
            .put("Period", i64::try_from(self.period.as_secs()).unwrap_or(i64::MAX))
            .put("EvaluationPeriods", self.periods)
            .put("DatapointsToAlarm", self.to_alarm)
            .put("Threshold", self.threshold)
            .put("ComparisonOperator", &self.comparison)
            .put("TreatMissingData", &self.missing)
    }

    /// As the API shows it.
    pub(super) fn node(&self, place: &Place) -> Node {
        self.settings(place)
            .put("StateValue", self.state.as_str())
            .put("StateReason", &self.reason)
            .put("StateUpdatedTimestamp", self.since)
            .put("StateTransitionedTimestamp", self.since)
    }
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
            .and_then(|cloudwatch| cloudwatch.alarms.get(name))
            // Nothing comes from a region that is lost.
            .filter(|_| !self.is_lost(region));
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
