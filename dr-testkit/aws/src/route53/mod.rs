//! Route 53: hosted zones, record sets, health checks.
//!
//! The API is control plane and lives in us-east-1; what the zones hold is served by the data plane
//! ([`crate::dns`]), which goes on without it:
//! <https://docs.aws.amazon.com/whitepapers/latest/aws-fault-isolation-boundaries/global-services.html>.

mod alias;
mod batch;
mod check;
mod check_api;
mod list;
mod name;
mod record;
mod state;
mod tags;
mod zone_api;

pub(crate) use check::{CheckKind, Insufficient, Target};
pub(crate) use check_api::node as check_node;
pub(crate) use record::{Policy, RecordSet, Values};
pub(crate) use state::{Due, Records, Route53, SERVERS, allow, carry_out};
pub(crate) use zone_api::{make, zone_node};
pub(crate) use {alias::Balancer, name::normal};

use crate::wire::{Answer, ApiError, Request};
use crate::world::World;

/// Where its control plane is.
pub(crate) const REGION: &str = "us-east-1";

/// The action of a method and a path: <https://docs.aws.amazon.com/Route53/latest/APIReference/API_Operations_Amazon_Route_53.html>.
pub(crate) fn action(method: &str, path: &[String]) -> Option<&'static str> {
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    let ["2013-04-01", rest @ ..] = path.as_slice() else { return None };
    Some(match (method, rest) {
        ("POST", ["hostedzone"]) => "CreateHostedZone",
        ("GET", ["hostedzone"]) => "ListHostedZones",
        ("GET", ["hostedzonesbyname"]) => "ListHostedZonesByName",
        ("GET", ["hostedzone", _]) => "GetHostedZone",
        ("DELETE", ["hostedzone", _]) => "DeleteHostedZone",
        // With a slash at its end in the reference and from the aws command; the Rust SDK leaves it out.
        ("POST", ["hostedzone", _, "rrset"] | ["hostedzone", _, "rrset", ""]) => "ChangeResourceRecordSets",
        ("GET", ["hostedzone", _, "rrset"]) => "ListResourceRecordSets",
        ("GET", ["change", _]) => "GetChange",
        ("POST", ["healthcheck"]) => "CreateHealthCheck",
        ("GET", ["healthcheck"]) => "ListHealthChecks",
        ("GET", ["healthcheck", _]) => "GetHealthCheck",
        ("POST", ["healthcheck", _]) => "UpdateHealthCheck",
        ("DELETE", ["healthcheck", _]) => "DeleteHealthCheck",
        ("GET", ["healthcheck", _, "status"]) => "GetHealthCheckStatus",
        ("GET", ["tags", _, _]) => "ListTagsForResource",
        ("POST", ["tags", _, _]) => "ChangeTagsForResource",
        _ => return None,
    })
}

/// Carries a call out.
pub(crate) fn perform(world: &mut World, request: &Request) -> Result<Answer, ApiError> {
    match request.action.as_str() {
        "CreateHostedZone" => zone_api::create(world, request),
        "GetHostedZone" => zone_api::get(world, request),
        "DeleteHostedZone" => zone_api::delete(world, request),
        "ListHostedZones" => zone_api::list(world, request),
        "ListHostedZonesByName" => zone_api::list_by_name(world, request),
        "ListResourceRecordSets" => list::records(world, request),
        "ChangeResourceRecordSets" => batch::change(world, request),
        "GetChange" => zone_api::get_change(world, request),
        "CreateHealthCheck" => check_api::create(world, request),
        "GetHealthCheck" => check_api::get(world, request),
        "UpdateHealthCheck" => check_api::update(world, request),
        "DeleteHealthCheck" => check_api::delete(world, request),
        "ListHealthChecks" => check_api::list(world, request),
        "GetHealthCheckStatus" => check_api::status(world, request),
        "ListTagsForResource" => tags::list(world, request),
        "ChangeTagsForResource" => tags::change(world, request),
        other => Err(ApiError::new(400, "InvalidAction", format!("{other} is not known"))),
    }
}

#[cfg(test)]
mod tests {
    use super::action;

    #[test]
    fn a_change_is_understood_with_the_references_slash_and_without() {
        for path in ["2013-04-01/hostedzone/Z1/rrset", "2013-04-01/hostedzone/Z1/rrset/"] {
            let path: Vec<String> = path.split('/').map(str::to_owned).collect();
            assert_eq!(action("POST", &path), Some("ChangeResourceRecordSets"));
        }
    }
}
