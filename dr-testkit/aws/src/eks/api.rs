//! Looking at clusters and node groups.

use std::collections::BTreeMap;

use super::not_found;
use crate::place::{Arn, Place};
use crate::wire::{Answer, ApiError, Node, Request};
use crate::world::World;

fn here(request: &Request) -> Place {
    Place::new(&request.account, &request.region)
}

/// <https://docs.aws.amazon.com/eks/latest/APIReference/API_ListClusters.html>
pub(super) fn clusters(world: &mut World, request: &Request) -> Result<Answer, ApiError> {
    let names: Vec<String> = world.eks(&here(request)).clusters.keys().cloned().collect();
    paged(request, "clusters", names)
}

/// <https://docs.aws.amazon.com/eks/latest/APIReference/API_DescribeCluster.html>
pub(super) fn cluster(world: &mut World, request: &Request) -> Result<Answer, ApiError> {
    let place = here(request);
    let cluster = world.eks(&place).cluster(request.segment(1))?;
    let name = &cluster.name;
    let tags = cluster.tags.iter().fold(Node::map(), |tags, (key, value)| tags.put(key.clone(), value));
    let node = Node::map()
        .put("name", name)
        .put("arn", place.arn("eks", &format!("cluster/{name}")))
        .put("createdAt", cluster.created)
        .put("version", "1.33")
        .put("endpoint", format!("https://{}.gr7.{}.eks.amazonaws.com", name.to_uppercase(), place.region))
        .put("roleArn", format!("arn:aws:iam::{}:role/eks", place.account))
        .put("status", "ACTIVE")
        .put("platformVersion", "eks.1")
        .put("tags", tags);
    Ok(Answer::of(Node::map().put("cluster", node)))
}

/// <https://docs.aws.amazon.com/eks/latest/APIReference/API_ListNodegroups.html>
pub(super) fn nodegroups(world: &mut World, request: &Request) -> Result<Answer, ApiError> {
    let cluster = world.eks(&here(request)).cluster(request.segment(1))?;
    let names: Vec<String> = cluster.nodegroups.keys().cloned().collect();
    paged(request, "nodegroups", names)
}

/// <https://docs.aws.amazon.com/eks/latest/APIReference/API_DescribeNodegroup.html>
pub(super) fn nodegroup(world: &mut World, request: &Request) -> Result<Answer, ApiError> {
    let place = here(request);
    let nodegroup = world.eks(&place).cluster(request.segment(1))?.nodegroup(request.segment(3))?;
    Ok(Answer::of(Node::map().put("nodegroup", nodegroup.node(&place))))
}

/// <https://docs.aws.amazon.com/eks/latest/APIReference/API_ListTagsForResource.html>
pub(super) fn tags(world: &mut World, request: &Request) -> Result<Answer, ApiError> {
    let tags =
        tags_of(world, request)?.iter().fold(Node::map(), |all, (key, value)| all.put(key.clone(), value));
    Ok(Answer::of(Node::map().put("tags", tags)))
}

/// <https://docs.aws.amazon.com/eks/latest/APIReference/API_TagResource.html>
pub(super) fn tag(world: &mut World, request: &Request) -> Result<Answer, ApiError> {
    let new: BTreeMap<String, String> = request
        .fields
        .get("tags")
        .and_then(serde_json::Value::as_object)
        .into_iter()
        .flatten()
        .filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())))
        .collect();
    tags_of(world, request)?.extend(new);
    Ok(Answer::of(Node::map()))
}

/// <https://docs.aws.amazon.com/eks/latest/APIReference/API_UntagResource.html>
pub(super) fn untag(world: &mut World, request: &Request) -> Result<Answer, ApiError> {
    let gone = request.query.iter().filter(|(name, _)| name == "tagKeys").map(|(_, key)| key);
    let tags = tags_of(world, request)?;
    for key in gone {
        tags.remove(key);
    }
    Ok(Answer::of(Node::map()))
}

fn tags_of<'a>(
    world: &'a mut World,
    request: &Request,
) -> Result<&'a mut BTreeMap<String, String>, ApiError> {
    let text = request.path.get(1..).unwrap_or_default().join("/");
    let invalid = || ApiError::new(400, "BadRequestException", format!("Invalid ARN: {text}"));
    let arn = Arn::parse(&text).filter(|arn| arn.place == here(request)).ok_or_else(invalid)?;
    let parts: Vec<&str> = arn.resource.split('/').collect();
    match parts.as_slice() {
        ["cluster", name] => Ok(&mut world.eks(&arn.place).cluster(name)?.tags),
        ["nodegroup", cluster, name, ..] => {
            Ok(&mut world.eks(&arn.place).cluster(cluster)?.nodegroup(name)?.tags)
        }
        _ => Err(not_found(format!("No resource found for ARN: {text}"))),
    }
}

fn paged(request: &Request, field: &'static str, names: Vec<String>) -> Result<Answer, ApiError> {
    let invalid = || ApiError::new(400, "InvalidParameterException", "maxResults must be between 1 and 100");
    let most = request.filled("maxResults").map_or(Ok(100), str::parse::<usize>).map_err(|_| invalid())?;
    if !(1..=100).contains(&most) {
        return Err(invalid());
    }
    let after = request.filled("nextToken").unwrap_or_default();
    let rest: Vec<String> = names.into_iter().filter(|name| name.as_str() > after).collect();
    let next = (rest.len() > most).then(|| rest.get(most - 1).cloned()).flatten();
    let page = rest.into_iter().take(most);
    Ok(Answer::of(Node::map().put(field, Node::list("member", page)).maybe("nextToken", next)))
}

impl World {
    /// An account's EKS in a region.
    pub(crate) fn eks(&mut self, place: &Place) -> &mut super::Eks {
        self.eks.entry(place.clone()).or_default()
    }
}
