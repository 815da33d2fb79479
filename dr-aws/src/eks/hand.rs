//! A scale as a person would type it.

use dr_core::resource::{Replicas, Scale};
use serde_json::Value;

use super::config::{Cluster, EksPlan};
use super::sizes::Ceiling;
use crate::hand::Hand;
use crate::service::Service;

/// The commands of a call. What has to be looked up first stands in angle brackets behind the command that shows it.
pub(super) fn scale(plan: &EksPlan, call: &Value) -> Vec<String> {
    let Ok(call) = serde_json::from_value::<Scale>(call.clone()) else { return Vec::new() };
    let Ok(side) = call.side.side() else { return Vec::new() };
    let Some(cluster) = plan.sides.get(side) else { return Vec::new() };
    let (looked_at, wanted) = match &call.replicas {
        Replicas::Count(count) => (side, count.to_string()),
        Replicas::SameAs(at) => (at.side().unwrap_or(side), "<its desired size>".to_owned()),
        Replicas::Percent { percent, of } => {
            (of.side().unwrap_or(side), format!("<{percent}% of its desired size>"))
        }
        Replicas::Before => (side, "<desired in its tag dr.before>".to_owned()),
    };
    let known = matches!((&call.replicas, cluster.ceiling), (Replicas::Count(_), Ceiling::Set(_)));
    let looked_at = plan.sides.get(looked_at).filter(|_| !known);
    let max = match cluster.ceiling {
        Ceiling::Set(max) => max.to_string(),
        Ceiling::Keep => "<as it is>".to_owned(),
        Ceiling::Raise => "<as it is, or more>".to_owned(),
    };
    let mut lines = Vec::new();
    for (called, group) in &cluster.groups {
        if let Some((looked_at, there)) = looked_at.and_then(|at| Some((at, at.groups.get(called)?))) {
            let query = command(plan, looked_at, "describe-nodegroup", there);
            lines.push(query.with("query", "nodegroup.[scalingConfig,tags]").line(&plan.aws));
        }
        let sizes = format!("minSize={wanted},maxSize={max},desiredSize={wanted}");
        let update = command(plan, cluster, "update-nodegroup-config", group);
        lines.push(update.with("scaling-config", sizes).line(&plan.aws));
        lines.push(command(plan, cluster, "wait nodegroup-active", group).line(&plan.aws));
    }
    lines
}

fn command(plan: &EksPlan, cluster: &Cluster, action: &str, group: &str) -> Hand {
    Hand::new(&plan.aws, Service::Eks, &cluster.region, action)
        .with("cluster-name", &cluster.name)
        .with("nodegroup-name", group)
}
