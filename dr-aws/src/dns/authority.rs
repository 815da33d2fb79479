//! Every server that answers for a name, asked at once.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use dr_core::resource::Cx;
use dr_core::{Error, ErrorKind};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use hickory_proto::op::{Message, ResponseCode};
use hickory_proto::rr::{Name, RData};
use tokio::time::Instant;

use super::endpoint::Endpoint;
use super::error::DnsError;
use super::kind::Kind;
use super::names::plain;
use super::wire::ask;
use crate::asking::latest;

/// What a server says of the name: its values in their one spelling, and how long they may be remembered. No values:
/// there is no such record, and the time is how long that may be remembered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Heard {
    pub(crate) values: BTreeSet<String>,
    pub(crate) ttl: u32,
}

/// What one server said.
#[derive(Debug)]
pub(crate) struct Reading {
    pub(crate) server: Endpoint,
    pub(crate) found: Result<Heard, DnsError>,
}

impl Reading {
    pub(crate) fn heard(&self) -> Option<&Heard> {
        self.found.as_ref().ok()
    }
}

/// One name and type, at servers that answer for it with authority.
///
/// The servers' own names are looked up by the system's resolver, once. That look-up runs on a thread of tokio's pool
/// and may outlast a call that is dropped; it changes nothing.
#[derive(Debug)]
pub(crate) struct Authority {
    pub(crate) name: Name,
    pub(crate) kind: Kind,
    /// After how long a server counts as silent, while others answer.
    pub(crate) silent_after: Duration,
    addresses: Mutex<BTreeMap<Endpoint, SocketAddr>>,
}

impl Authority {
    pub(crate) fn new(name: Name, kind: Kind, silent_after: Duration) -> Self {
        Self { name, kind, silent_after, addresses: Mutex::default() }
    }

    /// Asks every server at once. Once one has answered, the others have `silent_after` in all; while none has, all of
    /// the deadline: a slow road is not a dead end.
    pub(crate) async fn read_all(&self, cx: &Cx, servers: &[Endpoint]) -> Vec<Reading> {
        let begun = Instant::now();
        let end = latest(cx);
        let mut asked: FuturesUnordered<_> = servers
            .iter()
            .enumerate()
            .map(|(index, server)| async move { (index, self.read(server).await) })
            .collect();
        let mut found: BTreeMap<usize, Result<Heard, DnsError>> = BTreeMap::new();
        loop {
            let some = found.values().any(Result::is_ok);
            let until = if some { end.min(begun + self.silent_after) } else { end };
            tokio::select! {
                biased;
                () = cx.cancel.cancelled() => break,
                next = tokio::time::timeout_at(until, asked.next()) => match next {
                    Ok(Some((index, heard))) => { found.insert(index, heard); }
                    Ok(None) | Err(_) => break,
                },
            }
        }
        servers
            .iter()
            .enumerate()
            .map(|(index, server)| Reading {
                server: server.clone(),
                found: found.remove(&index).unwrap_or_else(|| Err(DnsError::Silent(begun.elapsed()))),
            })
            .collect()
    }

    /// What one server says, with authority. The caller bounds it.
    pub(crate) async fn read(&self, server: &Endpoint) -> Result<Heard, DnsError> {
        let at = self.address(server).await?;
        heard(&self.name, self.kind, at, &ask(at, &self.name, self.kind.record_type(), false).await?)
    }

    /// The addresses that a name has now, as a resolver says: where an alias leads. The caller bounds it.
    pub(crate) async fn leads_to(&self, target: &Name, resolvers: &[Endpoint]) -> BTreeSet<String> {
        if resolvers.is_empty() {
            let host = plain(target);
            let Ok(found) = tokio::net::lookup_host((host.as_str(), 0)).await else { return BTreeSet::new() };
            return found
                .map(|address| address.ip())
                .filter(|ip| match self.kind {
                    Kind::A => ip.is_ipv4(),
                    Kind::Aaaa => ip.is_ipv6(),
                    Kind::Cname => false,
                })
                .map(|ip| ip.to_string())
                .collect();
        }
        for resolver in resolvers {
            let Ok(at) = self.address(resolver).await else { continue };
            let asked =
                tokio::time::timeout(self.silent_after, ask(at, target, self.kind.record_type(), true));
            if let Ok(Ok(answer)) = asked.await {
                let values: BTreeSet<String> =
                    answer.answers.iter().filter_map(|record| self.kind.show(&record.data)).collect();
                if !values.is_empty() {
                    return values;
                }
            }
        }
        BTreeSet::new()
    }

    async fn address(&self, server: &Endpoint) -> Result<SocketAddr, DnsError> {
        if let Ok(ip) = server.host.parse::<IpAddr>() {
            return Ok(SocketAddr::new(ip, server.port));
        }
        let known = self.addresses.lock().unwrap_or_else(PoisonError::into_inner).get(server).copied();
        if let Some(known) = known {
            return Ok(known);
        }
        let no_address = |why: String| DnsError::NoAddress { name: server.host.clone(), why };
        let found: Vec<SocketAddr> = tokio::net::lookup_host((server.host.as_str(), server.port))
            .await
            .map_err(|error| no_address(error.to_string()))?
            .collect();
        // Many machines have IPv6 addresses and no way out by them.
        let first = found.iter().find(|address| address.is_ipv4()).or(found.first());
        let first = *first.ok_or_else(|| no_address("the answer is empty".to_owned()))?;
        self.addresses.lock().unwrap_or_else(PoisonError::into_inner).insert(server.clone(), first);
        Ok(first)
    }
}

/// Nothing was learnt from any server.
pub(crate) fn nobody_answers(what: &str, readings: &[Reading]) -> Error {
    let why: Vec<String> = readings
        .iter()
        .filter_map(|reading| Some(format!("{}: {}", reading.server, reading.found.as_ref().err()?)))
        .collect();
    Error::new(ErrorKind::Unreachable, format!("no authoritative server answers ({})", why.join("; ")))
        .on(what)
        .not_happened()
}

fn heard(name: &Name, kind: Kind, from: SocketAddr, answer: &Message) -> Result<Heard, DnsError> {
    match answer.metadata.response_code {
        ResponseCode::NoError | ResponseCode::NXDomain => {}
        code => return Err(DnsError::Rcode { from, code }),
    }
    // A cache's word is old news, and a referral is no word at all.
    if !answer.metadata.authoritative {
        return Err(DnsError::NotAuthoritative { from });
    }
    let wanted: Vec<_> = answer
        .answers
        .iter()
        .filter(|record| record.name.to_lowercase() == *name && record.record_type() == kind.record_type())
        .collect();
    if wanted.is_empty() {
        let ttl = answer.authorities.iter().find_map(|record| match &record.data {
            RData::SOA(soa) => Some(record.ttl.min(soa.minimum)),
            _ => None,
        });
        return Ok(Heard { values: BTreeSet::new(), ttl: ttl.unwrap_or(0) });
    }
    let values = wanted
        .iter()
        .map(|record| kind.show(&record.data))
        .collect::<Option<_>>()
        .ok_or_else(|| DnsError::Garbled { from, why: "a record without a value".to_owned() })?;
    Ok(Heard { values, ttl: wanted.iter().map(|record| record.ttl).max().unwrap_or(0) })
}
