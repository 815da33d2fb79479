//! Metrics and alarms: feeding them, and who was told.

use std::collections::BTreeMap;

use crate::aws::Aws;
use crate::cloudwatch::MetricKey;
use crate::place::Place;

/// A notification of an alarm that reached its target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notification {
    /// The ARN that was told.
    pub target: String,
    /// The alarm's name.
    pub alarm: String,
    /// The state it came to: `ALARM`.
    pub state: &'static str,
}

impl Aws {
    /// Puts a value into a metric now, also into AWS's own namespaces, which take nothing through the API.
    pub fn feed_metric(
        &self,
        region: &str,
        namespace: &str,
        name: &str,
        dimensions: &[(&str, &str)],
        value: f64,
    ) {
        let place = Place::new(&self.account, region);
        let dimensions: BTreeMap<String, String> =
            dimensions.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let key = MetricKey { namespace: namespace.to_owned(), name: name.to_owned(), dimensions };
        self.shared.with(|world| {
            let now = world.clock.wall();
            world.cloudwatch(&place).data.entry(key).or_default().push((now, value));
        });
    }

    /// Whether a target of alarms takes notifications; if not, the alarm's history says that the action failed.
    pub fn set_target_works(&self, region: &str, target: &str, works: bool) {
        let place = Place::new(&self.account, region);
        self.shared.with(|world| {
            let broken = &mut world.cloudwatch(&place).broken_targets;
            if works {
                broken.remove(target);
            } else {
                broken.insert(target.to_owned());
            }
        });
    }

    /// The notifications of a region's alarms that reached their targets.
    pub fn notifications(&self, region: &str) -> Vec<Notification> {
        let place = Place::new(&self.account, region);
        self.shared.with(|world| {
            let delivered = &world.cloudwatch(&place).delivered;
            delivered
                .iter()
                .map(|told| Notification {
                    target: told.target.clone(),
                    alarm: told.alarm.clone(),
                    state: told.state.as_str(),
                })
                .collect()
        })
    }
}
