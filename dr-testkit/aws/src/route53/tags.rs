//! Tags of zones and health checks.

use super::state::bare;
use crate::wire::{Answer, ApiError, Node, Request};
use crate::world::World;

/// <https://docs.aws.amazon.com/Route53/latest/APIReference/API_ListTagsForResource.html>
pub(super) fn list(world: &mut World, request: &Request) -> Result<Answer, ApiError> {
    let (kind, id) = resource(world, request)?;
    let tags = world.route53(&request.account).tags.get(&(kind.clone(), id.clone()));
    let tags = tags.into_iter().flatten().map(|(key, value)| Node::map().put("Key", key).put("Value", value));
    let node = Node::map().put(
        "ResourceTagSet",
        Node::map().put("ResourceType", kind).put("ResourceId", id).put("Tags", Node::list("Tag", tags)),
    );
    Ok(Answer::tree("ListTagsForResourceResponse", node))
}

/// <https://docs.aws.amazon.com/Route53/latest/APIReference/API_ChangeTagsForResource.html>
pub(super) fn change(world: &mut World, request: &Request) -> Result<Answer, ApiError> {
    let key = resource(world, request)?;
    let xml = request.xml()?;
    let tags = world.route53(&request.account).tags.entry(key).or_default();
    for gone in xml.child("RemoveTagKeys").into_iter().flat_map(|list| list.children("Key")) {
        tags.remove(gone.value());
    }
    for tag in xml.child("AddTags").into_iter().flat_map(|list| list.children("Tag")) {
        tags.insert(tag.need("Key")?.to_owned(), tag.text("Value").unwrap_or_default().to_owned());
    }
    Ok(Answer::tree("ChangeTagsForResourceResponse", Node::map()))
}

fn resource(world: &mut World, request: &Request) -> Result<(String, String), ApiError> {
    let (kind, id) = (request.segment(2), bare(request.segment(3)));
    let route53 = world.route53(&request.account);
    match kind {
        "hostedzone" => route53.zone(id).map(|_| ())?,
        "healthcheck" => route53.check(id).map(|_| ())?,
        other => return Err(ApiError::invalid_input(format!("Invalid resource type: {other}"))),
    }
    Ok((kind.to_owned(), id.to_owned()))
}
