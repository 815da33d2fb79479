//! The configuration of replicated buckets, as the plan writes it.

use std::collections::BTreeMap;
use std::time::Duration;

use dr_core::resource::ConfigError;
use dr_core::{Region, Side};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::access::{AwsConfig, a_region};
use crate::config::{escaped, settled};

const AT_ONCE: usize = 32;

/// Buckets that S3 replicates from one to the other.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct S3Config {
    /// The bucket of each side.
    #[schemars(with = "BTreeMap<String, BucketConfig>")]
    sides: BTreeMap<Side, BucketConfig>,
    /// Which part of them is meant: `orders/`. Default: everything.
    #[serde(default)]
    prefix: String,
    /// Within which time S3 shall replicate, as its replication time control promises it: `15m`, the only time that
    /// there is. Default: no promise is asked for.
    #[serde(default, with = "dr_core::time::human_option")]
    #[schemars(with = "Option<String>")]
    time_control: Option<Duration>,
    /// Whether deletions have to be replicated too. Default: yes; a copy that keeps what was deleted is another set of
    /// objects.
    #[serde(default = "yes")]
    delete_markers: bool,
    /// How many objects are copied at once. Default: 32.
    #[serde(default)]
    #[schemars(range(min = 1, max = 256))]
    at_once: Option<usize>,
    /// How AWS is reached. Default: as the `aws` command would reach it.
    #[serde(default)]
    aws: AwsConfig,
}

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct BucketConfig {
    /// Its name.
    bucket: String,
    /// Its region. Default: the side's name.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    region: Option<Region>,
}

fn yes() -> bool {
    true
}

/// What the resource is, once the configuration makes sense.
#[derive(Debug, Clone)]
pub(super) struct S3Plan {
    pub(super) sides: BTreeMap<Side, Bucket>,
    pub(super) prefix: String,
    pub(super) time_control: bool,
    pub(super) delete_markers: bool,
    pub(super) at_once: usize,
    pub(super) aws: AwsConfig,
}

/// One side's bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Bucket {
    pub(super) name: String,
    pub(super) region: Region,
}

impl S3Plan {
    /// Below which our own objects stand, so that a rule for the prefix replicates them too.
    pub(super) fn own(&self) -> String {
        format!("{}.dr-", self.prefix)
    }
}

impl S3Config {
    pub(super) fn check(self) -> Result<S3Plan, Vec<ConfigError>> {
        let mut wrong = self.aws.check("/aws");
        if self.sides.is_empty() {
            wrong.push(ConfigError::new("/sides", "at least one side is needed"));
        }
        let mut sides: BTreeMap<Side, Bucket> = BTreeMap::new();
        for (side, config) in self.sides {
            let at = format!("/sides/{}", escaped(side.as_str()));
            let region = config.region.unwrap_or_else(|| Region::new(side.as_str()));
            if !a_region(region.as_str()) {
                let message = format!("`{region}` is no region of AWS: write `region: us-east-1`");
                wrong.push(ConfigError::new(format!("{at}/region"), message));
            }
            if !a_bucket(&config.bucket) {
                let message = format!("`{}` is no bucket's name", config.bucket);
                wrong.push(ConfigError::new(format!("{at}/bucket"), message));
            }
            if let Some((other, _)) = sides.iter().find(|(_, bucket)| bucket.name == config.bucket) {
                let message = format!("`{}` is `{other}`'s already", config.bucket);
                wrong.push(ConfigError::new(format!("{at}/bucket"), message));
            }
            sides.insert(side, Bucket { name: config.bucket, region });
        }
        if self.time_control.is_some_and(|time| time != Duration::from_secs(15 * 60)) {
            wrong.push(ConfigError::new(
                "/time_control",
                "S3 promises 15 minutes and no other time: write 15m",
            ));
        }
        if self.at_once.is_some_and(|count| count == 0 || count > 256) {
            wrong.push(ConfigError::new("/at_once", "between 1 and 256 objects at once"));
        }
        let plan = S3Plan {
            sides,
            prefix: self.prefix,
            time_control: self.time_control.is_some(),
            delete_markers: self.delete_markers,
            at_once: self.at_once.unwrap_or(AT_ONCE),
            aws: self.aws,
        };
        settled(Some(plan), wrong)
    }
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html>
fn a_bucket(name: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'.';
    let ends = |byte: Option<u8>| byte.is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    (3..=63).contains(&name.len())
        && name.bytes().all(fits)
        && ends(name.bytes().next())
        && ends(name.bytes().last())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::read;
    use serde_json::json;

    #[test]
    fn each_mistake_has_its_place() {
        let wrong = read::<S3Config>(json!({
            "sides": {
                "dr": { "bucket": "orders-dr" },
                "us-east-1": { "bucket": "Orders" },
                "us-west-2": { "bucket": "orders-dr" },
            },
            "time_control": "5m", "at_once": 0,
        }))
        .and_then(S3Config::check)
        .unwrap_err();
        let places: Vec<&str> = wrong.iter().map(|wrong| wrong.pointer.as_str()).collect();
        assert_eq!(
            places,
            [
                "/sides/dr/region",
                "/sides/us-east-1/bucket",
                "/sides/us-west-2/bucket",
                "/time_control",
                "/at_once"
            ]
        );
    }

    #[test]
    fn our_own_objects_stand_where_the_rule_replicates_them() {
        let config = json!({ "sides": { "us-east-1": { "bucket": "orders" } }, "prefix": "eu/" });
        let plan = read::<S3Config>(config).and_then(S3Config::check).unwrap();
        assert_eq!(plan.own(), "eu/.dr-");
    }
}
