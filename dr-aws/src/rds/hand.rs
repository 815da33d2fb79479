//! The same by hand: what a person types when `dr` cannot run.

use dr_core::Side;
use dr_core::resource::{At, Backup, Fence, Follow, Point, Promote, Restore, Unfence};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::config::{RdsPlan, SidePlan};
use crate::hand::Hand;
use crate::service::Service;

/// A call as `aws` commands; none for what has none, or while its side is not known.
pub(super) fn by_hand(plan: &RdsPlan, verb: &str, call: &Value) -> Vec<String> {
    match verb {
        "fence" => {
            side(plan, call, |call: &Fence| &call.side).map(|(_, side)| fence(plan, side)).unwrap_or_default()
        }
        "unfence" => side(plan, call, |call: &Unfence| &call.side)
            .map(|(_, side)| unfence(plan, side))
            .unwrap_or_default(),
        "promote" => side(plan, call, |call: &Promote| &call.side)
            .map(|(_, side)| promote(plan, side))
            .unwrap_or_default(),
        "follow" => follow(plan, call).unwrap_or_default(),
        "backup" => side(plan, call, |call: &Backup| &call.side)
            .map(|(_, side)| {
                vec![
                    hand(plan, side, "create-db-snapshot")
                        .with("db-instance-identifier", &side.instance)
                        .with("db-snapshot-identifier", format!("{}-by-hand", side.instance))
                        .line(&plan.aws),
                ]
            })
            .unwrap_or_default(),
        "restore" => restore(plan, call).unwrap_or_default(),
        _ => Vec::new(),
    }
}

fn side<'p, C: DeserializeOwned>(
    plan: &'p RdsPlan,
    call: &Value,
    at: impl Fn(&C) -> &At,
) -> Option<(C, &'p SidePlan)> {
    let call: C = serde_json::from_value(call.clone()).ok()?;
    let side = named(plan, at(&call))?;
    Some((call, side))
}

fn named<'p>(plan: &'p RdsPlan, at: &At) -> Option<&'p SidePlan> {
    let side: &Side = at.side().ok()?;
    plan.sides.get(side)
}

fn hand(plan: &RdsPlan, side: &SidePlan, action: &str) -> Hand {
    Hand::new(&plan.aws, Service::Rds, &side.region, action)
}

fn modify(plan: &RdsPlan, side: &SidePlan) -> Hand {
    hand(plan, side, "modify-db-instance").with("db-instance-identifier", &side.instance)
}

fn look(plan: &RdsPlan, side: &SidePlan) -> String {
    hand(plan, side, "describe-db-instances")
        .with("db-instance-identifier", &side.instance)
        .with(
            "query",
            "DBInstances[0].[DBInstanceStatus,ReadReplicaSourceDBInstanceIdentifier,VpcSecurityGroups,TagList]",
        )
        .line(&plan.aws)
}

fn fence(plan: &RdsPlan, side: &SidePlan) -> Vec<String> {
    let Some(group) = &side.fence else { return Vec::new() };
    vec![
        look(plan, side),
        modify(plan, side).with("vpc-security-group-ids", group).and("apply-immediately").line(&plan.aws),
        hand(plan, side, "reboot-db-instance").with("db-instance-identifier", &side.instance).line(&plan.aws),
        hand(plan, side, "describe-events")
            .with("source-type", "db-instance")
            .with("source-identifier", &side.instance)
            .with("duration", "10")
            .line(&plan.aws),
    ]
}

fn unfence(plan: &RdsPlan, side: &SidePlan) -> Vec<String> {
    vec![
        look(plan, side),
        modify(plan, side)
            .with("vpc-security-group-ids", "GROUPS-IN-THE-TAG-dr:fence-groups")
            .and("apply-immediately")
            .line(&plan.aws),
    ]
}

fn promote(plan: &RdsPlan, side: &SidePlan) -> Vec<String> {
    vec![
        hand(plan, side, "promote-read-replica")
            .with("db-instance-identifier", &side.instance)
            .with("backup-retention-period", plan.retention.to_string())
            .line(&plan.aws),
        look(plan, side),
    ]
}

fn follow(plan: &RdsPlan, call: &Value) -> Option<Vec<String>> {
    let call: Follow = serde_json::from_value(call.clone()).ok()?;
    let (side, of) = (named(plan, &call.side)?, named(plan, &call.of)?);
    let source = format!("arn:aws:rds:{}:ACCOUNT:db:{}", of.region, of.instance);
    let mut make = hand(plan, side, "create-db-instance-read-replica")
        .with("db-instance-identifier", &side.instance)
        .with("source-db-instance-identifier", source)
        .with("source-region", of.region.as_str());
    if let Some(subnets) = &side.replica.subnet_group {
        make = make.with("db-subnet-group-name", subnets);
    }
    Some(vec![
        modify(plan, side)
            .with("new-db-instance-identifier", format!("{}-kept", side.instance))
            .and("apply-immediately")
            .line(&plan.aws),
        make.line(&plan.aws),
    ])
}

fn restore(plan: &RdsPlan, call: &Value) -> Option<Vec<String>> {
    let (call, side): (Restore, _) = side(plan, call, |call: &Restore| &call.side)?;
    let into = call.into.clone().unwrap_or_else(|| format!("{}-restored", side.instance));
    Some(match &call.point {
        Point::At(moment) => vec![
            hand(plan, side, "restore-db-instance-to-point-in-time")
                .with("source-db-instance-identifier", &side.instance)
                .with("target-db-instance-identifier", into)
                .with("restore-time", moment.to_string())
                .line(&plan.aws),
        ],
        Point::Copy(id) => vec![from_copy(plan, side, &into, id)],
        Point::Latest => vec![
            hand(plan, side, "describe-db-snapshots")
                .with("query", "reverse(sort_by(DBSnapshots,&SnapshotCreateTime))[0].DBSnapshotIdentifier")
                .line(&plan.aws),
            from_copy(plan, side, &into, "THAT-ONE"),
        ],
    })
}

fn from_copy(plan: &RdsPlan, side: &SidePlan, into: &str, id: &str) -> String {
    hand(plan, side, "restore-db-instance-from-db-snapshot")
        .with("db-instance-identifier", into)
        .with("db-snapshot-identifier", id)
        .line(&plan.aws)
}
