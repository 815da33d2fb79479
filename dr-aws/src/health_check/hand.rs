//! The same by hand: what a person types when `dr` cannot run.

use dr_core::Region;
use dr_core::resource::{At, Route};
use serde_json::Value;

use super::config::HealthCheckPlan;
use crate::hand::Hand;
use crate::needs::US_EAST_1;
use crate::service::Service;

/// `route` as commands for a calculated check; for an endpoint's the first line tells when not to type the second.
pub(super) fn by_hand(plan: &HealthCheckPlan, verb: &str, call: &Value) -> Vec<String> {
    let route: Option<Route> = (verb == "route").then(|| serde_json::from_value(call.clone()).ok()).flatten();
    let Some(Route { to: At::Named(side), .. }) = route else { return Vec::new() };
    let answers = plan.name_servers.iter().map(|server| {
        format!(
            "dig +norecurse +noall +answer @{} -p {} {} {}",
            server.host, server.port, plan.entry.name, plan.entry.kind
        )
    });
    if let Some(object) = &plan.object {
        let action = if side == plan.primary { "delete-object" } else { "put-object" };
        let switch = Hand::new(&plan.aws, Service::S3, &object.region, action)
            .with("bucket", &object.bucket)
            .with("key", &object.key)
            .line(&plan.aws);
        return std::iter::once(switch).chain(answers).collect();
    }
    let region = Region::new(US_EAST_1);
    let new = |action: &str| {
        Hand::new(&plan.aws, Service::Route53, &region, action).with("health-check-id", &plan.check)
    };
    let look = new("get-health-check-status").line(&plan.aws);
    let home = side == plan.primary;
    let change = new("update-health-check").and(if home { "no-inverted" } else { "inverted" });
    let change = match (plan.unpinned, home) {
        (true, _) => format!(
            "{}   # only while it sees success: inverted, a failure counts as healthy",
            change.line(&plan.aws)
        ),
        (false, true) => change.with("health-threshold", plan.threshold.to_string()).line(&plan.aws),
        (false, false) => change.with("health-threshold", "0").line(&plan.aws),
    };
    [look, change].into_iter().chain(answers).collect()
}
