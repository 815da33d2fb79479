//! EKS: clusters and their managed node groups.
//!
//! <https://docs.aws.amazon.com/eks/latest/APIReference/API_Operations.html>

mod api;
mod nodegroup;
mod update;

pub(crate) use nodegroup::{Nodegroup, Size, Status as NodegroupStatus};
pub(crate) use update::{Due, carry_out};

use std::collections::BTreeMap;

use dr_core::Timestamp;

use crate::server::unknown;
use crate::service::Service;
use crate::wire::{Answer, ApiError, Request};
use crate::world::World;

/// An account's EKS in a region.
#[derive(Debug, Default)]
pub(crate) struct Eks {
    pub(crate) clusters: BTreeMap<String, Cluster>,
}

/// A cluster.
#[derive(Debug, Clone)]
pub(crate) struct Cluster {
    pub(crate) name: String,
    pub(crate) created: Timestamp,
    pub(crate) nodegroups: BTreeMap<String, Nodegroup>,
    pub(crate) tags: BTreeMap<String, String>,
}

/// The action of a method and a path.
pub(crate) fn action(method: &str, path: &[String]) -> Option<&'static str> {
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    Some(match (method, path.as_slice()) {
        ("GET", ["clusters"]) => "ListClusters",
        ("GET", ["clusters", _]) => "DescribeCluster",
        ("GET", ["clusters", _, "node-groups"]) => "ListNodegroups",
        ("GET", ["clusters", _, "node-groups", _]) => "DescribeNodegroup",
        ("POST", ["clusters", _, "node-groups", _, "update-config"]) => "UpdateNodegroupConfig",
        ("GET", ["clusters", _, "updates"]) => "ListUpdates",
        ("GET", ["clusters", _, "updates", _]) => "DescribeUpdate",
        ("GET", ["tags", ..]) => "ListTagsForResource",
        ("POST", ["tags", ..]) => "TagResource",
        ("DELETE", ["tags", ..]) => "UntagResource",
        _ => return None,
    })
}

/// Carries a call out.
pub(crate) fn perform(world: &mut World, request: &Request) -> Result<Answer, ApiError> {
    match request.action.as_str() {
        "ListClusters" => api::clusters(world, request),
        "DescribeCluster" => api::cluster(world, request),
        "ListNodegroups" => api::nodegroups(world, request),
        "DescribeNodegroup" => api::nodegroup(world, request),
        "UpdateNodegroupConfig" => update::config(world, request),
        "ListUpdates" => update::list(world, request),
        "DescribeUpdate" => update::describe(world, request),
        "ListTagsForResource" => api::tags(world, request),
        "TagResource" => api::tag(world, request),
        "UntagResource" => api::untag(world, request),
        other => Err(unknown(Service::Eks, other)),
    }
}

impl Eks {
    pub(crate) fn cluster(&mut self, name: &str) -> Result<&mut Cluster, ApiError> {
        self.clusters.get_mut(name).ok_or_else(|| not_found(format!("No cluster found for name: {name}.")))
    }
}

impl Cluster {
    pub(crate) fn nodegroup(&mut self, name: &str) -> Result<&mut Nodegroup, ApiError> {
        self.nodegroups
            .get_mut(name)
            .ok_or_else(|| not_found(format!("No node group found for name: {name}.")))
    }
}

pub(super) fn not_found(message: String) -> ApiError {
    ApiError::new(404, "ResourceNotFoundException", message)
}
