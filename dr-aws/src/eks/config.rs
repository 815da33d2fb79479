//! The configuration of node groups, as the plan writes it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use dr_core::resource::ConfigError;
use dr_core::{Region, Side};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, de};

use super::sizes::Ceiling;
use crate::access::{AwsConfig, a_region};
use crate::config::{escaped, settled};

/// Managed node groups of EKS clusters, one cluster a side.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct EksConfig {
    /// The cluster of each side.
    #[schemars(with = "BTreeMap<String, ClusterConfig>")]
    sides: BTreeMap<Side, ClusterConfig>,
    /// How AWS is reached. Default: as the `aws` command would reach it.
    #[serde(default)]
    aws: AwsConfig,
}

/// A side's cluster.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ClusterConfig {
    /// The cluster's name.
    cluster: String,
    /// Its node groups: a list of their names; or, where they are called differently on each side, what the plan
    /// calls each: `{ application: application-nodes-2024 }`.
    nodegroups: Groups,
    /// Its region. Default: the side's name.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    region: Option<Region>,
    /// What becomes of a group's maximum when it is scaled: `keep`, or the number that it gets. Default: it is raised
    /// where it is below what is wanted.
    #[serde(default, deserialize_with = "ceiling")]
    #[schemars(with = "Option<Max>")]
    max: Ceiling,
    /// Whether an autoscaler decides how many nodes there are between minimum and maximum. Default: whether the group
    /// carries the tag `k8s.io/cluster-autoscaler/enabled`.
    #[serde(default)]
    autoscaler: Option<bool>,
}

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "expected a list of node groups, or a map from the plan's name to the group's")]
enum Groups {
    Listed(Vec<String>),
    Called(BTreeMap<String, String>),
}

/// For the schema alone.
#[derive(JsonSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "only its schema is used")]
enum Max {
    Number(u32),
    Word(Keep),
}

#[derive(JsonSchema)]
#[serde(rename_all = "lowercase")]
#[expect(dead_code, reason = "only its schema is used")]
enum Keep {
    Keep,
}

fn ceiling<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Ceiling, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "expected `keep` or a number of nodes")]
    enum Raw {
        Number(u32),
        Text(String),
    }
    match Option::<Raw>::deserialize(deserializer)? {
        None => Ok(Ceiling::Raise),
        Some(Raw::Number(0)) => Err(de::Error::custom("a node group's maximum is at least 1")),
        Some(Raw::Number(max)) => Ok(Ceiling::Set(max)),
        Some(Raw::Text(text)) if text == "keep" => Ok(Ceiling::Keep),
        Some(Raw::Text(text)) => {
            Err(de::Error::custom(format!("`{text}` is no maximum: write `keep` or a number of nodes")))
        }
    }
}

/// What the resource is, once the configuration makes sense.
#[derive(Debug, Clone)]
pub(super) struct EksPlan {
    pub(super) sides: BTreeMap<Side, Arc<Cluster>>,
    pub(super) aws: AwsConfig,
}

/// One side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cluster {
    pub(super) name: String,
    pub(super) region: Region,
    /// Its node groups, by what the plan calls them.
    pub(super) groups: BTreeMap<String, String>,
    pub(super) ceiling: Ceiling,
    pub(super) autoscaler: Option<bool>,
}

impl EksConfig {
    pub(super) fn check(self) -> Result<EksPlan, Vec<ConfigError>> {
        let mut wrong = self.aws.check("/aws");
        if self.sides.is_empty() {
            wrong.push(ConfigError::new("/sides", "at least one side is needed"));
        }
        let mut sides = BTreeMap::new();
        let mut taken: BTreeMap<(Region, String, String), Side> = BTreeMap::new();
        for (side, config) in self.sides {
            let at = format!("/sides/{}", escaped(side.as_str()));
            let cluster = config.check(&side, &at, &mut wrong);
            for group in cluster.groups.values() {
                let key = (cluster.region.clone(), cluster.name.clone(), group.clone());
                if let Some(other) = taken.insert(key, side.clone()) {
                    let message = format!("`{group}` of `{}` is `{other}`'s already", cluster.name);
                    wrong.push(ConfigError::new(format!("{at}/nodegroups"), message));
                }
            }
            sides.insert(side, Arc::new(cluster));
        }
        settled(Some(EksPlan { sides, aws: self.aws }), wrong)
    }
}

impl ClusterConfig {
    fn check(self, side: &Side, at: &str, wrong: &mut Vec<ConfigError>) -> Cluster {
        let mut say =
            |place: &str, message: String| wrong.push(ConfigError::new(format!("{at}{place}"), message));
        if self.cluster.trim().is_empty() {
            say("/cluster", "a cluster has a name".to_owned());
        }
        let region = self.region.unwrap_or_else(|| Region::new(side.as_str()));
        if !a_region(region.as_str()) {
            say("/region", format!("`{region}` is no region of AWS: write `region: us-east-1`"));
        }
        let groups = match self.nodegroups {
            Groups::Listed(names) => {
                let mut groups = BTreeMap::new();
                for (index, name) in names.into_iter().enumerate() {
                    if groups.insert(name.clone(), name.clone()).is_some() {
                        say(&format!("/nodegroups/{index}"), format!("`{name}` stands here twice"));
                    }
                }
                groups
            }
            Groups::Called(groups) => {
                let mut seen = BTreeSet::new();
                for (name, group) in &groups {
                    if !seen.insert(group) {
                        say(
                            &format!("/nodegroups/{}", escaped(name)),
                            format!("`{group}` stands here twice"),
                        );
                    }
                }
                groups
            }
        };
        if groups.is_empty() {
            say("/nodegroups", "at least one node group is needed".to_owned());
        }
        if groups.iter().any(|(name, group)| name.trim().is_empty() || group.trim().is_empty()) {
            say("/nodegroups", "a node group has a name".to_owned());
        }
        Cluster { name: self.cluster, region, groups, ceiling: self.max, autoscaler: self.autoscaler }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::read;
    use serde_json::json;

    fn checked(value: serde_json::Value) -> Result<EksPlan, Vec<ConfigError>> {
        read::<EksConfig>(value)?.check()
    }

    #[test]
    fn a_list_and_a_map_of_node_groups_mean_the_same() {
        let plan = checked(json!({ "sides": {
            "us-east-1": { "cluster": "shop", "nodegroups": ["app"] },
            "dr": { "cluster": "shop-dr", "nodegroups": { "app": "app-2024" }, "region": "us-west-2", "max": 30 },
        } }))
        .unwrap();
        let [first, second] = ["us-east-1", "dr"].map(|side| plan.sides[&Side::new(side)].clone());
        assert_eq!(first.groups["app"], "app");
        assert_eq!((second.groups["app"].as_str(), second.region.as_str()), ("app-2024", "us-west-2"));
        assert_eq!((first.ceiling, second.ceiling), (Ceiling::Raise, Ceiling::Set(30)));
    }

    #[test]
    fn each_mistake_has_its_place() {
        let wrong = checked(json!({ "sides": {
            "a": { "cluster": "", "nodegroups": ["x", "x"] },
            "us-east-1": { "cluster": "shop", "nodegroups": [] },
            "us-west-2": { "cluster": "shop", "nodegroups": ["x"] },
            "west": { "cluster": "shop", "nodegroups": ["x"], "region": "us-west-2" },
        } }))
        .unwrap_err();
        let places: Vec<&str> = wrong.iter().map(|wrong| wrong.pointer.as_str()).collect();
        assert_eq!(
            places,
            [
                "/sides/a/cluster",
                "/sides/a/region",
                "/sides/a/nodegroups/1",
                "/sides/us-east-1/nodegroups",
                "/sides/west/nodegroups"
            ]
        );
    }

    #[test]
    fn a_maximum_is_a_number_or_keep() {
        for max in [json!(0), json!("raise"), json!(-1)] {
            let config =
                json!({ "sides": { "us-east-1": { "cluster": "c", "nodegroups": ["n"], "max": max } } });
            let wrong = checked(config).unwrap_err();
            assert_eq!(wrong[0].pointer, "/sides/us-east-1/max", "{wrong:?}");
        }
    }
}
