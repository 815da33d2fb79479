//! Changing a node group's size, and what becomes of it.

use std::time::Duration;

use dr_core::Timestamp;

use super::nodegroup::{Issue, Size, Status, parameter};
use super::not_found;
use crate::place::Place;
use crate::wire::{Answer, ApiError, Node, Request};
use crate::world::World;

/// How long nodes take to join; AWS gives no figure, this is a usual one.
const TAKES: Duration = Duration::from_secs(120);

/// How an update stands: <https://docs.aws.amazon.com/eks/latest/APIReference/API_Update.html>.
#[derive(Debug, Clone)]
pub(crate) struct Update {
    id: String,
    wanted: Size,
    created: Timestamp,
    outcome: Option<Result<(), Issue>>,
}

/// What comes about by itself.
#[derive(Debug, Clone)]
pub(crate) enum Due {
    /// An update is done, well or badly.
    Updated { place: Place, cluster: String, nodegroup: String, update: String },
}

/// One update at a time.
///
/// <https://docs.aws.amazon.com/eks/latest/APIReference/API_UpdateNodegroupConfig.html>
pub(super) fn config(world: &mut World, request: &Request) -> Result<Answer, ApiError> {
    let input = request.input();
    let place = Place::new(&request.account, &request.region);
    let (cluster, name) = (request.segment(1).to_owned(), request.segment(3).to_owned());
    for unmodelled in ["labels", "taints", "updateConfig", "nodeRepairConfig"] {
        if input.has(unmodelled) {
            return Err(ApiError::new(
                501,
                "NotImplemented",
                format!("the simulator does not model {unmodelled}"),
            ));
        }
    }
    world.eks(&place).cluster(&cluster)?.nodegroup(&name)?;
    let scaling = input.inner("scalingConfig").ok_or_else(|| parameter("Nothing to update".to_owned()))?;
    let (id, now) = (world.ids.uuid(), world.clock.wall());
    let nodegroup = world.eks(&place).cluster(&cluster)?.nodegroup(&name)?;
    if nodegroup.status == Status::Updating {
        return Err(ApiError::new(
            409,
            "ResourceInUseException",
            format!("Nodegroup {name} cannot be updated as it is currently being updated"),
        ));
    }
    let wanted = nodegroup.size.changed(&scaling)?;
    nodegroup.size = wanted;
    nodegroup.status = Status::Updating;
    nodegroup.modified = now;
    let update = Update { id: id.clone(), wanted, created: now, outcome: None };
    nodegroup.updates.insert(id.clone(), update.clone());
    let after = world.clock.takes(TAKES);
    world.later(after, Due::Updated { place, cluster, nodegroup: name, update: id });
    Ok(Answer::of(Node::map().put("update", node(&update))))
}

/// As many nodes come as the quota allows; if that is too few, the update has failed and the group is degraded.
///
/// <https://docs.aws.amazon.com/eks/latest/userguide/troubleshooting.html>, `AsgInstanceLaunchFailures`
pub(crate) fn carry_out(world: &mut World, due: Due) {
    let Due::Updated { place, cluster, nodegroup: name, update } = due;
    let now = world.clock.wall();
    let (quota, used) = (world.vcpu_quota(&place), world.vcpus_used(&place));
    let Ok(nodegroup) = world.eks(&place).cluster(&cluster).and_then(|cluster| cluster.nodegroup(&name))
    else {
        return;
    };
    let others = used - nodegroup.nodes * nodegroup.vcpus;
    let fits =
        ((quota - others).max(0) / nodegroup.vcpus.max(1)).max(nodegroup.nodes.min(nodegroup.size.desired));
    nodegroup.nodes = nodegroup.size.desired.min(fits);
    nodegroup.modified = now;
    let outcome = if nodegroup.nodes == nodegroup.size.desired {
        nodegroup.status = Status::Active;
        nodegroup.issues.clear();
        Ok(())
    } else {
        nodegroup.status = Status::Degraded;
        let issue = Issue {
            code: "AsgInstanceLaunchFailures",
            message: format!(
                "Could not launch On-Demand Instances. VcpuLimitExceeded - You have requested more vCPU capacity than your current vCPU limit of {quota} allows for the instance bucket that the specified instance type belongs to. Launching EC2 instance failed."
            ),
        };
        nodegroup.issues = vec![issue.clone()];
        Err(issue)
    };
    if let Some(update) = nodegroup.updates.get_mut(&update) {
        update.outcome = Some(outcome);
    }
}

/// <https://docs.aws.amazon.com/eks/latest/APIReference/API_DescribeUpdate.html>
pub(super) fn describe(world: &mut World, request: &Request) -> Result<Answer, ApiError> {
    let place = Place::new(&request.account, &request.region);
    let (cluster, id) = (request.segment(1), request.segment(3));
    let name = request.filled("nodegroupName");
    let cluster = world.eks(&place).cluster(cluster)?;
    let missing = || not_found(format!("No update found for ID: {id}"));
    let update = match name {
        Some(name) => cluster.nodegroup(name)?.updates.get(id),
        None => None,
    };
    Ok(Answer::of(Node::map().put("update", node(update.ok_or_else(missing)?))))
}

/// <https://docs.aws.amazon.com/eks/latest/APIReference/API_ListUpdates.html>
pub(super) fn list(world: &mut World, request: &Request) -> Result<Answer, ApiError> {
    let place = Place::new(&request.account, &request.region);
    let cluster = world.eks(&place).cluster(request.segment(1))?;
    let ids: Vec<String> = match request.filled("nodegroupName") {
        Some(name) => cluster.nodegroup(name)?.updates.keys().cloned().collect(),
        None => Vec::new(),
    };
    Ok(Answer::of(Node::map().put("updateIds", Node::list("member", ids))))
}

fn node(update: &Update) -> Node {
    let status = match &update.outcome {
        None => "InProgress",
        Some(Ok(())) => "Successful",
        Some(Err(_)) => "Failed",
    };
    let param =
        |kind: &'static str, value: i64| Node::map().put("type", kind).put("value", value.to_string());
    let errors = update.outcome.iter().filter_map(|outcome| outcome.as_ref().err()).map(|issue| {
        Node::map()
            .put("errorCode", issue.code)
            .put("errorMessage", &issue.message)
            .put("resourceIds", Node::list("member", Vec::<Node>::new()))
    });
    Node::map()
        .put("id", &update.id)
        .put("status", status)
        .put("type", "ConfigUpdate")
        .put(
            "params",
            Node::list(
                "member",
                [
                    param("MinSize", update.wanted.min),
                    param("MaxSize", update.wanted.max),
                    param("DesiredSize", update.wanted.desired),
                ],
            ),
        )
        .put("createdAt", update.created)
        .put("errors", Node::list("member", errors))
}
