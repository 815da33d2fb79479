//! Which control planes live where, and what a run does while they are down.
//!
//! The sources: AWS, "AWS Fault Isolation Boundaries" (whitepaper), appendices A ("Partitional service guidance") and B
//! ("Edge network global service guidance"),
//! <https://docs.aws.amazon.com/whitepapers/latest/aws-fault-isolation-boundaries/appendix-a---partitional-service-guidance.html>,
//! <https://docs.aws.amazon.com/whitepapers/latest/aws-fault-isolation-boundaries/appendix-b---edge-network-global-service-guidance.html>;
//! "Disaster recovery mechanisms in Amazon Route 53" for what stays when Route 53's control plane does not answer,
//! <https://aws.amazon.com/blogs/networking-and-content-delivery/creating-disaster-recovery-mechanisms-using-amazon-route-53/>.
//! They hold for the partition `aws`; China and GovCloud have planes of their own.

use dr_core::Region;
use dr_core::resource::Plane;

/// Where the partition's control planes live.
pub(crate) const US_EAST_1: &str = "us-east-1";

/// Changing records: control plane in us-east-1. Answering for them is a data plane everywhere, and goes on.
pub(crate) fn route53_records() -> Plane {
    Plane::new("Route 53 records", US_EAST_1)
        .without("no record can be changed: callers stay where they are, unless a failover record moves them by itself")
        .instead(
            "failover records whose primary has a check that the standby takes over with \
             (kind route53-health-check, mode standby-takes-over)",
        )
}

/// Changing a health check, inverting included: the same control plane as the records. Checking is a data plane in
/// every checker region, and goes on.
pub(crate) fn route53_health_checks() -> Plane {
    Plane::new("Route 53 health checks", US_EAST_1)
        .without(
            "no check can be inverted: callers stay where they are, unless the check itself sees the loss",
        )
        .instead("mode standby-takes-over, which needs nothing outside the target's region")
}

/// A service whose control plane is in the region it serves: RDS, EKS, CloudWatch, Service Quotas.
pub(crate) fn regional(service: &str, region: &Region) -> Plane {
    Plane::new(service, region.clone())
}
