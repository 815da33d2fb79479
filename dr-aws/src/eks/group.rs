//! One node group, as EKS describes it.

use std::collections::BTreeSet;
use std::sync::Arc;

use aws_sdk_eks::types::{CapacityTypes, Issue, Nodegroup, NodegroupIssueCode, NodegroupStatus};
use dr_core::resource::{Cx, WorkloadState};
use dr_core::{Error, ErrorKind, Result};

use super::config::Cluster;
use super::sizes::{Owner, Sizes};
use super::vcpu::Market;
use crate::asking::Op;
use crate::client::Aws;

/// How the Cluster Autoscaler finds what it may scale.
const AUTOSCALED: &str = "k8s.io/cluster-autoscaler/enabled";

/// A node group of a side: where it is, and the way there.
#[derive(Debug, Clone)]
pub(super) struct Group {
    pub(super) cluster: Arc<Cluster>,
    /// What the plan calls it.
    pub(super) called: String,
    /// What EKS calls it.
    pub(super) name: String,
    pub(super) aws: Aws,
}

/// How it is now.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    pub(super) arn: String,
    pub(super) status: NodegroupStatus,
    pub(super) sizes: Sizes,
    pub(super) owner: Owner,
    pub(super) issues: Vec<Issue>,
    pub(super) types: Vec<String>,
    pub(super) market: Option<Market>,
    pub(super) tags: std::collections::HashMap<String, String>,
}

impl Group {
    pub(super) fn reads(&self, permission: &'static str) -> Op {
        Op::reads(permission).at(&self.cluster.region)
    }

    pub(super) fn changes(&self, permission: &'static str) -> Op {
        Op::changes(permission).at(&self.cluster.region)
    }

    /// For people: `shop-eu/application-nodes`.
    pub(super) fn shown(&self) -> String {
        format!("{}/{}", self.cluster.name, self.name)
    }

    /// Asks EKS how it is.
    pub(super) async fn look(&self, cx: &Cx) -> Result<Seen> {
        let eks = self.aws.eks(&self.cluster.region);
        let described = self
            .reads("eks:DescribeNodegroup")
            .ask(cx, || {
                eks.describe_nodegroup().cluster_name(&self.cluster.name).nodegroup_name(&self.name).send()
            })
            .await
            .map_err(|error| Error::from(error).on(self.shown()))?;
        let group = described.nodegroup.ok_or_else(|| self.nonsense("no node group"))?;
        self.read(group)
    }

    fn read(&self, group: Nodegroup) -> Result<Seen> {
        let scaling = group.scaling_config.as_ref().ok_or_else(|| self.nonsense("no sizes"))?;
        let size = |of: Option<i32>| of.and_then(|size| u32::try_from(size).ok());
        let sizes = match (size(scaling.min_size), size(scaling.max_size), size(scaling.desired_size)) {
            (Some(min), Some(max), Some(desired)) => Sizes { min, max, desired },
            _ => return Err(self.nonsense("sizes that are none")),
        };
        let tags = group.tags.unwrap_or_default();
        let tagged = tags.get(AUTOSCALED).is_some_and(|value| value != "false");
        Ok(Seen {
            arn: group.nodegroup_arn.ok_or_else(|| self.nonsense("no ARN"))?,
            status: group.status.ok_or_else(|| self.nonsense("no status"))?,
            sizes,
            owner: if self.cluster.autoscaler.unwrap_or(tagged) { Owner::Autoscaler } else { Owner::Us },
            issues: group.health.and_then(|health| health.issues).unwrap_or_default(),
            types: group.instance_types.unwrap_or_default(),
            market: match group.capacity_type {
                Some(CapacityTypes::OnDemand) => Some(Market::OnDemand),
                Some(CapacityTypes::Spot) => Some(Market::Spot),
                _ => None,
            },
            tags,
        })
    }

    fn nonsense(&self, what: &str) -> Error {
        Error::new(ErrorKind::Unknown, format!("EKS describes {what}")).on(self.shown()).not_happened()
    }
}

impl Seen {
    /// Whether something is being done to it.
    pub(super) fn is_busy(&self) -> bool {
        matches!(self.status, NodegroupStatus::Updating | NodegroupStatus::Creating)
    }

    /// Whether it can still become what is asked of it, now that nothing is being done to it any more.
    ///
    /// # Errors
    /// In EKS's words, if it cannot without somebody's help.
    pub(super) fn can_go_on(&self) -> Result<()> {
        let words = || {
            let all: Vec<String> =
                self.issues.iter().filter(|issue| !passes(issue)).map(issue_text).collect();
            all.join("; ")
        };
        match &self.status {
            NodegroupStatus::Active | NodegroupStatus::Updating | NodegroupStatus::Creating => {}
            NodegroupStatus::Degraded => {}
            status => {
                let said = words();
                let what = if said.is_empty() { String::new() } else { format!(": {said}") };
                return Err(Error::new(ErrorKind::Refused, format!("it is {status}{what}")));
            }
        }
        let words = words();
        if words.is_empty() { Ok(()) } else { Err(Error::new(ErrorKind::Refused, words)) }
    }

    /// Whether EKS counts all its nodes as there: nothing is being done to it, and it reports no issue.
    pub(super) fn is_settled(&self) -> bool {
        self.status == NodegroupStatus::Active && self.issues.is_empty()
    }

    /// As a workload. EKS counts no nodes: it says what is wanted, whether it is at work, and what is wrong. So all
    /// wanted nodes count as ready when it is at rest and reports nothing wrong; what an issue names by instance is
    /// missing; and while it is at work, or an issue names nobody, none is counted.
    pub(super) fn workload(&self, called: &str) -> WorkloadState {
        let ill: BTreeSet<&str> = self.issues.iter().flat_map(instances).collect();
        let countable = self.status == NodegroupStatus::Active || self.status == NodegroupStatus::Degraded;
        let all_named = self.issues.iter().all(|issue| instances(issue).next().is_some());
        let ready = if countable && all_named && (self.is_settled() || !ill.is_empty()) {
            self.sizes.desired.saturating_sub(u32::try_from(ill.len()).unwrap_or(u32::MAX))
        } else {
            0
        };
        let mut state = WorkloadState::new(called, self.sizes.desired, ready);
        state.problems = self.issues.iter().map(issue_text).collect();
        if self.status != NodegroupStatus::Active {
            state.problems.insert(0, format!("the node group is {}", self.status));
        }
        state
    }
}

fn instances(issue: &Issue) -> impl Iterator<Item = &str> {
    issue.resource_ids().iter().map(String::as_str).filter(|id| id.starts_with("i-"))
}

/// What goes away by itself, as EKS documents its issues.
fn passes(issue: &Issue) -> bool {
    matches!(
        issue.code,
        Some(
            NodegroupIssueCode::InternalFailure
                | NodegroupIssueCode::ClusterUnreachable
                | NodegroupIssueCode::IamThrottling
                | NodegroupIssueCode::AutoScalingGroupRateLimitExceeded
                | NodegroupIssueCode::AutoScalingGroupInstanceRefreshActive
        )
    )
}

/// `AsgInstanceLaunchFailures: … (i-0abc)`.
fn issue_text(issue: &Issue) -> String {
    let code = issue.code.as_ref().map_or("issue", NodegroupIssueCode::as_str);
    let mut text = format!("{code}: {}", issue.message.as_deref().unwrap_or("no message"));
    if !issue.resource_ids().is_empty() {
        text.push_str(&format!(" ({})", issue.resource_ids().join(", ")));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(status: NodegroupStatus, issues: Vec<Issue>) -> Seen {
        Seen {
            arn: "arn".to_owned(),
            status,
            sizes: Sizes { min: 1, max: 5, desired: 3 },
            owner: Owner::Us,
            issues,
            types: Vec::new(),
            market: None,
            tags: std::collections::HashMap::new(),
        }
    }

    fn issue(code: NodegroupIssueCode, ids: &[&str]) -> Issue {
        let ids = ids.iter().map(|id| (*id).to_owned()).collect();
        Issue::builder().code(code).message("as EKS says").set_resource_ids(Some(ids)).build()
    }

    #[test]
    fn only_a_group_at_rest_without_issues_has_all_its_nodes() {
        let ready = |seen: Seen| seen.workload("app").ready;
        assert_eq!(ready(seen(NodegroupStatus::Active, vec![])), 3);
        for status in [
            NodegroupStatus::Updating,
            NodegroupStatus::Creating,
            NodegroupStatus::Degraded,
            NodegroupStatus::Deleting,
            NodegroupStatus::from("NEW_ONE"),
        ] {
            assert_eq!(ready(seen(status.clone(), vec![])), 0, "{status}");
        }
    }

    #[test]
    fn an_issue_takes_away_the_nodes_that_it_names_and_all_if_it_names_none() {
        let named = issue(NodegroupIssueCode::NodeCreationFailure, &["i-1"]);
        let unnamed = issue(NodegroupIssueCode::AsgInstanceLaunchFailures, &["eks-app-asg"]);
        assert_eq!(seen(NodegroupStatus::Degraded, vec![named.clone()]).workload("app").ready, 2);
        let both = seen(NodegroupStatus::Degraded, vec![named, unnamed]).workload("app");
        assert_eq!(both.ready, 0);
        assert!(
            both.problems.iter().any(|problem| problem.contains("AsgInstanceLaunchFailures: as EKS says"))
        );
    }

    #[test]
    fn what_needs_help_ends_it_and_what_passes_does_not() {
        let needs =
            seen(NodegroupStatus::Active, vec![issue(NodegroupIssueCode::AsgInstanceLaunchFailures, &[])]);
        assert_eq!(needs.can_go_on().unwrap_err().kind(), ErrorKind::Refused);
        let passes = seen(NodegroupStatus::Degraded, vec![issue(NodegroupIssueCode::InternalFailure, &[])]);
        assert!(passes.can_go_on().is_ok());
        assert!(seen(NodegroupStatus::from("NEW_ONE"), vec![]).can_go_on().is_err());
    }
}
