//! The backend of kind `aurora-global`.

use std::collections::BTreeMap;
use std::sync::Arc;

use dr_core::resource::{ConfigError, Connect, Fence, Follow, Needs, Promote, Replication, Unfence};
use dr_core::{Backend, Configured, Identity, Region, Resource, Result, Side, async_trait};
use serde_json::Value;

use super::config::{AuroraConfig, AuroraPlan};
use super::hand;
use super::store::Aurora;
use crate::client::Aws;
use crate::config::{read, schema};
use crate::needs::regional;
use crate::service::Service;

const VERBS: [&str; 4] = ["fence", "follow", "promote", "unfence"];

/// Kind `aurora-global`: an Aurora global database.
#[derive(Debug, Clone, Copy, Default)]
pub struct AuroraGlobalBackend;

impl Backend for AuroraGlobalBackend {
    fn kind(&self) -> &str {
        "aurora-global"
    }

    fn schema(&self) -> Value {
        schema::<AuroraConfig>()
    }

    fn configure(&self, config: Value) -> Result<Box<dyn Configured>, Vec<ConfigError>> {
        Ok(Box::new(AuroraConfigured { plan: Arc::new(read::<AuroraConfig>(config)?.check()?) }))
    }
}

#[derive(Debug)]
struct AuroraConfigured {
    plan: Arc<AuroraPlan>,
}

#[async_trait]
impl Configured for AuroraConfigured {
    fn identities(&self) -> Vec<Identity> {
        let clusters = self
            .plan
            .sides
            .values()
            .map(|side| Identity::new(format!("rds:{}:cluster:{}", side.region, side.cluster)));
        let mut all: Vec<Identity> =
            clusters.chain([Identity::new(format!("rds:global-cluster:{}", self.plan.global))]).collect();
        all.sort();
        all
    }

    fn sides(&self) -> BTreeMap<Side, Region> {
        self.plan.sides.iter().map(|(side, plan)| (side.clone(), plan.region.clone())).collect()
    }

    fn verbs(&self) -> Vec<&str> {
        VERBS.to_vec()
    }

    /// A switchover is asked for in the writer's region, which a planned run has anyway, a failover in the new one's: an
    /// unplanned run needs nothing of the source's.
    fn needs(&self, verb: &str, on: Option<&Side>) -> Needs {
        let permissions: &[&str] = match verb {
            "observe" => &[
                "rds:DescribeGlobalClusters",
                "rds:DescribeDBClusters",
                "rds:DescribeDBInstances",
                "rds:DescribeEvents",
                "cloudwatch:GetMetricStatistics",
            ],
            "fence" | "unfence" => &[
                "rds:DescribeGlobalClusters",
                "rds:DescribeDBClusters",
                "rds:DescribeDBInstances",
                "rds:DescribeEvents",
                "rds:ModifyDBCluster",
                "rds:RebootDBInstance",
                "rds:AddTagsToResource",
                "rds:RemoveTagsFromResource",
            ],
            "promote" => &[
                "rds:DescribeGlobalClusters",
                "rds:DescribeDBClusters",
                "rds:SwitchoverGlobalCluster",
                "rds:FailoverGlobalCluster",
                "rds:AddTagsToResource",
                "rds:RemoveTagsFromResource",
            ],
            "follow" => &[
                "rds:DescribeGlobalClusters",
                "rds:DescribeDBClusters",
                "rds:ModifyDBCluster",
                "rds:RemoveTagsFromResource",
            ],
            _ => &[],
        };
        let needs = Needs::permissions(permissions.iter().copied());
        let without = match verb {
            "fence" | "unfence" => "the cluster there cannot be cut off, nor let in again",
            "promote" => "the cluster there cannot be made the writer",
            "follow" => "Aurora cannot take the cluster there back",
            _ => "nothing is known of the cluster there",
        };
        let sides = self.plan.sides.iter().filter(|(side, _)| on.is_none_or(|on| on == *side));
        sides.fold(needs, |needs, (_, side)| {
            needs.and_control_plane(regional("RDS", &side.region).without(without))
        })
    }

    fn fences_itself_when_planned(&self) -> bool {
        true
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
        let store = Arc::new(Aurora { plan: Arc::clone(&self.plan), aws });
        Ok(Resource::new(Identity::new(format!("rds:global-cluster:{}", self.plan.global)))
            .observing::<Replication>(store.clone())
            .with::<Fence>(store.clone())
            .with::<Unfence>(store.clone())
            .with::<Promote>(store.clone())
            .with::<Follow>(store.clone())
            .fencing(store.clone())
            .proving(store)
            .fencing_itself_when_planned())
    }
}
