//! The backend of kind `cloudwatch-alarm`.

use std::collections::BTreeMap;
use std::sync::Arc;

use dr_core::resource::{Alarms, Call, ConfigError, Connect, Needs, Trigger};
use dr_core::{Backend, Configured, Identity, Region, Resource, Result, Side, async_trait};
use serde_json::Value;

use super::bells::Bells;
use super::config::{AlarmConfig, AlarmPlan};
use crate::client::Aws;
use crate::config::{read, schema};
use crate::hand::Hand;
use crate::needs::regional;
use crate::service::Service;

/// Kind `cloudwatch-alarm`: CloudWatch alarms, watched and rehearsed.
///
/// `trigger` proves the way from the alarm to those who are called, as far as CloudWatch knows it: that it handed the
/// message to the topic, function or automation that the alarm names. It does not prove that the metric would set the
/// alarm off, nor that somebody read the message.
#[derive(Debug, Clone, Copy, Default)]
pub struct CloudwatchAlarmBackend;

impl Backend for CloudwatchAlarmBackend {
    fn kind(&self) -> &str {
        "cloudwatch-alarm"
    }

    fn schema(&self) -> Value {
        schema::<AlarmConfig>()
    }

    fn configure(&self, config: Value) -> Result<Box<dyn Configured>, Vec<ConfigError>> {
        let plan = read::<AlarmConfig>(config)?.check()?;
        Ok(Box::new(AlarmConfigured(Arc::new(plan))))
    }
}

#[derive(Debug)]
struct AlarmConfigured(Arc<AlarmPlan>);

#[async_trait]
impl Configured for AlarmConfigured {
    fn identities(&self) -> Vec<Identity> {
        let alarms = self.0.sides.values().flat_map(|side| {
            side.names.iter().map(move |name| Identity::new(format!("cloudwatch:{}/{name}", side.region)))
        });
        let mut identities: Vec<Identity> = alarms.collect();
        identities.sort();
        identities
    }

    fn sides(&self) -> BTreeMap<Side, Region> {
        self.0.sides.iter().map(|(side, at)| (side.clone(), at.region.clone())).collect()
    }

    fn verbs(&self) -> Vec<&str> {
        vec![Trigger::VERB]
    }

    fn needs(&self, verb: &str, on: Option<&Side>) -> Needs {
        let needs = match verb {
            "trigger" => Needs::permissions([
                "cloudwatch:DescribeAlarms",
                "cloudwatch:DescribeAlarmHistory",
                "cloudwatch:SetAlarmState",
            ]),
            "observe" => Needs::permissions(["cloudwatch:DescribeAlarms"]),
            _ => return Needs::default(),
        };
        let there = self.0.sides.iter().filter(|(side, _)| on.is_none_or(|on| on == *side));
        there.fold(needs, |needs, (_, side)| {
            needs.and_control_plane(
                regional("CloudWatch alarms", &side.region)
                    .without("nothing is known of the alarms there, and none can be rehearsed")
                    .instead("alarms in the target's region on what is seen from there"),
            )
        })
    }

    fn connecting(&self) -> Needs {
        self.0.aws.connecting()
    }

    fn names_are_regional(&self) -> bool {
        true
    }

    fn emulated(&self) -> Option<String> {
        self.0.aws.emulated(&[Service::Cloudwatch])
    }

    fn by_hand(&self, verb: &str, call: &Value) -> Vec<String> {
        if verb != Trigger::VERB {
            return Vec::new();
        }
        let Ok(call) = serde_json::from_value::<Trigger>(call.clone()) else { return Vec::new() };
        let Some(at) = call.side.side().ok().and_then(|side| self.0.sides.get(side)) else {
            return Vec::new();
        };
        let saying = call.saying.as_deref().unwrap_or("This is a rehearsal: nothing is wrong.");
        let command = |action: &str, name: &str| {
            Hand::new(&self.0.aws, Service::Cloudwatch, &at.region, action).with("alarm-name", name)
        };
        let set = |name: &str, state: &str, reason: &str| {
            command("set-alarm-state", name)
                .with("state-value", state)
                .with("state-reason", reason)
                .line(&self.0.aws)
        };
        let lines = at.names.iter().flat_map(|name| {
            let history = command("describe-alarm-history", name).with("history-item-type", "Action");
            [set(name, "ALARM", saying), history.line(&self.0.aws), set(name, "OK", "The rehearsal is over.")]
        });
        lines.collect()
    }

    async fn connect(&self, connect: &Connect<'_>) -> Result<Resource> {
        let regions = self.0.sides.values().map(|side| side.region.clone());
        let aws = Aws::connect(&self.0.aws, regions, connect).await?;
        let bells = Arc::new(Bells { plan: Arc::clone(&self.0), aws });
        let shown: Vec<&str> =
            self.0.sides.values().flat_map(|side| &side.names).map(String::as_str).collect();
        Ok(Resource::new(Identity::new(format!("cloudwatch:{}", shown.join(","))))
            .observing::<Alarms>(Arc::clone(&bells) as _)
            .proving(Arc::clone(&bells) as _)
            .with::<Trigger>(bells))
    }
}
