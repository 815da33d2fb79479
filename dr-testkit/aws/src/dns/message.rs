//! Questions and answers on the wire.

use hickory_proto::op::{Message, MessageType, OpCode, ResponseCode};
use hickory_proto::rr::rdata::{A, AAAA, CNAME, MX, NS, PTR, SOA, TXT};
use hickory_proto::rr::{DNSClass, Name, RData, Record, RecordType};

use super::choose::{Chosen, choose};
use crate::route53::normal;
use crate::world::{Shared, World};

/// What a UDP answer may hold without EDNS.
const PLAIN_UDP: usize = 512;

/// The answer to one message; `None` for what is no question at all.
pub(super) fn answer(shared: &Shared, server: usize, bytes: &[u8], udp: bool) -> Option<Vec<u8>> {
    let request = Message::from_vec(bytes).ok()?;
    if request.metadata.message_type != MessageType::Query {
        return None;
    }
    let mut response = Message::response(request.metadata.id, request.metadata.op_code);
    response.metadata.recursion_desired = request.metadata.recursion_desired;
    response.add_queries(request.queries.iter().cloned());
    let room = request.edns.as_ref().map_or(PLAIN_UDP, |edns| usize::from(edns.max_payload()).max(PLAIN_UDP));
    if request.metadata.op_code == OpCode::Query {
        shared.with(|world| fill(world, server, &request, &mut response));
    } else {
        response.metadata.response_code = ResponseCode::NotImp;
    }
    let written = response.to_vec().ok()?;
    if udp && written.len() > room {
        let mut short = Message::response(request.metadata.id, request.metadata.op_code);
        short.metadata.authoritative = response.metadata.authoritative;
        short.metadata.truncation = true;
        short.add_queries(request.queries.iter().cloned());
        return short.to_vec().ok();
    }
    Some(written)
}

fn fill(world: &mut World, server: usize, request: &Message, response: &mut Message) {
    let [query] = request.queries.as_slice() else {
        response.metadata.response_code = ResponseCode::FormErr;
        return;
    };
    let name = normal(&query.name().to_ascii());
    let kind = query.query_type();
    if query.query_class() != DNSClass::IN {
        response.metadata.response_code = ResponseCode::Refused;
        return;
    }
    match choose(world, server, &name, &kind.to_string()) {
        Chosen::Elsewhere => response.metadata.response_code = ResponseCode::Refused,
        Chosen::Here { sets, exists, zone, serial } => {
            response.metadata.authoritative = true;
            for set in &sets {
                // The name as it was asked, in its own capitals.
                let owner =
                    if normal(&set.name) == name { Some(query.name().clone()) } else { absolute(&set.name) };
                let Some(owner) = owner else { continue };
                response.add_answers(set.values.iter().filter_map(|value| {
                    let data = data(&set.kind, value, serial)?;
                    Some(Record::from_rdata(owner.clone(), set.ttl, data))
                }));
            }
            if response.answers.is_empty() {
                if !exists {
                    response.metadata.response_code = ResponseCode::NXDomain;
                }
                let soa = zone.soa.as_deref().and_then(|value| data("SOA", value, serial));
                if let (Some(owner), Some(soa)) = (absolute(&zone.name), soa) {
                    // Negative answers may be kept as long as the SOA's TTL or its last number says, whichever is less.
                    response.add_authorities([Record::from_rdata(owner, zone.negative_ttl, soa)]);
                }
            } else if kind == RecordType::SOA {
                response.metadata.response_code = ResponseCode::NoError;
            }
        }
    }
}

fn absolute(text: &str) -> Option<Name> {
    let mut name = Name::from_ascii(text).ok()?;
    name.set_fqdn(true);
    Some(name)
}

/// A value as a record's data; `None` for a kind that the server does not write.
fn data(kind: &str, value: &str, serial: u32) -> Option<RData> {
    Some(match kind {
        "A" => RData::A(A(value.parse().ok()?)),
        "AAAA" => RData::AAAA(AAAA(value.parse().ok()?)),
        "CNAME" => RData::CNAME(CNAME(absolute(value)?)),
        "NS" => RData::NS(NS(absolute(value)?)),
        "PTR" => RData::PTR(PTR(absolute(value)?)),
        "MX" => {
            let (preference, exchange) = value.split_once(' ')?;
            RData::MX(MX::new(preference.parse().ok()?, absolute(exchange)?))
        }
        "TXT" | "SPF" => RData::TXT(TXT::new(strings(value))),
        "SOA" => {
            let parts: Vec<&str> = value.split_whitespace().collect();
            let [server, person, _, refresh, retry, expire, minimum] = parts.as_slice() else { return None };
            RData::SOA(SOA::new(
                absolute(server)?,
                absolute(person)?,
                serial,
                refresh.parse().ok()?,
                retry.parse().ok()?,
                expire.parse().ok()?,
                minimum.parse().ok()?,
            ))
        }
        _ => return None,
    })
}

/// `"a" "b"` as its strings.
fn strings(value: &str) -> Vec<String> {
    let mut strings = Vec::new();
    let mut current: Option<String> = None;
    let mut rest = value.chars();
    while let Some(character) = rest.next() {
        match (&mut current, character) {
            (None, '"') => current = Some(String::new()),
            (None, _) => {}
            (Some(_), '"') => strings.extend(current.take()),
            (Some(text), '\\') => text.extend(rest.next()),
            (Some(text), other) => text.push(other),
        }
    }
    strings
}
