//! The backend of kind `eks-nodegroup`.

use std::collections::BTreeMap;
use std::sync::Arc;

use dr_core::resource::{Call, ConfigError, Connect, Needs, Scale, Staffing};
use dr_core::{Backend, Configured, Identity, Region, Resource, Result, Side, async_trait};
use serde_json::Value;

use super::config::{EksConfig, EksPlan};
use super::hand;
use super::nodes::Nodes;
use crate::client::Aws;
use crate::config::{read, schema};
use crate::needs::regional;
use crate::service::Service;

/// Kind `eks-nodegroup`: managed node groups of EKS clusters, given more or less room.
///
/// What it knows of nodes is what EKS says of its groups: that a change is through and that it reports no issue. Whether
/// a node takes pods is Kubernetes' word (kind `kubernetes`). A scale sets minimum and desired size alike, so that an
/// autoscaler that finds the nodes empty does not take them away again; where a group is an autoscaler's, what it wants
/// beyond that is left to it.
#[derive(Debug, Clone, Copy, Default)]
pub struct EksNodegroupBackend;

const SPEAKS_TO: [Service; 3] = [Service::Eks, Service::Servicequotas, Service::Cloudwatch];

impl Backend for EksNodegroupBackend {
    fn kind(&self) -> &str {
        "eks-nodegroup"
    }

    fn schema(&self) -> Value {
        schema::<EksConfig>()
    }

    fn configure(&self, config: Value) -> Result<Box<dyn Configured>, Vec<ConfigError>> {
        let plan = read::<EksConfig>(config)?.check()?;
        Ok(Box::new(EksConfigured(Arc::new(plan))))
    }
}

#[derive(Debug)]
struct EksConfigured(Arc<EksPlan>);

#[async_trait]
impl Configured for EksConfigured {
    fn identities(&self) -> Vec<Identity> {
        let groups = self.0.sides.values().flat_map(|cluster| {
            let place = format!("eks:{}/{}", cluster.region, cluster.name);
            cluster.groups.values().map(move |group| Identity::new(format!("{place}/{group}")))
        });
        let mut identities: Vec<Identity> = groups.collect();
        identities.sort();
        identities
    }

    fn sides(&self) -> BTreeMap<Side, Region> {
        self.0.sides.iter().map(|(side, cluster)| (side.clone(), cluster.region.clone())).collect()
    }

    fn verbs(&self) -> Vec<&str> {
        vec![Scale::VERB]
    }

    fn needs(&self, verb: &str, on: Option<&Side>) -> Needs {
        let permissions: &[&str] = match verb {
            "scale" => &[
                "eks:DescribeNodegroup",
                "eks:UpdateNodegroupConfig",
                "eks:DescribeUpdate",
                "eks:ListUpdates",
                "eks:TagResource",
                "eks:UntagResource",
                "servicequotas:GetServiceQuota",
                "servicequotas:GetAWSDefaultServiceQuota",
                "cloudwatch:GetMetricStatistics",
            ],
            "observe" => &["eks:DescribeNodegroup"],
            _ => return Needs::default(),
        };
        let there = self.0.sides.iter().filter(|(side, _)| on.is_none_or(|on| on == *side));
        there.fold(Needs::permissions(permissions.iter().copied()), |needs, (_, cluster)| {
            needs.and_control_plane(
                regional("EKS", &cluster.region).without("the side keeps the nodes that it has").instead(
                    "nodes that stand there beforehand: a warm side that takes the load without a scale",
                ),
            )
        })
    }

    fn connecting(&self) -> Needs {
        self.0.aws.connecting()
    }

    fn measures_room(&self) -> bool {
        true
    }

    fn names_are_regional(&self) -> bool {
        true
    }

    fn emulated(&self) -> Option<String> {
        self.0.aws.emulated(&SPEAKS_TO)
    }

    fn by_hand(&self, verb: &str, call: &Value) -> Vec<String> {
        if verb == Scale::VERB { hand::scale(&self.0, call) } else { Vec::new() }
    }

    async fn connect(&self, connect: &Connect<'_>) -> Result<Resource> {
        let regions = self.0.sides.values().map(|cluster| cluster.region.clone());
        let aws = Aws::connect(&self.0.aws, regions, connect).await?;
        let nodes = Arc::new(Nodes { plan: Arc::clone(&self.0), aws });
        let shown: Vec<String> =
            self.0.sides.values().map(|cluster| format!("{}/{}", cluster.region, cluster.name)).collect();
        Ok(Resource::new(Identity::new(format!("eks:{}", shown.join(","))))
            .observing::<Staffing>(Arc::clone(&nodes) as _)
            .measuring_room(Arc::clone(&nodes) as _)
            .proving(Arc::clone(&nodes) as _)
            .with::<Scale>(nodes))
    }
}
