//! Listing a zone's records.

use std::ops::Bound;

use super::name::normal;
use super::record::RecordKey;
use super::zone_api::max_items;
use crate::wire::{Answer, ApiError, Node, Request};
use crate::world::World;

/// By name with the labels reversed, then type, then set identifier; from where the caller says.
///
/// <https://docs.aws.amazon.com/Route53/latest/APIReference/API_ListResourceRecordSets.html>
pub(super) fn records(world: &mut World, request: &Request) -> Result<Answer, ApiError> {
    let zone = world.route53(&request.account).zone(request.segment(2))?;
    let limit = max_items(request)?;
    let (name, kind, identifier) =
        (request.filled("name"), request.filled("type"), request.filled("identifier"));
    if kind.is_some() && name.is_none() || identifier.is_some() && kind.is_none() {
        return Err(ApiError::invalid_input(
            "The request must contain name with type, and type with identifier",
        ));
    }
    let from = match name {
        Some(name) => Bound::Included(RecordKey::new(&normal(name), kind.unwrap_or_default(), identifier)),
        None => Bound::Unbounded,
    };
    let mut found = zone.records.range((from, Bound::Unbounded)).map(|(_, record)| record);
    let page: Vec<Node> = found.by_ref().take(limit).map(|record| record.node()).collect();
    let next = found.next();
    let node = Node::map()
        .put("ResourceRecordSets", Node::list("ResourceRecordSet", page))
        .put("IsTruncated", next.is_some())
        .maybe("NextRecordName", next.map(|record| record.name.as_str()))
        .maybe("NextRecordType", next.map(|record| record.kind.as_str()))
        .maybe("NextRecordIdentifier", next.and_then(|record| record.set_identifier.as_deref()))
        .put("MaxItems", limit);
    Ok(Answer::tree("ListResourceRecordSetsResponse", node))
}
