//! Looking at instances.

use super::instance::Instance;
use super::{lifecycle, place};
use crate::place::Arn;
use crate::wire::{Answer, ApiError, Input, Node, Request};
use crate::world::World;

/// By identifier, by ARN, by filter, or all of a region in pages.
///
/// <https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DescribeDBInstances.html>
pub(super) fn instances(world: &mut World, request: &Request) -> Result<Answer, ApiError> {
    let input = request.input();
    let here = place(request);
    let wanted = match input.text("DBInstanceIdentifier") {
        Some(arn) if arn.starts_with("arn:") => {
            let (place, id) = Arn::of_kind(arn, "db")?;
            if place != here {
                return Err(ApiError::new(404, "DBInstanceNotFound", format!("DBInstance {arn} not found.")));
            }
            Some(id)
        }
        Some(id) => Some(id.to_lowercase()),
        None => None,
    };
    let filters = filters(&input)?;
    let rds = world.rds(&here);
    let found: Vec<Instance> = match &wanted {
        Some(id) => vec![rds.instance(id)?.clone()],
        None => rds.instances.values().cloned().collect(),
    };
    let found: Vec<Instance> = found.into_iter().filter(|instance| passes(instance, &filters)).collect();
    let (page, marker) = page(&input, &found, |instance| instance.id.clone())?;
    let nodes: Vec<Node> = page.iter().map(|instance| node(world, instance)).collect();
    Ok(Answer::of(Node::map().maybe("Marker", marker).put("DBInstances", Node::list("DBInstance", nodes))))
}

/// One instance as the API shows it.
pub(crate) fn node(world: &World, instance: &Instance) -> Node {
    let restorable = lifecycle::latest_restorable(world, instance);
    let replicating = instance.source.as_ref().map(|_| {
        let follow = world.stores.get(&instance.store()).and_then(|store| store.follow.as_ref());
        follow.is_some_and(|follow| world.stores.contains_key(&follow.source))
    });
    instance.node(restorable, replicating)
}

/// Answers with one instance.
pub(super) fn one(world: &World, instance: &Instance) -> Answer {
    Answer::of(Node::map().put("DBInstance", node(world, instance)))
}

fn filters(input: &Input<'_>) -> Result<Vec<(String, Vec<String>)>, ApiError> {
    input
        .list("Filters")
        .iter()
        .map(|filter| {
            let name = filter.need("Name")?.to_owned();
            if !["db-instance-id", "db-cluster-id", "engine", "dbi-resource-id"].contains(&name.as_str()) {
                return Err(ApiError::invalid(format!("Unrecognized filter name: {name}")));
            }
            Ok((name, filter.texts("Values").unwrap_or_default()))
        })
        .collect()
}

fn passes(instance: &Instance, filters: &[(String, Vec<String>)]) -> bool {
    filters.iter().all(|(name, values)| {
        let has = |text: &str| values.iter().any(|value| value == text);
        match name.as_str() {
            "db-instance-id" => has(&instance.id) || has(&instance.arn()),
            "db-cluster-id" => instance.cluster.as_deref().is_some_and(has),
            "engine" => has(&instance.engine),
            _ => has(&instance.resource_id),
        }
    })
}

/// A page of a list and the marker of the next: `MaxRecords` is between 20 and 100.
pub(crate) fn page<'a, T>(
    input: &Input<'_>,
    all: &'a [T],
    key: impl Fn(&T) -> String,
) -> Result<(&'a [T], Option<String>), ApiError> {
    let most = input.int("MaxRecords")?.unwrap_or(100);
    if !(20..=100).contains(&most) {
        return Err(ApiError::invalid(format!(
            "Invalid value {most} for MaxRecords. Must be between 20 and 100"
        )));
    }
    let most = usize::try_from(most).unwrap_or(100);
    let begin = match input.text("Marker") {
        None => 0,
        Some(marker) => all
            .iter()
            .position(|item| key(item) == marker)
            .ok_or_else(|| ApiError::invalid(format!("Invalid marker: {marker}")))?,
    };
    let rest = all.get(begin..).unwrap_or_default();
    let (page, more) = rest.split_at(most.min(rest.len()));
    Ok((page, more.first().map(key)))
}
