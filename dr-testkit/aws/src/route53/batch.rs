//! Changing records: all of a batch, or nothing of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::alias;
use super::name::is_within;
use super::record::{Policy, RecordKey, RecordSet, Values};
use super::state::{self, no_check, submit};
use super::zone_api::change_node;
use crate::wire::{Answer, ApiError, Element, Node, Request};
use crate::world::World;

/// How many records one batch may hold; an UPSERT counts twice.
///
/// <https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/DNSLimitations.html#limits-api-requests-changeresourcerecordsets>
const LARGEST: usize = 1_000;

/// What is to be done with a record set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Action {
    Create,
    Delete,
    Upsert,
}

/// <https://docs.aws.amazon.com/Route53/latest/APIReference/API_ChangeResourceRecordSets.html>
pub(super) fn change(world: &mut World, request: &Request) -> Result<Answer, ApiError> {
    let id = state::bare(request.segment(2)).to_owned();
    let zone = world.route53(&request.account).zone(&id)?.clone();
    let xml = request.xml()?;
    let batch = xml.child("ChangeBatch").ok_or_else(|| ApiError::missing("ChangeBatch"))?;
    let comment = batch.text("Comment").map(str::to_owned);
    let changes = parse(batch)?;
    for (_, record) in &changes {
        if let Some(check) = &record.health_check
            && !world.route53(&request.account).checks.contains_key(check)
        {
            return Err(no_check(check));
        }
    }
    let (records, mut flaws) = apply(&zone.name, &zone.records, &changes);
    if flaws.is_empty() {
        for (_, record) in changes.iter().filter(|(action, _)| *action != Action::Delete) {
            flaws.extend(alias::flaw(world, &zone, &records, record));
        }
    }
    if !flaws.is_empty() {
        return Err(ApiError::new(400, "InvalidChangeBatch", format!("[{}]", flaws.join(", "))));
    }
    let records = Arc::new(records);
    world.route53(&request.account).zone_mut(&id)?.records = Arc::clone(&records);
    let change = submit(world, &request.account, &id, records, comment);
    Ok(Answer::tree("ChangeResourceRecordSetsResponse", Node::map().put("ChangeInfo", change_node(&change))))
}

fn parse(batch: &Element) -> Result<Vec<(Action, RecordSet)>, ApiError> {
    let list = batch.child("Changes").ok_or_else(|| ApiError::missing("Changes"))?;
    let mut changes = Vec::new();
    let mut weight = 0;
    for change in list.children("Change") {
        let word = change.need("Action")?;
        let action = match word {
            "CREATE" => Action::Create,
            "DELETE" => Action::Delete,
            "UPSERT" => Action::Upsert,
            other => {
                return Err(ApiError::invalid_input(format!(
                    "1 validation error detected: Value '{other}' at 'changeBatch.changes.1.member.action' failed to satisfy constraint: Member must satisfy enum value set: [CREATE, DELETE, UPSERT]"
                )));
            }
        };
        let set = change.child("ResourceRecordSet").ok_or_else(|| ApiError::missing("ResourceRecordSet"))?;
        let record = RecordSet::parse(set, word)?;
        let values = match &record.values {
            Values::Plain { values, .. } => values.len(),
            Values::Alias { .. } => 1,
        };
        weight += if action == Action::Upsert { 2 * values } else { values };
        changes.push((action, record));
    }
    if changes.is_empty() {
        return Err(ApiError::invalid_input("Invalid request: the change batch holds no change"));
    }
    if weight > LARGEST {
        return Err(ApiError::new(
            400,
            "InvalidChangeBatch",
            format!("[Number of records limit of {LARGEST} exceeded.]"),
        ));
    }
    Ok(changes)
}

/// The records after a batch, and everything that stands against it.
fn apply(
    zone: &str,
    before: &BTreeMap<RecordKey, RecordSet>,
    changes: &[(Action, RecordSet)],
) -> (BTreeMap<RecordKey, RecordSet>, Vec<String>) {
    let mut records = before.clone();
    let mut flaws = Vec::new();
    for (action, record) in changes {
        let title = record.title();
        let existing = records.get(&record.key());
        match (action, existing) {
            (_, _) if !is_within(&record.name, zone) => {
                flaws.push(format!("RRSet with DNS name {} is not permitted in zone {zone}", record.name));
            }
            (Action::Create, Some(_)) => {
                flaws.push(format!("Tried to create resource record set {title} but it already exists"));
            }
            (Action::Delete, None) => {
                flaws.push(format!("Tried to delete resource record set {title} but it was not found"));
            }
            (Action::Delete, Some(found)) if !same(found, record) => flaws.push(format!(
                "Tried to delete resource record set {title} but the values provided do not match the current values"
            )),
            (Action::Delete, Some(_)) => {
                records.remove(&record.key());
            }
            (Action::Create | Action::Upsert, _) => {
                flaws.extend(record.flaw());
                records.insert(record.key(), record.clone());
            }
        }
    }
    if flaws.is_empty() {
        for (_, record) in changes.iter().filter(|(action, _)| *action != Action::Delete) {
            flaws.extend(clash(zone, &records, record));
        }
        flaws.extend(apex(zone, &records));
    }
    (records, flaws)
}

/// Deleting takes the very values that are there; their order does not matter.
fn same(a: &RecordSet, b: &RecordSet) -> bool {
    let sorted = |record: &RecordSet| {
        let mut record = record.clone();
        if let Values::Plain { values, .. } = &mut record.values {
            values.sort();
        }
        record
    };
    sorted(a) == sorted(b)
}

/// What cannot stand beside what is there.
fn clash(zone: &str, records: &BTreeMap<RecordKey, RecordSet>, record: &RecordSet) -> Option<String> {
    let others: Vec<&RecordSet> =
        records.values().filter(|other| other.name == record.name && other.key() != record.key()).collect();
    let (name, kind) = (&record.name, &record.kind);
    if kind == "CNAME" && name == zone {
        return Some(format!(
            "RRSet of type CNAME with DNS name {name} is not permitted at apex in zone {zone}"
        ));
    }
    if kind == "CNAME" && others.iter().any(|other| other.kind != "CNAME") {
        return Some(format!(
            "RRSet of type CNAME with DNS name {name} is not permitted as it conflicts with other records with the same DNS name in zone {zone}"
        ));
    }
    if kind != "CNAME" && others.iter().any(|other| other.kind == "CNAME") {
        return Some(format!(
            "RRSet of type {kind} with DNS name {name} is not permitted because a conflicting RRSet of type  CNAME with the same DNS name already exists in zone {zone}"
        ));
    }
    let peers: Vec<&RecordSet> = others.into_iter().filter(|other| other.kind == *kind).collect();
    let id = record.set_identifier.as_deref().map(|id| format!(", SetIdentifier {id}")).unwrap_or_default();
    let refused =
        |why: &str| Some(format!("RRSet with DNS name {name}, type {kind}{id} cannot be created as {why}"));
    match &record.policy {
        Policy::Simple if !peers.is_empty() => refused("other RRSets exist with the same name and type."),
        Policy::Weighted(_) if peers.iter().any(|peer| !matches!(peer.policy, Policy::Weighted(_))) => {
            refused("a non-weighted set exists with the same name and type.")
        }
        Policy::Weighted(_) if peers.iter().any(|peer| ttl(peer) != ttl(record)) => Some(format!(
            "RRSet with DNS name {name} and type {kind}{id} cannot be created as weighted sets must contain the same TTL."
        )),
        Policy::Failover { .. }
            if peers.iter().any(|peer| !matches!(peer.policy, Policy::Failover { .. })) =>
        {
            refused("a non-failover set exists with the same name and type.")
        }
        Policy::Failover { primary } if peers.iter().any(|peer| peer.policy == record.policy) => {
            let role = if *primary { "primary" } else { "secondary" };
            refused(&format!("a {role} failover set with the same name and type already exists."))
        }
        Policy::MultiValue if peers.iter().any(|peer| peer.policy != Policy::MultiValue) => {
            refused("a non-multivalue answer set exists with the same name and type.")
        }
        Policy::Simple | Policy::Weighted(_) | Policy::Failover { .. } | Policy::MultiValue => None,
    }
}

/// The TTL where there is one: an alias has its target's.
fn ttl(record: &RecordSet) -> Option<u32> {
    match &record.values {
        Values::Plain { ttl, .. } => Some(*ttl),
        Values::Alias { .. } => None,
    }
}

/// A zone keeps its SOA and its name servers.
fn apex(zone: &str, records: &BTreeMap<RecordKey, RecordSet>) -> Vec<String> {
    let has = |kind: &str| records.contains_key(&RecordKey::new(zone, kind, None));
    let mut flaws = Vec::new();
    if !has("SOA") {
        flaws.push("A HostedZone must contain exactly one SOA record.".to_owned());
    }
    if !has("NS") {
        flaws.push("A HostedZone must contain at least one NS record for the zone itself.".to_owned());
    }
    flaws
}
