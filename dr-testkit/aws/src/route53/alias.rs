//! What an alias may point at.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::record::{RecordKey, RecordSet, Values};
use super::state::Zone;
use crate::world::World;

/// A load balancer as DNS sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Balancer {
    /// The hosted zone of load balancers of its region.
    pub(crate) zone: String,
    pub(crate) region: String,
    pub(crate) addresses: Vec<IpAddr>,
    pub(crate) healthy: bool,
}

/// Why an alias cannot stand.
///
/// <https://docs.aws.amazon.com/Route53/latest/APIReference/API_AliasTarget.html>
pub(super) fn flaw(
    world: &World,
    zone: &Zone,
    records: &BTreeMap<RecordKey, RecordSet>,
    record: &RecordSet,
) -> Option<String> {
    let Values::Alias { zone: target_zone, target, .. } = &record.values else { return None };
    let kind = &record.kind;
    let refused = |why: &str| {
        Some(format!(
            "Tried to create an alias that targets {target}, type {kind} in zone {target_zone}, but {why}"
        ))
    };
    if *target_zone == zone.id {
        if !super::name::is_within(target, &zone.name) {
            return refused("the alias target name does not lie within the target zone");
        }
        let found = records.values().any(|other| other.name == *target && other.kind == *kind);
        return if found { None } else { refused("that target was not found") };
    }
    match world.balancers.get(target) {
        Some(balancer) if balancer.zone == *target_zone => None,
        Some(_) => refused("the alias target name does not lie within the target zone"),
        None => refused("that target was not found"),
    }
}
