//! A caching stub resolver: one caller's view of names.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use futures_util::future::{Either, select};
use hickory_proto::op::{Message, ResponseCode};
use hickory_proto::rr::{Name, RData, RecordType};

use super::cache::{Cache, Known};
use super::source::{Source, SystemConf, hosts_file};
use crate::error::NetError;
use crate::wire::{ask_any, name, negative_ttl, plain, question};

/// How long an IPv4 answer waits for its IPv6 twin (RFC 8305, section 3).
const TWIN: Duration = Duration::from_millis(50);
const ALIASES_AT_MOST: usize = 8;

/// Asks over UDP, remembers each answer for exactly its TTL, and asks nobody while it remembers.
#[derive(Debug)]
pub(crate) struct Resolver {
    source: Source,
    cache: Cache,
}

impl Resolver {
    pub(crate) fn new(source: Source) -> Self {
        Self { source, cache: Cache::default() }
    }

    /// The addresses of a host. The caller bounds it.
    pub(crate) async fn addresses(&self, host: &str) -> Result<Vec<IpAddr>, NetError> {
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        if let Ok(address) = bare.parse() {
            return Ok(vec![address]);
        }
        let (servers, candidates) = match &self.source {
            Source::Servers(servers) => (servers.clone(), vec![host.to_owned()]),
            Source::System => {
                let local = local(host);
                if !local.is_empty() {
                    return Ok(local);
                }
                let conf = SystemConf::load();
                let candidates = conf.candidates(host);
                (conf.servers, candidates)
            }
        };
        let mut last = NetError::NoSuchName(host.to_owned());
        for candidate in candidates {
            match self.both(&servers, &name(&candidate)?).await {
                Ok(addresses) => return Ok(addresses),
                Err(error @ (NetError::NoSuchName(_) | NetError::NoAddress(_))) => last = error,
                Err(error) => return Err(error),
            }
        }
        Err(last)
    }

    /// The records of one kind behind a name, through its aliases.
    pub(crate) async fn records(&self, host: &Name, kind: RecordType) -> Result<Vec<RData>, NetError> {
        let servers = match &self.source {
            Source::Servers(servers) => servers.clone(),
            Source::System => SystemConf::load().servers,
        };
        self.known(&servers, host, kind).await.map(|known| known.data)
    }

    async fn both(&self, servers: &[SocketAddr], host: &Name) -> Result<Vec<IpAddr>, NetError> {
        let four = Box::pin(self.known(servers, host, RecordType::A));
        let six = Box::pin(self.known(servers, host, RecordType::AAAA));
        let (four, six) = match select(four, six).await {
            Either::Left((Ok(four), six)) if !four.data.is_empty() => {
                (Ok(four), tokio::time::timeout(TWIN, six).await.unwrap_or_else(|_| Ok(Known::nothing())))
            }
            Either::Left((four, six)) => (four, six.await),
            Either::Right((six, four)) => (four.await, six),
        };
        let exists = [&four, &six].iter().any(|known| known.as_ref().is_ok_and(|known| known.exists));
        let addresses: Vec<IpAddr> = [&four, &six]
            .into_iter()
            .filter_map(|known| known.as_ref().ok())
            .flat_map(|known| known.data.iter().filter_map(address))
            .collect();
        match (addresses.is_empty(), four, six) {
            (false, _, _) => Ok(addresses),
            (true, Err(error), _) | (true, Ok(_), Err(error)) => Err(error),
            (true, Ok(_), Ok(_)) if exists => Err(NetError::NoAddress(plain(host))),
            (true, Ok(_), Ok(_)) => Err(NetError::NoSuchName(plain(host))),
        }
    }

    async fn known(&self, servers: &[SocketAddr], host: &Name, kind: RecordType) -> Result<Known, NetError> {
        if let Some(known) = self.cache.get(host, kind) {
            return Ok(known);
        }
        let mut at = host.clone();
        let mut ttl = u32::MAX;
        for _ in 0..ALIASES_AT_MOST {
            let answer = ask_any(servers, &question(&at, kind, true)).await?;
            match follow(&answer, &at, kind, &mut ttl) {
                Step::Found(known) => {
                    self.cache.put(host, kind, &known, Duration::from_secs(ttl.into()));
                    return Ok(known);
                }
                Step::On(alias) => at = alias,
            }
        }
        Err(NetError::AliasLoop(plain(host)))
    }
}

impl Known {
    fn nothing() -> Self {
        Self { data: Vec::new(), exists: false }
    }
}

enum Step {
    Found(Known),
    /// The answer ends at an alias that its server knows nothing about.
    On(Name),
}

/// Walks an answer from `at` along its aliases; `ttl` becomes the least of all that was used.
fn follow(answer: &Message, at: &Name, kind: RecordType, ttl: &mut u32) -> Step {
    let mut at = at.clone();
    for _ in 0..=answer.answers.len() {
        let here = answer.answers.iter().filter(|record| record.name.to_lowercase() == at);
        let (wanted, other): (Vec<_>, Vec<_>) = here.partition(|record| record.record_type() == kind);
        if !wanted.is_empty() {
            *ttl = wanted.iter().map(|record| record.ttl).fold(*ttl, u32::min);
            return Step::Found(Known {
                data: wanted.into_iter().map(|record| record.data.clone()).collect(),
                exists: true,
            });
        }
        let alias = other.iter().find_map(|record| match &record.data {
            RData::CNAME(target) => Some((target.0.to_lowercase(), record.ttl)),
            _ => None,
        });
        match alias {
            Some((target, alias_ttl)) => {
                *ttl = (*ttl).min(alias_ttl);
                at = target;
            }
            None => {
                let followed = answer.queries.first().is_none_or(|query| query.name().to_lowercase() != at);
                let exists = answer.metadata.response_code != ResponseCode::NXDomain;
                let negative = negative_ttl(answer);
                if followed && exists && negative.is_none() {
                    return Step::On(at);
                }
                // Without an SOA nothing says how long the absence may be remembered.
                *ttl = (*ttl).min(negative.unwrap_or(0));
                return Step::Found(Known { data: Vec::new(), exists });
            }
        }
    }
    Step::On(at)
}

fn address(data: &RData) -> Option<IpAddr> {
    match data {
        RData::A(address) => Some(address.0.into()),
        RData::AAAA(address) => Some(address.0.into()),
        _ => None,
    }
}

/// What needs no name server: the hosts file, and `localhost` (RFC 6761).
fn local(host: &str) -> Vec<IpAddr> {
    let listed = hosts_file(host);
    let plain = host.trim_end_matches('.').to_ascii_lowercase();
    if listed.is_empty() && (plain == "localhost" || plain.ends_with(".localhost")) {
        return vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()];
    }
    listed
}
