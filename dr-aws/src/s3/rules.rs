//! Whether a bucket's replication rules do what the plan takes them to do. Pure.

use aws_sdk_s3::types::{
    DeleteMarkerReplicationStatus, MetricsStatus, ReplicationConfiguration, ReplicationRule,
    ReplicationRuleStatus, ReplicationTimeStatus,
};
use dr_core::resource::Hazard;

use super::config::S3Plan;

/// What the rules of one bucket mean for another.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Rules {
    /// The rule that replicates it, if there is one that is right.
    pub(super) rule: Option<String>,
    /// Whether S3 measures it.
    pub(super) measured: bool,
    /// What is wrong.
    pub(super) hazards: Vec<Hazard>,
}

/// Judges the rules of a bucket for what goes to `destination`. The rule of the highest priority that covers the prefix
/// is the one that counts, as S3 applies them.
pub(super) fn judge(plan: &S3Plan, config: Option<&ReplicationConfiguration>, destination: &str) -> Rules {
    let arn = format!(":s3:::{destination}");
    let to_it =
        |rule: &&ReplicationRule| rule.destination.as_ref().is_some_and(|to| to.bucket.ends_with(&arn));
    let rules: Vec<&ReplicationRule> =
        config.map(ReplicationConfiguration::rules).unwrap_or_default().iter().filter(to_it).collect();
    if rules.is_empty() {
        return Rules {
            hazards: vec![blocking("no-rule", format!("no replication rule leads to {destination}"))],
            ..Rules::default()
        };
    }
    let enabled: Vec<&ReplicationRule> =
        rules.iter().filter(|rule| rule.status == ReplicationRuleStatus::Enabled).copied().collect();
    if enabled.is_empty() {
        let names: Vec<&str> = rules.iter().map(|rule| name(rule)).collect();
        let text = format!("the replication rule to {destination} is not enabled ({})", names.join(", "));
        return Rules { hazards: vec![blocking("rule-disabled", text)], ..Rules::default() };
    }
    let covering = enabled
        .iter()
        .filter(|rule| covers(rule, &plan.prefix))
        .max_by_key(|rule| rule.priority.unwrap_or_default());
    let Some(rule) = covering else {
        let text = format!(
            "no replication rule to {destination} covers all of `{}` ({})",
            if plan.prefix.is_empty() { "everything" } else { &plan.prefix },
            enabled.iter().map(|rule| filter(rule)).collect::<Vec<_>>().join("; ")
        );
        return Rules { hazards: vec![blocking("rule-filter", text)], ..Rules::default() };
    };
    let mut found = Rules { rule: Some(name(rule).to_owned()), ..Rules::default() };
    found.measured = details(plan, rule, &mut found.hazards);
    found
}

/// What a rule that replicates does not do besides; whether S3 measures it.
fn details(plan: &S3Plan, rule: &ReplicationRule, hazards: &mut Vec<Hazard>) -> bool {
    let to = rule.destination.as_ref();
    let timed = to
        .and_then(|to| to.replication_time.as_ref())
        .is_some_and(|time| time.status == ReplicationTimeStatus::Enabled);
    let measured =
        to.and_then(|to| to.metrics.as_ref()).is_some_and(|metrics| metrics.status == MetricsStatus::Enabled);
    if plan.time_control && !timed {
        hazards.push(blocking(
            "no-time-control",
            format!("rule {} has no replication time control: S3 promises no time", name(rule)),
        ));
    }
    if !measured {
        hazards.push(remark(
            "no-metrics",
            format!("rule {} has no metrics: S3 does not measure how far behind it is", name(rule)),
        ));
    }
    let deletes = rule
        .delete_marker_replication
        .as_ref()
        .is_some_and(|markers| markers.status == Some(DeleteMarkerReplicationStatus::Enabled));
    if plan.delete_markers && !deletes {
        hazards.push(blocking(
            "delete-markers-stay",
            format!("rule {} does not replicate deletions: the copy keeps what was deleted", name(rule)),
        ));
    }
    measured
}

/// Whether a rule applies to everything below the prefix: one that asks for tags does not.
fn covers(rule: &ReplicationRule, prefix: &str) -> bool {
    #[expect(deprecated, reason = "rules of the first version of replication have their prefix there")]
    let first = rule.prefix.as_deref();
    match &rule.filter {
        None => prefix.starts_with(first.unwrap_or_default()),
        Some(filter) => {
            let tagged =
                filter.tag.is_some() || filter.and.as_ref().is_some_and(|and| !and.tags().is_empty());
            let and = filter.and.as_ref().and_then(|and| and.prefix.as_deref());
            !tagged && prefix.starts_with(filter.prefix.as_deref().or(and).unwrap_or_default())
        }
    }
}

/// A rule and what it applies to, for people.
fn filter(rule: &ReplicationRule) -> String {
    let Some(filter) = &rule.filter else { return format!("{} has a prefix", name(rule)) };
    let and = filter.and.as_ref();
    let prefix = filter.prefix.as_deref().or_else(|| and?.prefix.as_deref()).unwrap_or_default();
    let tagged = filter.tag.is_some() || and.is_some_and(|and| !and.tags().is_empty());
    format!("{} covers `{prefix}`{}", name(rule), if tagged { " and asks for tags" } else { "" })
}

fn name(rule: &ReplicationRule) -> &str {
    rule.id.as_deref().unwrap_or("without a name")
}

pub(super) fn blocking(code: &str, message: String) -> Hazard {
    Hazard { code: code.to_owned(), message, blocks: true }
}

pub(super) fn remark(code: &str, message: String) -> Hazard {
    Hazard { code: code.to_owned(), message, blocks: false }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::read;
    use aws_sdk_s3::types::{
        DeleteMarkerReplication, Destination, Metrics, ReplicationRuleFilter, ReplicationTime, Tag,
    };
    use serde_json::json;

    fn plan(more: serde_json::Value) -> S3Plan {
        let mut config =
            json!({ "sides": { "us-east-1": { "bucket": "east" }, "us-west-2": { "bucket": "west" } } });
        config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        read::<super::super::config::S3Config>(config).and_then(|config| config.check()).unwrap()
    }

    /// The seed's rule: everything, within fifteen minutes, measured, deletions too.
    fn rule(filter: ReplicationRuleFilter, status: ReplicationRuleStatus) -> ReplicationRule {
        let to = Destination::builder()
            .bucket("arn:aws:s3:::west")
            .replication_time(
                ReplicationTime::builder().status(ReplicationTimeStatus::Enabled).build().unwrap(),
            )
            .metrics(Metrics::builder().status(MetricsStatus::Enabled).build().unwrap())
            .build()
            .unwrap();
        ReplicationRule::builder()
            .id("all")
            .status(status)
            .filter(filter)
            .destination(to)
            .delete_marker_replication(
                DeleteMarkerReplication::builder().status(DeleteMarkerReplicationStatus::Enabled).build(),
            )
            .build()
            .unwrap()
    }

    fn prefix(prefix: &str) -> ReplicationRuleFilter {
        ReplicationRuleFilter::builder().prefix(prefix).build()
    }

    fn judged(plan: &S3Plan, rules: Vec<ReplicationRule>) -> Rules {
        let config = ReplicationConfiguration::builder()
            .role("arn:aws:iam::123456789012:role/replication")
            .set_rules(Some(rules))
            .build()
            .unwrap();
        judge(plan, Some(&config), "west")
    }

    fn codes(rules: &Rules) -> Vec<&str> {
        rules.hazards.iter().map(|hazard| hazard.code.as_str()).collect()
    }

    #[test]
    fn the_seeds_rule_is_right() {
        let found = judged(
            &plan(json!({ "time_control": "15m" })),
            vec![rule(prefix(""), ReplicationRuleStatus::Enabled)],
        );
        assert_eq!((found.rule.as_deref(), found.measured), (Some("all"), true));
        assert!(found.hazards.is_empty(), "{found:?}");
    }

    #[test]
    fn what_is_wrong_with_a_rule_has_a_name() {
        let enabled = || ReplicationRuleStatus::Enabled;
        let plan = plan(json!({ "time_control": "15m" }));
        assert_eq!(codes(&judge(&plan, None, "west")), ["no-rule"]);
        assert_eq!(codes(&judge(&plan, None, "est")), ["no-rule"]);
        assert_eq!(
            codes(&judged(&plan, vec![rule(prefix(""), ReplicationRuleStatus::Disabled)])),
            ["rule-disabled"]
        );
        assert_eq!(codes(&judged(&plan, vec![rule(prefix("orders/"), enabled())])), ["rule-filter"]);
        let tag = Tag::builder().key("dr").value("yes").build().unwrap();
        let tagged = ReplicationRuleFilter::builder().tag(tag).build();
        assert_eq!(codes(&judged(&plan, vec![rule(tagged, enabled())])), ["rule-filter"]);
        let mut bare = rule(prefix(""), enabled());
        bare.delete_marker_replication = None;
        bare.destination = Some(Destination::builder().bucket("arn:aws:s3:::west").build().unwrap());
        assert_eq!(
            codes(&judged(&plan, vec![bare])),
            ["no-time-control", "no-metrics", "delete-markers-stay"]
        );
    }

    #[test]
    fn a_rule_for_more_covers_a_part() {
        let found = judged(
            &plan(json!({ "prefix": "orders/2026/" })),
            vec![rule(prefix("orders/"), ReplicationRuleStatus::Enabled)],
        );
        assert_eq!(found.rule.as_deref(), Some("all"));
    }
}
