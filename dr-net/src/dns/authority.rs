//! Reading the record at the servers that answer for it.

use std::net::SocketAddr;
use std::time::Duration;

use dr_core::resource::Cx;
use dr_core::{Error, ErrorKind, Result};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use hickory_proto::op::{Message, ResponseCode};
use hickory_proto::rr::RData;
use tokio::time::Instant;

use super::config::DnsPlan;
use super::record::RoutedRecord;
use super::rrset::RrSet;
use crate::endpoint::Endpoint;
use crate::error::NetError;
use crate::resolver::{Resolver, Source};
use crate::wire::{ask, negative_ttl, plain, question};

/// How much of the deadline is kept for saying what was seen.
const TO_SPARE: Duration = Duration::from_millis(20);

/// A server that answers for the zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Server {
    pub(super) at: Endpoint,
    /// Whether callers are sent to it; a hidden primary takes updates only.
    pub(super) listed: bool,
    /// Whether it takes updates.
    pub(super) primary: bool,
}

/// What one server said.
#[derive(Debug)]
pub(super) struct Reading {
    pub(super) server: Server,
    pub(super) found: Result<RrSet, NetError>,
}

/// All servers that answer for the zone.
#[derive(Debug)]
pub(super) struct Authority {
    record: RoutedRecord,
    servers: Vec<Server>,
    silent_after: Duration,
    resolver: Resolver,
}

impl Authority {
    pub(super) fn new(plan: &DnsPlan) -> Self {
        let primary = plan.update.as_ref().map(|update| &update.server);
        let is_primary = |at: &Endpoint| primary.is_some_and(|primary| address_of(primary) == address_of(at));
        let mut servers: Vec<Server> = plan
            .servers
            .iter()
            .map(|at| Server { at: at.clone(), listed: true, primary: is_primary(at) })
            .collect();
        if let Some(primary) = primary
            && !servers.iter().any(|server| server.primary)
        {
            servers.push(Server { at: primary.clone(), listed: false, primary: true });
        }
        Self {
            record: plan.record.clone(),
            servers,
            silent_after: plan.silent_after,
            resolver: Resolver::new(Source::System),
        }
    }

    pub(super) fn record(&self) -> &RoutedRecord {
        &self.record
    }

    pub(super) fn silent_after(&self) -> Duration {
        self.silent_after
    }

    /// Asks every server at once. Once one has answered, the others have `silent_after` in all; while none has, all
    /// of the deadline: a slow road is not a dead end.
    pub(super) async fn read_all(&self, cx: &Cx) -> Result<Vec<Reading>> {
        cx.bound("reading the record", async { Ok(self.readings(cx).await) })
            .await
            .map_err(Error::not_happened)
    }

    async fn readings(&self, cx: &Cx) -> Vec<Reading> {
        let begun = Instant::now();
        let end = latest(cx);
        let mut asked: FuturesUnordered<_> = self
            .servers
            .iter()
            .enumerate()
            .map(|(index, server)| async move { (index, self.read(&server.at).await) })
            .collect();
        let mut readings: Vec<Reading> = Vec::with_capacity(self.servers.len());
        let mut heard = vec![false; self.servers.len()];
        loop {
            let some = readings.iter().any(|reading| reading.found.is_ok());
            let until = if some { end.min(begun + self.silent_after) } else { end };
            let Ok(Some((index, found))) = tokio::time::timeout_at(until, asked.next()).await else { break };
            heard[index] = true;
            readings.push(Reading { server: self.servers[index].clone(), found });
        }
        let silent = self.servers.iter().zip(&heard).filter(|(_, heard)| !**heard);
        readings.extend(silent.map(|(server, _)| Reading {
            server: server.clone(),
            found: Err(NetError::Silent(begun.elapsed())),
        }));
        readings.sort_by_key(|reading| self.servers.iter().position(|server| *server == reading.server));
        readings
    }

    /// What one server says about the record, with authority. The caller bounds it.
    pub(super) async fn read(&self, server: &Endpoint) -> Result<RrSet, NetError> {
        let at = self.address(server).await?;
        let answer = ask(at, &question(&self.record.name, self.record.kind.record_type(), false)).await?;
        found(&self.record, at, &answer)
    }

    pub(super) async fn address(&self, server: &Endpoint) -> Result<SocketAddr, NetError> {
        let addresses = self.resolver.addresses(&server.host).await?;
        let first = addresses.first().ok_or_else(|| NetError::NoAddress(server.host.clone()))?;
        Ok(SocketAddr::new(*first, server.port.unwrap_or(53)))
    }
}

/// The moment by which reading has to end, so that what was learnt can still be said.
pub(super) fn latest(cx: &Cx) -> Instant {
    cx.deadline.checked_sub(TO_SPARE.min(cx.left() / 4)).unwrap_or(cx.deadline)
}

/// Nothing was learnt at all.
pub(super) fn nobody_answers(record: &RoutedRecord, readings: &[Reading]) -> Error {
    let why: Vec<String> = readings
        .iter()
        .filter_map(|reading| Some(format!("{}: {}", reading.server.at, reading.found.as_ref().err()?)))
        .collect();
    Error::new(ErrorKind::Unreachable, format!("no authoritative server answers ({})", why.join("; ")))
        .on(record.to_string())
        .not_happened()
}

fn found(record: &RoutedRecord, from: SocketAddr, answer: &Message) -> Result<RrSet, NetError> {
    match answer.metadata.response_code {
        ResponseCode::NoError | ResponseCode::NXDomain => {}
        code => return Err(NetError::Rcode { from, code }),
    }
    // A cache's word is old news, and a referral is no word at all.
    if !answer.metadata.authoritative {
        return Err(NetError::NotAuthoritative { from, name: plain(&record.name) });
    }
    let here = || answer.answers.iter().filter(|answer| answer.name.to_lowercase() == record.name);
    let wanted: Vec<_> = here().filter(|answer| answer.record_type() == record.kind.record_type()).collect();
    if wanted.is_empty() {
        let alias = here().find_map(|answer| match &answer.data {
            RData::CNAME(target) => Some(plain(&target.0)),
            _ => None,
        });
        return match alias {
            Some(alias) => Err(NetError::Alias { name: plain(&record.name), alias }),
            None => Ok(RrSet { values: Default::default(), ttl: negative_ttl(answer).unwrap_or(0) }),
        };
    }
    let values = wanted
        .iter()
        .map(|answer| record.kind.show(&answer.data))
        .collect::<Option<_>>()
        .ok_or_else(|| NetError::Garbled { from, why: "a record without a value".to_owned() })?;
    Ok(RrSet { values, ttl: wanted.iter().map(|answer| answer.ttl).max().unwrap_or(0) })
}

fn address_of(endpoint: &Endpoint) -> (String, u16) {
    (endpoint.host.to_ascii_lowercase(), endpoint.port.unwrap_or(53))
}
