//! The configuration of kind `rds`.

use std::collections::BTreeMap;

use dr_core::resource::ConfigError;
use dr_core::{Region, Side};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::access::{AwsConfig, a_region};
use crate::config::{escaped, settled};
use crate::database::an_identifier;
use crate::edge_fence::a_security_group;

/// Days for which a promoted instance keeps automated backups, if it kept none as a replica.
const RETENTION: i32 = 7;

/// A PostgreSQL or MySQL instance and its read replica in another region.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RdsConfig {
    /// Each side's instance. Which one is the writer is observed.
    #[schemars(with = "BTreeMap<String, SideConfig>")]
    sides: BTreeMap<Side, SideConfig>,
    /// For how many days a promoted instance keeps automated backups, if it kept none as a replica: 1 to 35. Default: 7.
    #[serde(default)]
    backup_retention_days: Option<i32>,
    /// How AWS is reached.
    #[serde(default)]
    aws: AwsConfig,
}

/// One side.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct SideConfig {
    /// The instance's identifier: `ecommerce-db`.
    instance: String,
    /// The region. Default: the side's name.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    region: Option<Region>,
    /// How this side is cut off.
    #[serde(default)]
    fence: Option<FenceConfig>,
    /// Read replicas that are meant to be there and left alone.
    #[serde(default)]
    readers: Vec<String>,
    /// What a replica that is made anew here gets, where the old instance cannot tell.
    #[serde(default)]
    replica: ReplicaConfig,
}

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct FenceConfig {
    /// A security group of the instance's network without any inbound rule: `sg-0123456789abcdef0`.
    security_group: String,
}

/// What a new replica gets instead of what the old instance had.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ReplicaConfig {
    /// The instance class: `db.r6g.large`.
    #[serde(default)]
    pub(super) class: Option<String>,
    /// The subnet group.
    #[serde(default)]
    pub(super) subnet_group: Option<String>,
    /// The security groups.
    #[serde(default)]
    pub(super) security_groups: Vec<String>,
    /// The parameter group.
    #[serde(default)]
    pub(super) parameter_group: Option<String>,
    /// The key in this region that an encrypted replica is encrypted with.
    #[serde(default)]
    pub(super) kms_key: Option<String>,
}

/// What an RDS resource is, once the configuration makes sense.
#[derive(Debug, Clone)]
pub(super) struct RdsPlan {
    pub(super) sides: BTreeMap<Side, SidePlan>,
    pub(super) retention: i32,
    pub(super) aws: AwsConfig,
}

#[derive(Debug, Clone)]
pub(super) struct SidePlan {
    pub(super) instance: String,
    pub(super) region: Region,
    pub(super) fence: Option<String>,
    pub(super) readers: Vec<String>,
    pub(super) replica: ReplicaConfig,
}

impl RdsConfig {
    pub(super) fn check(self) -> Result<RdsPlan, Vec<ConfigError>> {
        let mut wrong = self.aws.check("/aws");
        if self.sides.len() < 2 {
            wrong.push(ConfigError::new("/sides", "a store that is replicated has at least two sides"));
        }
        let retention = self.backup_retention_days.unwrap_or(RETENTION);
        if !(1..=35).contains(&retention) {
            wrong.push(ConfigError::new("/backup_retention_days", "expected 1 to 35 days"));
        }
        let mut sides: BTreeMap<Side, SidePlan> = BTreeMap::new();
        for (side, config) in self.sides {
            let pointer = format!("/sides/{}", escaped(side.as_str()));
            let region = config.region.unwrap_or_else(|| Region::new(side.as_str()));
            let mut say = |place: &str, message: String| {
                wrong.push(ConfigError::new(format!("{pointer}{place}"), message));
            };
            if !a_region(region.as_str()) {
                say("/region", format!("`{region}` is no region: write us-east-1"));
            }
            for (place, name) in std::iter::once(("/instance".to_owned(), &config.instance)).chain(
                config.readers.iter().enumerate().map(|(index, name)| (format!("/readers/{index}"), name)),
            ) {
                if !an_identifier(name) {
                    say(&place, format!("`{name}` is no instance's identifier: letters, digits and hyphens"));
                }
            }
            let fence = config.fence.map(|fence| fence.security_group);
            for (place, group) in fence.iter().map(|group| ("/fence/security_group".to_owned(), group)).chain(
                config
                    .replica
                    .security_groups
                    .iter()
                    .enumerate()
                    .map(|(index, group)| (format!("/replica/security_groups/{index}"), group)),
            ) {
                if !a_security_group(group) {
                    say(&place, format!("`{group}` is no security group: write sg-0123456789abcdef0"));
                }
            }
            if fence.as_ref().is_some_and(|fence| config.replica.security_groups.contains(fence)) {
                say(
                    "/replica/security_groups",
                    "a replica with the fence's group would serve nobody".to_owned(),
                );
            }
            if let Some((twin, _)) =
                sides.iter().find(|(_, other)| other.region == region && other.instance == config.instance)
            {
                say("/instance", format!("`{}` is the instance of `{twin}` already", config.instance));
            }
            let (instance, readers, replica) = (config.instance, config.readers, config.replica);
            sides.insert(side, SidePlan { instance, region, fence, readers, replica });
        }
        settled(Some(RdsPlan { sides, retention, aws: self.aws }), wrong)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::read;
    use serde_json::{Value, json};

    fn check(value: Value) -> Result<RdsPlan, Vec<ConfigError>> {
        read::<RdsConfig>(value)?.check()
    }

    #[test]
    fn a_side_is_in_the_region_of_its_name() {
        let plan = check(json!({ "sides": {
            "us-east-1": { "instance": "orders", "fence": { "security_group": "sg-1" } },
            "west": { "instance": "orders", "region": "us-west-2" },
        } }))
        .unwrap();
        assert_eq!(plan.sides["us-east-1"].region.as_str(), "us-east-1");
        assert_eq!(plan.sides["west"].region.as_str(), "us-west-2");
        assert_eq!(plan.retention, 7);
    }

    #[test]
    fn every_mistake_has_its_place() {
        let wrong = check(json!({
            "backup_retention_days": 0,
            "sides": {
                "a": { "instance": "-x", "fence": { "security_group": "open" }, "readers": ["r", "s_t"] },
                "us-east-1": { "instance": "db", "fence": { "security_group": "sg-1" },
                               "replica": { "security_groups": ["sg-1"] } },
                "us-east-1b": { "instance": "db", "region": "us-east-1" },
            },
        }))
        .unwrap_err();
        let places: Vec<&str> = wrong.iter().map(|wrong| wrong.pointer.as_str()).collect();
        assert_eq!(
            places,
            [
                "/backup_retention_days",
                "/sides/a/region",
                "/sides/a/instance",
                "/sides/a/readers/1",
                "/sides/a/fence/security_group",
                "/sides/us-east-1/replica/security_groups",
                "/sides/us-east-1b/instance",
            ]
        );
    }

    #[test]
    fn one_side_alone_is_no_replicated_store() {
        assert!(check(json!({ "sides": { "us-east-1": { "instance": "db" } } })).is_err());
    }
}
