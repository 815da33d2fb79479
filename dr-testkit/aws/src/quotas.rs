//! Service Quotas: how much of a thing a region allows.
//!
//! Only the quota that stands in the way of a failover is modelled: vCPUs of on-demand instances of the standard
//! families. Its usage is CloudWatch's `AWS/Usage` metric, as the quota's description says.

use crate::place::Place;
use crate::server::unknown;
use crate::service::Service;
use crate::wire::{Answer, ApiError, Node, Request};
use crate::world::World;

/// "Running On-Demand Standard (A, C, D, H, I, M, R, T, Z) instances".
///
/// <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/ec2-on-demand-instances.html#ec2-on-demand-instances-limits>
pub(crate) const VCPUS: &str = "L-1216C47A";

/// What a new account has.
const DEFAULT: i64 = 5;

/// A region's quotas.
#[derive(Debug, Clone)]
pub(crate) struct Quotas {
    pub(crate) vcpus: i64,
    /// vCPUs that run beside the node groups.
    pub(crate) other_vcpus: i64,
}

impl Default for Quotas {
    fn default() -> Self {
        Self { vcpus: DEFAULT, other_vcpus: 0 }
    }
}

/// Carries a call out.
///
/// <https://docs.aws.amazon.com/servicequotas/2019-06-24/apireference/API_Operations.html>
pub(crate) fn perform(world: &mut World, request: &Request) -> Result<Answer, ApiError> {
    let input = request.input();
    let place = Place::new(&request.account, &request.region);
    let service = input.need("ServiceCode").map_err(|_| illegal("ServiceCode is required"))?;
    let known = service == "ec2";
    match request.action.as_str() {
        "GetServiceQuota" => {
            let code = input.need("QuotaCode").map_err(|_| illegal("QuotaCode is required"))?;
            if !known || code != VCPUS {
                return Err(ApiError::new(
                    400,
                    "NoSuchResourceException",
                    "The request failed because the specified service does not exist.",
                ));
            }
            Ok(Answer::of(Node::map().put("Quota", quota(&place, world.vcpu_quota(&place)))))
        }
        "GetAWSDefaultServiceQuota" if known && input.text("QuotaCode") == Some(VCPUS) => {
            Ok(Answer::of(Node::map().put("Quota", quota(&place, DEFAULT))))
        }
        "ListServiceQuotas" => {
            let quotas: Vec<Node> =
                if known { vec![quota(&place, world.vcpu_quota(&place))] } else { Vec::new() };
            Ok(Answer::of(Node::map().put("Quotas", Node::list("member", quotas))))
        }
        other => Err(unknown(Service::ServiceQuotas, other)),
    }
}

fn illegal(message: &str) -> ApiError {
    ApiError::new(400, "IllegalArgumentException", message)
}

fn quota(place: &Place, value: i64) -> Node {
    let dimensions = Node::map()
        .put("Class", "Standard/OnDemand")
        .put("Resource", "vCPU")
        .put("Service", "EC2")
        .put("Type", "Resource");
    Node::map()
        .put("ServiceCode", "ec2")
        .put("ServiceName", "Amazon Elastic Compute Cloud (Amazon EC2)")
        .put("QuotaArn", place.arn("servicequotas", &format!("ec2/{VCPUS}")))
        .put("QuotaCode", VCPUS)
        .put("QuotaName", "Running On-Demand Standard (A, C, D, H, I, M, R, T, Z) instances")
        .put("Value", value as f64)
        .put("Unit", "None")
        .put("Adjustable", true)
        .put("GlobalQuota", false)
        .put(
            "UsageMetric",
            Node::map()
                .put("MetricNamespace", "AWS/Usage")
                .put("MetricName", "ResourceCount")
                .put("MetricDimensions", dimensions)
                .put("MetricStatisticRecommendation", "Maximum"),
        )
}

impl World {
    /// How many vCPUs a region allows.
    pub(crate) fn vcpu_quota(&self, place: &Place) -> i64 {
        self.quotas.get(place).map_or(DEFAULT, |quotas| quotas.vcpus)
    }

    /// How many vCPUs run in a region.
    pub(crate) fn vcpus_used(&self, place: &Place) -> i64 {
        let nodes: i64 = self
            .eks
            .get(place)
            .into_iter()
            .flat_map(|eks| eks.clusters.values())
            .flat_map(|cluster| cluster.nodegroups.values())
            .map(|nodegroup| nodegroup.nodes * nodegroup.vcpus)
            .sum();
        nodes + self.quotas.get(place).map_or(0, |quotas| quotas.other_vcpus)
    }
}
