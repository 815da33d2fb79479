//! A managed node group.

use std::collections::BTreeMap;

use dr_core::Timestamp;

use super::update::Update;
use crate::place::Place;
use crate::wire::{ApiError, Input, Node};

/// How many nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Size {
    pub(crate) min: i64,
    pub(crate) max: i64,
    pub(crate) desired: i64,
}

/// States: <https://docs.aws.amazon.com/eks/latest/APIReference/API_Nodegroup.html>.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Status {
    Active,
    Updating,
    Degraded,
}

impl Status {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "ACTIVE",
            Self::Updating => "UPDATING",
            Self::Degraded => "DEGRADED",
        }
    }
}

/// What is wrong with a node group: <https://docs.aws.amazon.com/eks/latest/APIReference/API_Issue.html>.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Issue {
    pub(crate) code: &'static str,
    pub(crate) message: String,
}

/// A node group.
#[derive(Debug, Clone)]
pub(crate) struct Nodegroup {
    pub(crate) name: String,
    pub(crate) cluster: String,
    pub(crate) size: Size,
    /// How many nodes run.
    pub(crate) nodes: i64,
    pub(crate) status: Status,
    pub(crate) issues: Vec<Issue>,
    pub(crate) instance_type: String,
    /// How many vCPUs a node has.
    pub(crate) vcpus: i64,
    pub(crate) created: Timestamp,
    pub(crate) modified: Timestamp,
    pub(crate) updates: BTreeMap<String, Update>,
    pub(crate) tags: BTreeMap<String, String>,
}

impl Size {
    /// The size with what a request changes.
    pub(super) fn changed(self, input: &Input<'_>) -> Result<Self, ApiError> {
        let or = |name: &str, value: i64| {
            Ok::<_, ApiError>(input.int(name).map_err(as_parameter)?.unwrap_or(value))
        };
        let size = Self {
            min: or("minSize", self.min)?,
            max: or("maxSize", self.max)?,
            desired: or("desiredSize", self.desired)?,
        };
        size.check().map(|()| size)
    }

    /// <https://docs.aws.amazon.com/eks/latest/APIReference/API_NodegroupScalingConfig.html>
    pub(crate) fn check(self) -> Result<(), ApiError> {
        let Self { min, max, desired } = self;
        if min < 0 || desired < 0 || max < 1 {
            return Err(parameter(
                "minSize and desiredSize must be at least 0, maxSize at least 1".to_owned(),
            ));
        }
        if min > desired {
            return Err(parameter(format!(
                "Minimum capacity {min} can't be greater than desired size {desired}"
            )));
        }
        if desired > max {
            return Err(parameter(format!(
                "desired capacity {desired} can't be greater than max size {max}"
            )));
        }
        Ok(())
    }
}

fn as_parameter(error: ApiError) -> ApiError {
    parameter(error.message)
}

pub(super) fn parameter(message: String) -> ApiError {
    ApiError::new(400, "InvalidParameterException", message)
}

impl Nodegroup {
    pub(crate) fn arn(&self, place: &Place) -> String {
        place.arn("eks", &format!("nodegroup/{}/{}/7ac8e6f3", self.cluster, self.name))
    }

    /// As the API shows it.
    pub(crate) fn node(&self, place: &Place) -> Node {
        let issues = self.issues.iter().map(|issue| {
            Node::map()
                .put("code", issue.code)
                .put("message", &issue.message)
                .put("resourceIds", Node::list("member", [format!("eks-{}", self.name)]))
        });
        let tags = self.tags.iter().fold(Node::map(), |tags, (key, value)| tags.put(key.clone(), value));
        Node::map()
            .put("nodegroupName", &self.name)
            .put("nodegroupArn", self.arn(place))
            .put("clusterName", &self.cluster)
            .put("version", "1.33")
            .put("createdAt", self.created)
            .put("modifiedAt", self.modified)
            .put("status", self.status.as_str())
            .put("capacityType", "ON_DEMAND")
            .put(
                "scalingConfig",
                Node::map()
                    .put("minSize", self.size.min)
                    .put("maxSize", self.size.max)
                    .put("desiredSize", self.size.desired),
            )
            .put("instanceTypes", Node::list("member", [self.instance_type.as_str()]))
            .put("amiType", "AL2023_x86_64_STANDARD")
            .put(
                "resources",
                Node::map().put(
                    "autoScalingGroups",
                    Node::list("member", [Node::map().put("name", format!("eks-{}", self.name))]),
                ),
            )
            .put("health", Node::map().put("issues", Node::list("member", issues)))
            .put("tags", tags)
    }
}
