//! The configuration of alarms, as the plan writes it.

use std::collections::{BTreeMap, BTreeSet};

use dr_core::resource::ConfigError;
use dr_core::{Region, Side};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::access::{AwsConfig, a_region};
use crate::config::{escaped, settled};

/// CloudWatch alarms of each side, metric alarms and composite ones.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct AlarmConfig {
    /// The alarms of each side.
    #[schemars(with = "BTreeMap<String, SideConfig>")]
    sides: BTreeMap<Side, SideConfig>,
    /// How AWS is reached. Default: as the `aws` command would reach it.
    #[serde(default)]
    aws: AwsConfig,
}

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct SideConfig {
    /// Their names.
    #[schemars(length(min = 1))]
    alarms: Vec<String>,
    /// Their region. Default: the side's name.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    region: Option<Region>,
}

/// What the resource is, once the configuration makes sense.
#[derive(Debug, Clone)]
pub(super) struct AlarmPlan {
    pub(super) sides: BTreeMap<Side, AlarmSide>,
    pub(super) aws: AwsConfig,
}

/// One side's alarms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct AlarmSide {
    pub(super) region: Region,
    pub(super) names: Vec<String>,
}

impl AlarmConfig {
    pub(super) fn check(self) -> Result<AlarmPlan, Vec<ConfigError>> {
        let mut wrong = self.aws.check("/aws");
        if self.sides.is_empty() {
            wrong.push(ConfigError::new("/sides", "at least one side is needed"));
        }
        let mut sides = BTreeMap::new();
        let mut taken: BTreeMap<(Region, String), Side> = BTreeMap::new();
        for (side, config) in self.sides {
            let at = format!("/sides/{}", escaped(side.as_str()));
            let region = config.region.unwrap_or_else(|| Region::new(side.as_str()));
            if !a_region(region.as_str()) {
                let message = format!("`{region}` is no region of AWS: write `region: us-east-1`");
                wrong.push(ConfigError::new(format!("{at}/region"), message));
            }
            if config.alarms.is_empty() {
                wrong.push(ConfigError::new(format!("{at}/alarms"), "at least one alarm is needed"));
            }
            let mut seen = BTreeSet::new();
            for (index, name) in config.alarms.iter().enumerate() {
                let at = format!("{at}/alarms/{index}");
                if name.trim().is_empty() || name.len() > 255 {
                    wrong.push(ConfigError::new(at, "an alarm's name has 1 to 255 characters"));
                } else if !seen.insert(name) {
                    wrong.push(ConfigError::new(at, format!("`{name}` stands here twice")));
                } else if let Some(other) = taken.insert((region.clone(), name.clone()), side.clone()) {
                    wrong.push(ConfigError::new(at, format!("`{name}` is `{other}`'s already")));
                }
            }
            sides.insert(side, AlarmSide { region, names: config.alarms });
        }
        settled(Some(AlarmPlan { sides, aws: self.aws }), wrong)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::read;
    use serde_json::json;

    #[test]
    fn each_mistake_has_its_place() {
        let wrong = read::<AlarmConfig>(json!({ "sides": {
            "dr": { "alarms": ["Lag"] },
            "us-east-1": { "alarms": ["Lag", "Lag", ""] },
            "us-west-2": { "alarms": [] },
            "virginia": { "alarms": ["Lag"], "region": "us-east-1" },
        } }))
        .and_then(AlarmConfig::check)
        .unwrap_err();
        let places: Vec<&str> = wrong.iter().map(|wrong| wrong.pointer.as_str()).collect();
        assert_eq!(
            places,
            [
                "/sides/dr/region",
                "/sides/us-east-1/alarms/1",
                "/sides/us-east-1/alarms/2",
                "/sides/us-west-2/alarms",
                "/sides/virginia/alarms/0"
            ]
        );
    }
}
