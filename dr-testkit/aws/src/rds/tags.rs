//! Tags of instances and snapshots, by ARN.

use std::collections::BTreeMap;

use crate::place::Arn;
use crate::wire::{Answer, ApiError, Input, Node, Request};
use crate::world::World;

/// As descriptions show them.
pub(crate) fn node(tags: &BTreeMap<String, String>) -> Node {
    Node::list("Tag", tags.iter().map(|(key, value)| Node::map().put("Key", key).put("Value", value)))
}

/// Reads the tags that a request brings.
pub(crate) fn read(input: &Input<'_>) -> Result<BTreeMap<String, String>, ApiError> {
    input
        .list("Tags")
        .iter()
        .map(|tag| Ok((tag.need("Key")?.to_owned(), tag.text("Value").unwrap_or_default().to_owned())))
        .collect()
}

/// <https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_AddTagsToResource.html>
pub(super) fn add(world: &mut World, request: &Request) -> Result<Answer, ApiError> {
    let new = read(&request.input())?;
    of(world, request)?.extend(new);
    Ok(Answer::of(Node::map()))
}

/// <https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_RemoveTagsFromResource.html>
pub(super) fn remove(world: &mut World, request: &Request) -> Result<Answer, ApiError> {
    let gone = request.input().texts("TagKeys").unwrap_or_default();
    of(world, request)?.retain(|key, _| !gone.contains(key));
    Ok(Answer::of(Node::map()))
}

/// <https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_ListTagsForResource.html>
pub(super) fn list(world: &mut World, request: &Request) -> Result<Answer, ApiError> {
    let tags = of(world, request)?.clone();
    Ok(Answer::of(Node::map().put("TagList", node(&tags))))
}

fn of<'a>(world: &'a mut World, request: &Request) -> Result<&'a mut BTreeMap<String, String>, ApiError> {
    let name = request.input().need("ResourceName")?;
    let invalid = || ApiError::invalid(format!("Invalid resource name: {name}"));
    let arn = Arn::parse(name).filter(|arn| arn.service == "rds").ok_or_else(invalid)?;
    if arn.place != super::place(request) {
        return Err(invalid());
    }
    let (kind, id) = arn.resource.split_once(':').ok_or_else(invalid)?;
    match kind {
        "db" => Ok(&mut world.rds(&arn.place).instance_mut(id)?.tags),
        "cluster" => Ok(&mut world.cluster(&arn.place, id)?.tags),
        "snapshot" => match world.rds(&arn.place).snapshots.get_mut(id) {
            Some(snapshot) => Ok(&mut snapshot.tags),
            None => Err(super::snapshot_api::missing(id)),
        },
        _ => Err(invalid()),
    }
}
