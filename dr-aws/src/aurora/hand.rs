//! The same by hand: what a person types when `dr` cannot run.

use dr_core::resource::{At, Fence, Promote, Unfence};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::config::{AuroraPlan, SidePlan};
use crate::hand::Hand;
use crate::service::Service;

/// A call as `aws` commands; none for what has none, or while its side is not known.
pub(super) fn by_hand(plan: &AuroraPlan, verb: &str, call: &Value) -> Vec<String> {
    match verb {
        "fence" => {
            side(plan, call, |call: &Fence| &call.side).map(|side| fence(plan, side)).unwrap_or_default()
        }
        "unfence" => {
            side(plan, call, |call: &Unfence| &call.side).map(|side| unfence(plan, side)).unwrap_or_default()
        }
        "promote" => {
            side(plan, call, |call: &Promote| &call.side).map(|side| promote(plan, side)).unwrap_or_default()
        }
        "follow" => plan.sides.values().take(1).map(|side| look(plan, side)).collect(),
        _ => Vec::new(),
    }
}

fn side<'p, C: DeserializeOwned>(
    plan: &'p AuroraPlan,
    call: &Value,
    at: impl Fn(&C) -> &At,
) -> Option<&'p SidePlan> {
    let call: C = serde_json::from_value(call.clone()).ok()?;
    plan.sides.get(at(&call).side().ok()?)
}

fn hand(plan: &AuroraPlan, side: &SidePlan, action: &str) -> Hand {
    Hand::new(&plan.aws, Service::Rds, &side.region, action)
}

fn look(plan: &AuroraPlan, side: &SidePlan) -> String {
    hand(plan, side, "describe-global-clusters")
        .with("global-cluster-identifier", &plan.global)
        .line(&plan.aws)
}

/// With the writer alive the first; without it the second, which may lose what was not copied yet.
fn promote(plan: &AuroraPlan, side: &SidePlan) -> Vec<String> {
    let to = format!("arn:aws:rds:{}:ACCOUNT:cluster:{}", side.region, side.cluster);
    let switch = |at: &SidePlan, action: &str| {
        hand(plan, at, action)
            .with("global-cluster-identifier", &plan.global)
            .with("target-db-cluster-identifier", &to)
    };
    let others = plan.sides.values().filter(|other| other.region != side.region);
    let mut commands: Vec<String> =
        others.take(1).map(|other| switch(other, "switchover-global-cluster").line(&plan.aws)).collect();
    commands.push(switch(side, "failover-global-cluster").and("allow-data-loss").line(&plan.aws));
    commands.push(look(plan, side));
    commands
}

fn attach(plan: &AuroraPlan, side: &SidePlan, groups: &str) -> String {
    hand(plan, side, "modify-db-cluster")
        .with("db-cluster-identifier", &side.cluster)
        .with("vpc-security-group-ids", groups)
        .and("apply-immediately")
        .line(&plan.aws)
}

fn describe(plan: &AuroraPlan, side: &SidePlan) -> String {
    hand(plan, side, "describe-db-clusters")
        .with("db-cluster-identifier", &side.cluster)
        .with("query", "DBClusters[0].[Status,DBClusterMembers,VpcSecurityGroups,TagList]")
        .line(&plan.aws)
}

fn fence(plan: &AuroraPlan, side: &SidePlan) -> Vec<String> {
    let Some(group) = &side.fence else { return Vec::new() };
    vec![
        describe(plan, side),
        attach(plan, side, group),
        hand(plan, side, "reboot-db-instance")
            .with("db-instance-identifier", "EACH-OF-ITS-INSTANCES")
            .line(&plan.aws),
    ]
}

fn unfence(plan: &AuroraPlan, side: &SidePlan) -> Vec<String> {
    vec![describe(plan, side), attach(plan, side, "GROUPS-IN-THE-TAG-dr:fence-groups")]
}
