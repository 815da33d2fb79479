//! The configuration of kind `aurora-global`.

use std::collections::BTreeMap;

use dr_core::resource::ConfigError;
use dr_core::{Region, Side};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::access::{AwsConfig, a_region};
use crate::config::{escaped, settled};
use crate::database::an_identifier;
use crate::edge_fence::a_security_group;

/// An Aurora global database: one cluster in each region, one of them the writer.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct AuroraConfig {
    /// The global database's identifier: `orders`.
    global_cluster: String,
    /// Each side's cluster. All of its clusters have to be here; which one is the writer is observed.
    #[schemars(with = "BTreeMap<String, SideConfig>")]
    sides: BTreeMap<Side, SideConfig>,
    /// How AWS is reached.
    #[serde(default)]
    aws: AwsConfig,
}

/// One side.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct SideConfig {
    /// The cluster's identifier: `orders-use1`.
    cluster: String,
    /// The region. Default: the side's name.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    region: Option<Region>,
    /// How this side is cut off in an unplanned run.
    #[serde(default)]
    fence: Option<FenceConfig>,
}

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct FenceConfig {
    /// A security group of the cluster's network without any inbound rule: `sg-0123456789abcdef0`.
    security_group: String,
}

/// What a global database is, once the configuration makes sense.
#[derive(Debug, Clone)]
pub(super) struct AuroraPlan {
    pub(super) global: String,
    pub(super) sides: BTreeMap<Side, SidePlan>,
    pub(super) aws: AwsConfig,
}

#[derive(Debug, Clone)]
pub(super) struct SidePlan {
    pub(super) cluster: String,
    pub(super) region: Region,
    pub(super) fence: Option<String>,
}

impl AuroraConfig {
    pub(super) fn check(self) -> Result<AuroraPlan, Vec<ConfigError>> {
        let mut wrong = self.aws.check("/aws");
        if !an_identifier(&self.global_cluster) {
            let message = format!("`{}` is no identifier: letters, digits and hyphens", self.global_cluster);
            wrong.push(ConfigError::new("/global_cluster", message));
        }
        if self.sides.len() < 2 {
            wrong.push(ConfigError::new("/sides", "a global database has a cluster in at least two regions"));
        }
        let mut sides: BTreeMap<Side, SidePlan> = BTreeMap::new();
        for (side, config) in self.sides {
            let pointer = format!("/sides/{}", escaped(side.as_str()));
            let region = config.region.unwrap_or_else(|| Region::new(side.as_str()));
            let fence = config.fence.map(|fence| fence.security_group);
            let mut say = |place: &str, message: String| {
                wrong.push(ConfigError::new(format!("{pointer}{place}"), message));
            };
            if !a_region(region.as_str()) {
                say("/region", format!("`{region}` is no region: write us-east-1"));
            }
            if !an_identifier(&config.cluster) {
                let message =
                    format!("`{}` is no cluster's identifier: letters, digits and hyphens", config.cluster);
                say("/cluster", message);
            }
            if let Some(group) = fence.as_ref().filter(|group| !a_security_group(group)) {
                let message = format!("`{group}` is no security group: write sg-0123456789abcdef0");
                say("/fence/security_group", message);
            }
            if let Some((twin, _)) = sides.iter().find(|(_, other)| other.region == region) {
                say(
                    "/region",
                    format!("`{twin}` is in {region} already, and a region has one of its clusters"),
                );
            }
            sides.insert(side, SidePlan { cluster: config.cluster, region, fence });
        }
        settled(Some(AuroraPlan { global: self.global_cluster, sides, aws: self.aws }), wrong)
    }
}

impl std::fmt::Display for SidePlan {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} in {}", self.cluster, self.region)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::read;
    use serde_json::json;

    #[test]
    fn a_region_holds_one_cluster_of_a_global_database() {
        let wrong = read::<AuroraConfig>(json!({ "global_cluster": "orders", "sides": {
            "us-east-1": { "cluster": "a" },
            "x": { "cluster": "b", "region": "us-east-1", "fence": { "security_group": "x" } },
        } }))
        .unwrap()
        .check()
        .unwrap_err();
        let places: Vec<&str> = wrong.iter().map(|wrong| wrong.pointer.as_str()).collect();
        assert_eq!(places, ["/sides/x/fence/security_group", "/sides/x/region"]);
    }
}
