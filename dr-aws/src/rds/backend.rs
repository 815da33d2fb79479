//! The backend of kind `rds`.

use std::collections::BTreeMap;
use std::sync::Arc;

use dr_core::resource::{
    Backup, ConfigError, Connect, Copies, Fence, Follow, Needs, Promote, Replication, Restore, Unfence,
};
use dr_core::{Backend, Configured, Identity, Region, Resource, Result, Side, async_trait};
use serde_json::Value;

use super::config::{RdsConfig, RdsPlan};
use super::hand;
use super::store::Rds;
use crate::client::Aws;
use crate::config::{read, schema};
use crate::needs::regional;
use crate::service::Service;

const VERBS: [&str; 6] = ["backup", "fence", "follow", "promote", "restore", "unfence"];

/// Kind `rds`: an instance and its read replica in another region.
#[derive(Debug, Clone, Copy, Default)]
pub struct RdsBackend;

impl Backend for RdsBackend {
    fn kind(&self) -> &str {
        "rds"
    }

    fn schema(&self) -> Value {
        schema::<RdsConfig>()
    }

    fn configure(&self, config: Value) -> Result<Box<dyn Configured>, Vec<ConfigError>> {
        Ok(Box::new(RdsConfigured { plan: Arc::new(read::<RdsConfig>(config)?.check()?) }))
    }
}

#[derive(Debug)]
struct RdsConfigured {
    plan: Arc<RdsPlan>,
}

#[async_trait]
impl Configured for RdsConfigured {
    fn identities(&self) -> Vec<Identity> {
        let mut all: Vec<Identity> = self
            .plan
            .sides
            .values()
            .map(|side| Identity::new(format!("rds:{}:{}", side.region, side.instance)))
            .collect();
        all.sort();
        all
    }

    fn sides(&self) -> BTreeMap<Side, Region> {
        self.plan.sides.iter().map(|(side, plan)| (side.clone(), plan.region.clone())).collect()
    }

    fn verbs(&self) -> Vec<&str> {
        VERBS.to_vec()
    }

    /// What is done to a side needs RDS's control plane in that side's region and no other: a promotion needs nothing of
    /// the source's.
    fn needs(&self, verb: &str, on: Option<&Side>) -> Needs {
        let permissions: &[&str] = match verb {
            "observe" => &["rds:DescribeDBInstances", "rds:DescribeEvents", "cloudwatch:GetMetricStatistics"],
            "fence" => &[
                "rds:DescribeDBInstances",
                "rds:DescribeEvents",
                "rds:ModifyDBInstance",
                "rds:RebootDBInstance",
                "rds:AddTagsToResource",
                "rds:RemoveTagsFromResource",
            ],
            "unfence" => &[
                "rds:DescribeDBInstances",
                "rds:DescribeEvents",
                "rds:ModifyDBInstance",
                "rds:RemoveTagsFromResource",
            ],
            "promote" => &[
                "rds:DescribeDBInstances",
                "rds:DescribeEvents",
                "rds:PromoteReadReplica",
                "rds:AddTagsToResource",
                "rds:RemoveTagsFromResource",
                "cloudwatch:GetMetricStatistics",
            ],
            "follow" => &[
                "rds:DescribeDBInstances",
                "rds:DescribeEvents",
                "rds:ModifyDBInstance",
                "rds:CreateDBInstanceReadReplica",
                "rds:AddTagsToResource",
            ],
            "backup" => &[
                "rds:DescribeDBInstances",
                "rds:DescribeDBSnapshots",
                "rds:CreateDBSnapshot",
                "rds:CopyDBSnapshot",
                "rds:DeleteDBSnapshot",
                "rds:AddTagsToResource",
            ],
            "restore" => &[
                "rds:DescribeDBInstances",
                "rds:DescribeDBSnapshots",
                "rds:RestoreDBInstanceFromDBSnapshot",
                "rds:RestoreDBInstanceToPointInTime",
                "rds:DeleteDBInstance",
                "rds:AddTagsToResource",
            ],
            _ => &[],
        };
        let needs = Needs::permissions(permissions.iter().copied());
        let without = match verb {
            "fence" | "unfence" => "the instance there cannot be cut off, nor let in again",
            "promote" => "the replica there cannot be promoted, and nobody takes writes",
            "follow" => "no replica can be made there",
            "backup" | "restore" => "no copy can be made or restored there",
            _ => "nothing is known of the instance there",
        };
        let sides = self.plan.sides.iter().filter(|(side, _)| on.is_none_or(|on| on == *side));
        sides.fold(needs, |needs, (_, side)| {
            needs.and_control_plane(regional("RDS", &side.region).without(without))
        })
    }

    fn connecting(&self) -> Needs {
        self.plan.aws.connecting()
    }

    fn names_are_regional(&self) -> bool {
        true
    }

    fn emulated(&self) -> Option<String> {
        self.plan.aws.emulated(&[Service::Rds, Service::Cloudwatch])
    }

    fn by_hand(&self, verb: &str, call: &Value) -> Vec<String> {
        hand::by_hand(&self.plan, verb, call)
    }

    async fn connect(&self, connect: &Connect<'_>) -> Result<Resource> {
        let regions = self.plan.sides.values().map(|side| side.region.clone());
        let aws = Aws::connect(&self.plan.aws, regions, connect).await?;
        let store = Arc::new(Rds { plan: Arc::clone(&self.plan), aws });
        let identity = self.identities().into_iter().next().unwrap_or_else(|| Identity::new("rds"));
        Ok(Resource::new(identity)
            .observing::<Replication>(store.clone())
            .observing::<Copies>(store.clone())
            .with::<Fence>(store.clone())
            .with::<Unfence>(store.clone())
            .with::<Promote>(store.clone())
            .with::<Follow>(store.clone())
            .with::<Backup>(store.clone())
            .with::<Restore>(store.clone())
            .fencing(store.clone())
            .proving(store))
    }
}
