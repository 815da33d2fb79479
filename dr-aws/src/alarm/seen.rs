//! One alarm, as CloudWatch describes it: a metric alarm or a composite one.

use aws_sdk_cloudwatch::types::{AlarmType, CompositeAlarm, MetricAlarm, StateValue};
use dr_core::resource::{AlarmStands, AlarmState, Cx};
use dr_core::{Error, Region, Result};

use crate::asking::Op;
use crate::client::Aws;

/// As many names as one call takes.
const NAMES: usize = 100;

/// An alarm as it is now.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Seen {
    pub(super) name: String,
    /// What CloudWatch calls its state. `None`: something that this release does not know.
    pub(super) state: Option<StateValue>,
    pub(super) reason: String,
    /// What it does when it goes off.
    pub(super) actions: Vec<String>,
    /// Whether it does anything at all.
    pub(super) enabled: bool,
    /// What holds its actions back, of a composite alarm.
    pub(super) suppressed: Option<String>,
}

/// The alarms of a region by their names, in the order of `names`; `None` where there is no such alarm.
pub(super) async fn look(
    cx: &Cx,
    aws: &Aws,
    region: &Region,
    names: &[String],
) -> Result<Vec<(String, Option<Seen>)>> {
    let cloudwatch = aws.cloudwatch(region);
    let mut seen: Vec<Seen> = Vec::new();
    for some in names.chunks(NAMES) {
        let mut next: Option<String> = None;
        loop {
            let page = Op::reads("cloudwatch:DescribeAlarms")
                .at(region)
                .ask(cx, || {
                    cloudwatch
                        .describe_alarms()
                        .set_alarm_names(Some(some.to_vec()))
                        .alarm_types(AlarmType::MetricAlarm)
                        .alarm_types(AlarmType::CompositeAlarm)
                        .set_next_token(next.clone())
                        .send()
                })
                .await
                .map_err(Error::from)?;
            seen.extend(page.metric_alarms().iter().filter_map(metric));
            seen.extend(page.composite_alarms().iter().filter_map(composite));
            next = page.next_token;
            if next.is_none() {
                break;
            }
        }
    }
    Ok(names
        .iter()
        .map(|name| (name.clone(), seen.iter().find(|alarm| alarm.name == *name).cloned()))
        .collect())
}

fn metric(alarm: &MetricAlarm) -> Option<Seen> {
    Some(Seen {
        name: alarm.alarm_name.clone()?,
        state: known(alarm.state_value.as_ref()),
        reason: alarm.state_reason.clone().unwrap_or_default(),
        actions: alarm.alarm_actions().to_vec(),
        // What is not said is not known to be on.
        enabled: alarm.actions_enabled == Some(true),
        suppressed: None,
    })
}

fn composite(alarm: &CompositeAlarm) -> Option<Seen> {
    let suppressed = alarm.actions_suppressed_by.as_ref().map(|by| {
        let reason = alarm.actions_suppressed_reason.as_deref().unwrap_or("CloudWatch does not say why");
        format!("its actions are suppressed by {}: {reason}", by.as_str())
    });
    Some(Seen {
        name: alarm.alarm_name.clone()?,
        state: known(alarm.state_value.as_ref()),
        reason: alarm.state_reason.clone().unwrap_or_default(),
        actions: alarm.alarm_actions().to_vec(),
        enabled: alarm.actions_enabled == Some(true),
        suppressed,
    })
}

fn known(state: Option<&StateValue>) -> Option<StateValue> {
    match state {
        Some(state @ (StateValue::Ok | StateValue::Alarm | StateValue::InsufficientData)) => {
            Some(state.clone())
        }
        Some(_) | None => None,
    }
}

impl Seen {
    /// Why its going off would reach nobody, if so.
    pub(super) fn unheard(&self) -> Option<String> {
        if !self.enabled {
            return Some("its actions are disabled: nobody would hear it".to_owned());
        }
        if self.actions.is_empty() {
            return Some("it has no action for ALARM: nobody would hear it".to_owned());
        }
        self.suppressed.clone()
    }

    fn stands(&self) -> AlarmStands {
        match self.state {
            Some(StateValue::Ok) => AlarmStands::Quiet,
            Some(StateValue::Alarm) => AlarmStands::Alarm,
            // No data, and what is not understood: neither is quiet.
            _ => AlarmStands::NoData,
        }
    }

    /// As the core sees alarms.
    pub(super) fn state(&self) -> AlarmState {
        let armed = self.enabled && self.suppressed.is_none();
        let why = match &self.suppressed {
            Some(suppressed) => format!("{} ({suppressed})", self.reason),
            None => self.reason.clone(),
        };
        AlarmState::new(&self.name, self.stands(), why).reaching(self.actions.clone(), armed)
    }
}

/// An alarm that is not there: it knows nothing, and nobody would hear it.
pub(super) fn missing(name: &str) -> AlarmState {
    AlarmState::new(name, AlarmStands::NoData, "there is no such alarm").reaching(Vec::new(), false)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alarm(state: StateValue) -> MetricAlarm {
        MetricAlarm::builder()
            .alarm_name("Lag")
            .state_value(state)
            .alarm_actions("arn:aws:sns:us-west-2:123456789012:oncall")
            .actions_enabled(true)
            .build()
    }

    /// P3: an alarm without data.
    #[test]
    fn what_has_no_data_or_is_not_understood_is_never_quiet() {
        let stands = |state| metric(&alarm(state)).unwrap().state().stands;
        assert_eq!(stands(StateValue::Ok), AlarmStands::Quiet);
        assert_eq!(stands(StateValue::Alarm), AlarmStands::Alarm);
        assert_eq!(stands(StateValue::InsufficientData), AlarmStands::NoData);
        assert_eq!(stands(StateValue::from("PERHAPS")), AlarmStands::NoData);
        assert_eq!(missing("Lag").stands, AlarmStands::NoData);
    }

    #[test]
    fn an_alarm_that_nobody_would_hear_says_why() {
        let heard = metric(&alarm(StateValue::Ok)).unwrap();
        assert_eq!(heard.unheard(), None);
        assert!(Seen { enabled: false, ..heard.clone() }.unheard().unwrap().contains("disabled"));
        assert!(Seen { actions: Vec::new(), ..heard.clone() }.unheard().unwrap().contains("no action"));
        let suppressed = Seen { suppressed: Some("its actions are suppressed by Alarm".to_owned()), ..heard };
        assert!(suppressed.unheard().is_some() && !suppressed.state().armed);
    }
}
