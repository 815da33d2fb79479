//! What would hinder a promotion of a replica, or the service after it. Pure.

use std::collections::BTreeMap;

use dr_core::Side;
use dr_core::resource::Hazard;

use super::config::SidePlan;
use super::observe::View;
use crate::database::instance::Instance;
use crate::database::status::Condition;

/// The sizes of instance classes, smallest first.
const SIZES: [&str; 4] = ["micro", "small", "medium", "large"];

/// The hazards of an instance. A primary has none: nobody promotes it.
pub(super) fn find(plan: &SidePlan, instance: &Instance, seen: &BTreeMap<&Side, View>) -> Vec<Hazard> {
    let mut hazards = Vec::new();
    let Some(of) = &instance.source else { return hazards };
    let mut add = |code: &str, blocks: bool, message: String| {
        hazards.push(Hazard { code: code.to_owned(), message, blocks });
    };
    let status = &instance.status;
    if !status.is_available() {
        let passes = matches!(status.condition(), Condition::Serving | Condition::Changing);
        let then = if passes { "wait until it is available" } else { "mend it first" };
        add(
            "not-available",
            true,
            format!("it is {status}, and RDS promotes only what is available: {then}"),
        );
    }
    if let Some((word, false)) = &instance.replication {
        add("replication-broken", true, format!("RDS says that its replication is `{word}`"));
    }
    if let Some(fence) = &plan.fence
        && instance.groups.iter().any(|group| group.id == *fence)
    {
        let message =
            format!("the fence's security group {fence} is attached: it would serve nobody; attach its own");
        add("target-is-fenced", true, message);
    }
    if !instance.pending.is_empty() {
        let message = format!(
            "a change of {} waits, and the restart of a promotion would bring it: apply it before",
            instance.pending.join(" and ")
        );
        add("pending-changes", true, message);
    }
    if instance.retention == Some(0) {
        let message = "it keeps no automated backups: a promotion turns them on, and RDS takes the first at once; \
                       turn them on beforehand";
        add("no-automated-backups", false, message.to_owned());
    }
    if !instance.is_postgres() {
        let message = format!(
            "{} does not date what it replayed: nothing acknowledged can be proven to be here, so a planned promotion \
             will not be ready, and an unplanned one has no loss bound",
            instance.engine
        );
        add("loss-not-bounded", false, message);
    }
    if !instance.multi_az {
        add("single-zone", false, "it is in one zone: a lost zone would stop it".to_owned());
    }
    if instance.storage_limit.is_none_or(|limit| instance.storage.is_some_and(|storage| storage >= limit)) {
        add("storage-does-not-grow", false, "its storage does not grow by itself".to_owned());
    }
    let source = seen.values().find_map(|view| match view {
        View::There { instance, .. } if instance.arn == *of => Some(instance),
        View::There { .. } | View::Missing | View::Unseen(_) => None,
    });
    if let Some(source) = source
        && smaller(&instance.class, &source.class)
    {
        let message = format!(
            "its class is {}, the source's {}: it may not carry the load",
            instance.class, source.class
        );
        add("smaller-class", false, message);
    }
    hazards
}

/// Whether a class is known to be smaller: of the same size by name nothing is known beyond its family.
fn smaller(one: &str, other: &str) -> bool {
    matches!((size(one), size(other)), (Some(one), Some(other)) if one < other)
}

/// `db.r6g.2xlarge` → how large, in steps.
fn size(class: &str) -> Option<u32> {
    let word = class.rsplit('.').next()?;
    if let Some(step) = SIZES.iter().position(|size| *size == word) {
        return u32::try_from(step).ok();
    }
    let times = word.strip_suffix("xlarge")?;
    let times: u32 = if times.is_empty() { 1 } else { times.parse().ok()? };
    times.checked_add(3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_are_told_apart_by_their_size() {
        assert!(smaller("db.r6g.large", "db.r6g.4xlarge"));
        assert!(smaller("db.t3.micro", "db.m5.large"));
        assert!(!smaller("db.r6g.16xlarge", "db.r6g.8xlarge"));
        assert!(!smaller("db.serverless", "db.r6g.8xlarge"), "unknown is not smaller");
    }
}
