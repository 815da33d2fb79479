//! The same by hand: what a person types when `dr` cannot run.

use dr_core::Region;
use dr_core::resource::{At, Route, Urgency};
use serde_json::{Value, json};

use super::config::Route53Plan;
use super::entry::RoutingPolicy;
use super::record::{Policy, RecordSet, Target};
use super::wanted::wanted;
use crate::hand::Hand;
use crate::needs::US_EAST_1;
use crate::service::Service;

/// `route` as commands, from the plan alone: callers pinned where they are sent; none while its side or an address is
/// not known.
pub(super) fn by_hand(plan: &Route53Plan, verb: &str, call: &Value) -> Vec<String> {
    let route: Option<Route> = (verb == "route").then(|| serde_json::from_value(call.clone()).ok()).flatten();
    let Some(route) = route.filter(|route| matches!(route.to, At::Named(_))) else { return Vec::new() };
    let Ok(mut sets) = wanted(&plan.entry, &held(plan), &route, Urgency::Unplanned) else {
        return Vec::new();
    };
    // The old primary gives its place up before the new one takes it.
    sets.sort_by_key(|set| set.policy == Policy::Primary);
    let changes: Vec<Value> =
        sets.iter().map(|set| json!({ "Action": "UPSERT", "ResourceRecordSet": written(set) })).collect();
    let batch = json!({ "Changes": changes }).to_string();
    let region = Region::new(US_EAST_1);
    let change = Hand::new(&plan.aws, Service::Route53, &region, "change-resource-record-sets")
        .with("hosted-zone-id", &plan.entry.zone)
        .with("change-batch", batch)
        .line(&plan.aws);
    let look = plan.name_servers.iter().map(|server| {
        format!(
            "dig +norecurse +noall +answer @{} -p {} {} {}",
            server.host, server.port, plan.entry.name, plan.entry.kind
        )
    });
    std::iter::once(change).chain(look).collect()
}

/// The record sets as the plan takes them to be: enough for shares to be told.
fn held(plan: &Route53Plan) -> Vec<RecordSet> {
    if plan.entry.policy == RoutingPolicy::Simple {
        return Vec::new();
    }
    plan.entry
        .sides
        .values()
        .filter_map(|side| {
            Some(RecordSet {
                name: plan.entry.name.clone(),
                kind: plan.entry.kind,
                set_identifier: Some(side.set_identifier.clone()),
                policy: match plan.entry.policy {
                    RoutingPolicy::Weighted => Policy::Weighted(0),
                    RoutingPolicy::Simple | RoutingPolicy::Failover => Policy::Secondary,
                },
                health_check: side.health_check.clone(),
                target: side.target.clone()?,
            })
        })
        .collect()
}

fn written(set: &RecordSet) -> Value {
    let mut written = json!({ "Name": set.name, "Type": set.kind });
    if let Some(id) = &set.set_identifier {
        written["SetIdentifier"] = json!(id);
    }
    match &set.policy {
        Policy::Simple | Policy::Other(_) => {}
        Policy::Weighted(weight) => written["Weight"] = json!(weight),
        Policy::Primary => written["Failover"] = json!("PRIMARY"),
        Policy::Secondary => written["Failover"] = json!("SECONDARY"),
    }
    match &set.target {
        Target::Values { ttl, values } => {
            written["TTL"] = json!(ttl);
            let records: Vec<Value> = values.iter().map(|value| json!({ "Value": value })).collect();
            written["ResourceRecords"] = json!(records);
        }
        Target::Alias { zone, name, evaluate_target_health } => {
            written["AliasTarget"] = json!({
                "HostedZoneId": zone, "DNSName": name, "EvaluateTargetHealth": evaluate_target_health,
            });
        }
    }
    if let Some(check) = &set.health_check {
        written["HealthCheckId"] = json!(check);
    }
    written
}
