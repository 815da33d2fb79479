//! Hosted zones and the state of changes.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::name::{self, normal, reversed};
use super::record::{Policy, RecordSet, Values};
use super::state::{Change, SERVERS, Zone, bare, submit};
use crate::wire::{Answer, ApiError, Node, Request};
use crate::world::World;

/// <https://docs.aws.amazon.com/Route53/latest/APIReference/API_CreateHostedZone.html>
pub(super) fn create(world: &mut World, request: &Request) -> Result<Answer, ApiError> {
    let xml = request.xml()?;
    let name = normal(xml.need("Name")?);
    let reference = xml.need("CallerReference")?.to_owned();
    if !name::is_valid(&name) {
        return Err(ApiError::new(400, "InvalidDomainName", format!("The domain name is invalid: {name}")));
    }
    if xml.child("VPC").is_some() {
        return Err(ApiError::new(
            501,
            "NotImplemented",
            "the simulator does not model private hosted zones",
        ));
    }
    if world.route53(&request.account).references.contains_key(&reference) {
        return Err(ApiError::new(
            409,
            "HostedZoneAlreadyExists",
            format!(
                "A hosted zone has already been created with the specified caller reference: {reference}"
            ),
        ));
    }
    let comment = xml.child("HostedZoneConfig").and_then(|config| config.text("Comment")).map(str::to_owned);
    let id = world.ids.upper("Z", 20);
    let zone = make(world, id.clone(), name, reference.clone(), comment);
    let records = Arc::clone(&zone.records);
    let route53 = world.route53(&request.account);
    route53.zones.insert(id.clone(), zone.clone());
    route53.references.insert(reference, id.clone());
    let change = submit(world, &request.account, &id, records, None);
    let node = Node::map()
        .put("HostedZone", zone_node(&zone))
        .put("ChangeInfo", change_node(&change))
        .put("DelegationSet", delegation(&zone));
    Ok(Answer::tree("CreateHostedZoneResponse", node)
        .status(201)
        .header("location", format!("https://route53.amazonaws.com/2013-04-01/hostedzone/{id}")))
}

/// A zone with its SOA and NS, which no server answers for yet.
pub(crate) fn make(
    world: &mut World,
    id: String,
    name: String,
    reference: String,
    comment: Option<String>,
) -> Zone {
    let servers = world.name_server_names();
    let plain = |kind: &str, ttl: u32, values: Vec<String>| RecordSet {
        name: name.clone(),
        kind: kind.to_owned(),
        set_identifier: None,
        policy: Policy::Simple,
        values: Values::Plain { ttl, values },
        health_check: None,
    };
    let first = servers.first().cloned().unwrap_or_default();
    let soa = format!("{first}. awsdns-hostmaster.amazon.com. 1 7200 900 1209600 86400");
    let ns = servers.iter().map(|server| format!("{server}.")).collect();
    let records: BTreeMap<_, _> = [plain("NS", 172_800, ns), plain("SOA", 900, vec![soa])]
        .into_iter()
        .map(|record| (record.key(), record))
        .collect();
    Zone {
        id,
        name,
        reference,
        comment,
        records: Arc::new(records),
        served: Default::default(),
        serials: [0; SERVERS],
        servers,
    }
}

/// <https://docs.aws.amazon.com/Route53/latest/APIReference/API_GetHostedZone.html>
pub(super) fn get(world: &mut World, request: &Request) -> Result<Answer, ApiError> {
    let zone = world.route53(&request.account).zone(request.segment(2))?;
    let node = Node::map().put("HostedZone", zone_node(zone)).put("DelegationSet", delegation(zone));
    Ok(Answer::tree("GetHostedZoneResponse", node))
}

/// <https://docs.aws.amazon.com/Route53/latest/APIReference/API_DeleteHostedZone.html>
pub(super) fn delete(world: &mut World, request: &Request) -> Result<Answer, ApiError> {
    let zone = world.route53(&request.account).zone(request.segment(2))?.clone();
    if zone.records.len() > 2 {
        return Err(ApiError::new(
            400,
            "HostedZoneNotEmpty",
            "The specified hosted zone contains non-required resource record sets and so cannot be deleted.",
        ));
    }
    let change = submit(world, &request.account, &zone.id, Arc::default(), None);
    world.route53(&request.account).zones.remove(&zone.id);
    Ok(Answer::tree("DeleteHostedZoneResponse", Node::map().put("ChangeInfo", change_node(&change))))
}

/// <https://docs.aws.amazon.com/Route53/latest/APIReference/API_ListHostedZones.html>
pub(super) fn list(world: &mut World, request: &Request) -> Result<Answer, ApiError> {
    let limit = max_items(request)?;
    let marker = request.filled("marker").map(bare).map(str::to_owned);
    let zones: Vec<&Zone> = world
        .route53(&request.account)
        .zones
        .values()
        .filter(|zone| marker.as_ref().is_none_or(|marker| zone.id >= *marker))
        .collect();
    let node = Node::map()
        .put("HostedZones", Node::list("HostedZone", zones.iter().take(limit).map(|zone| zone_node(zone))))
        .put("IsTruncated", zones.len() > limit)
        .maybe("Marker", marker)
        .maybe("NextMarker", zones.get(limit).map(|zone| zone.id.as_str()))
        .put("MaxItems", limit);
    Ok(Answer::tree("ListHostedZonesResponse", node))
}

/// Sorted by name with the labels reversed, from the name asked for on: what is asked for need not be what comes first.
///
/// <https://docs.aws.amazon.com/Route53/latest/APIReference/API_ListHostedZonesByName.html>
pub(super) fn list_by_name(world: &mut World, request: &Request) -> Result<Answer, ApiError> {
    let limit = max_items(request)?;
    let from = request.filled("dnsname").map(normal);
    let from_id = request.filled("hostedzoneid").map(bare).map(str::to_owned);
    if from.is_none() && from_id.is_some() {
        return Err(ApiError::invalid_input("hostedzoneid may only be given together with dnsname"));
    }
    let start = from.as_deref().map(|name| (reversed(name), from_id.clone().unwrap_or_default()));
    let mut zones: Vec<&Zone> = world.route53(&request.account).zones.values().collect();
    zones.sort_by_key(|zone| (reversed(&zone.name), zone.id.clone()));
    zones.retain(|zone| start.as_ref().is_none_or(|start| (reversed(&zone.name), zone.id.clone()) >= *start));
    let next = zones.get(limit);
    let node = Node::map()
        .put("HostedZones", Node::list("HostedZone", zones.iter().take(limit).map(|zone| zone_node(zone))))
        .maybe("DNSName", from)
        .maybe("HostedZoneId", from_id)
        .put("IsTruncated", next.is_some())
        .maybe("NextDNSName", next.map(|zone| zone.name.as_str()))
        .maybe("NextHostedZoneId", next.map(|zone| zone.id.as_str()))
        .put("MaxItems", limit);
    Ok(Answer::tree("ListHostedZonesByNameResponse", node))
}

/// <https://docs.aws.amazon.com/Route53/latest/APIReference/API_GetChange.html>
pub(super) fn get_change(world: &mut World, request: &Request) -> Result<Answer, ApiError> {
    let id = bare(request.segment(2)).to_owned();
    let change = world.route53(&request.account).changes.get(&id).ok_or_else(|| {
        ApiError::new(404, "NoSuchChange", format!("Could not find resource with ID: {id}"))
    })?;
    Ok(Answer::tree("GetChangeResponse", Node::map().put("ChangeInfo", change_node(change))))
}

pub(super) fn max_items(request: &Request) -> Result<usize, ApiError> {
    let Some(text) = request.filled("maxitems") else { return Ok(100) };
    match text.parse::<usize>() {
        Ok(0) | Err(_) => Err(ApiError::invalid_input(format!("Invalid maxitems: {text}"))),
        Ok(limit) => Ok(limit.min(300)),
    }
}

pub(super) fn change_node(change: &Change) -> Node {
    Node::map()
        .put("Id", format!("/change/{}", change.id))
        .put("Status", if change.in_sync { "INSYNC" } else { "PENDING" })
        .put("SubmittedAt", change.submitted)
        .maybe("Comment", change.comment.as_deref())
}

pub(crate) fn zone_node(zone: &Zone) -> Node {
    Node::map()
        .put("Id", format!("/hostedzone/{}", zone.id))
        .put("Name", &zone.name)
        .put("CallerReference", &zone.reference)
        .put("Config", Node::map().maybe("Comment", zone.comment.as_deref()).put("PrivateZone", false))
        .put("ResourceRecordSetCount", zone.records.len())
}

fn delegation(zone: &Zone) -> Node {
    Node::map().put("NameServers", Node::list("NameServer", zone.servers.iter().map(String::as_str)))
}
