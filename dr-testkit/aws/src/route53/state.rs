//! What an account has in Route 53.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use dr_core::Timestamp;
use tokio::time::Instant;

use super::check::Check;
use super::record::{RecordKey, RecordSet};
use crate::wire::{ApiError, Request};
use crate::world::World;

/// Changes generally reach all servers within 60 seconds.
///
/// <https://docs.aws.amazon.com/Route53/latest/APIReference/API_ChangeResourceRecordSets.html>
pub(super) const PROPAGATION: Duration = Duration::from_secs(60);

/// How many name servers a zone has.
///
/// <https://docs.aws.amazon.com/Route53/latest/APIReference/API_DelegationSet.html>
pub(crate) const SERVERS: usize = 4;

/// What a zone holds, in the order of listings.
pub(crate) type Records = Arc<BTreeMap<RecordKey, RecordSet>>;

/// An account's Route 53.
#[derive(Debug, Default)]
pub(crate) struct Route53 {
    pub(crate) zones: BTreeMap<String, Zone>,
    pub(crate) checks: BTreeMap<String, Check>,
    pub(crate) changes: BTreeMap<String, Change>,
    /// Caller references that were used, with what they made.
    pub(crate) references: BTreeMap<String, String>,
    pub(crate) tags: BTreeMap<(String, String), BTreeMap<String, String>>,
    pub(crate) requests: Option<Allowance>,
}

/// A hosted zone.
#[derive(Debug, Clone)]
pub(crate) struct Zone {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) reference: String,
    pub(crate) comment: Option<String>,
    /// What the API shows.
    pub(crate) records: Records,
    /// What each name server answers.
    pub(crate) served: [Records; SERVERS],
    /// How often each name server was brought up to date: the serial of its SOA.
    pub(crate) serials: [u32; SERVERS],
    pub(crate) servers: Vec<String>,
}

/// A change batch on its way.
#[derive(Debug, Clone)]
pub(crate) struct Change {
    pub(crate) id: String,
    pub(crate) zone: String,
    pub(crate) submitted: Timestamp,
    pub(crate) comment: Option<String>,
    pub(crate) in_sync: bool,
    after: Records,
}

/// What comes about by itself.
#[derive(Debug, Clone)]
pub(crate) enum Due {
    /// A change reaches a name server; the last one makes it INSYNC.
    Reaches { account: String, change: String, server: usize },
}

impl Route53 {
    /// A zone, by its bare id.
    pub(crate) fn zone(&self, id: &str) -> Result<&Zone, ApiError> {
        self.zones.get(bare(id)).ok_or_else(|| no_zone(id))
    }

    pub(super) fn zone_mut(&mut self, id: &str) -> Result<&mut Zone, ApiError> {
        self.zones.get_mut(bare(id)).ok_or_else(|| no_zone(id))
    }

    pub(super) fn check(&self, id: &str) -> Result<&Check, ApiError> {
        self.checks.get(id).ok_or_else(|| no_check(id))
    }
}

/// `/hostedzone/Z1` is `Z1`.
pub(super) fn bare(id: &str) -> &str {
    id.rsplit('/').next().unwrap_or(id)
}

fn no_zone(id: &str) -> ApiError {
    ApiError::new(404, "NoSuchHostedZone", format!("No hosted zone found with ID: {}", bare(id)))
}

pub(super) fn no_check(id: &str) -> ApiError {
    ApiError::new(404, "NoSuchHealthCheck", format!("No health check exists with the specified ID: {id}"))
}

/// Lets a zone's new content travel to its name servers, one after the other.
pub(super) fn submit(
    world: &mut World,
    account: &str,
    zone: &str,
    after: Records,
    comment: Option<String>,
) -> Change {
    let id = world.ids.upper("C", 20);
    let change = Change {
        id: id.clone(),
        zone: zone.to_owned(),
        submitted: world.clock.wall(),
        comment,
        in_sync: false,
        after,
    };
    world.route53(account).changes.insert(id.clone(), change.clone());
    for server in 0..SERVERS {
        let part = u32::try_from(server + 1).unwrap_or(1);
        let after = world.clock.takes(PROPAGATION) * part / 4;
        let due = Due::Reaches { account: account.to_owned(), change: id.clone(), server };
        world.later(after, due);
    }
    change
}

/// Carries out what has come about.
pub(crate) fn carry_out(world: &mut World, due: Due) {
    let Due::Reaches { account, change, server } = due;
    let route53 = world.route53(&account);
    let Some(change) = route53.changes.get_mut(&change) else { return };
    let after = Arc::clone(&change.after);
    change.in_sync = server + 1 == SERVERS;
    if let Some(zone) = route53.zones.get_mut(&change.zone) {
        if let Some(served) = zone.served.get_mut(server) {
            *served = after;
        }
        if let Some(serial) = zone.serials.get_mut(server) {
            *serial = serial.wrapping_add(1);
        }
    }
}

/// Requests that are allowed: five a second for an account.
///
/// <https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/DNSLimitations.html#limits-api-requests>
#[derive(Debug, Clone, Copy)]
pub(crate) struct Allowance {
    left: f64,
    at: Instant,
}

/// Takes one request from what is allowed; real seconds, whatever the pace.
pub(crate) fn allow(world: &mut World, request: &Request) -> Result<(), ApiError> {
    let Some(rate) = world.route53_rate else { return Ok(()) };
    let now = world.clock.now();
    let allowance = &mut world.route53(&request.account).requests;
    let mut current = allowance.unwrap_or(Allowance { left: rate, at: now });
    let gained = now.saturating_duration_since(current.at).as_secs_f64() * rate;
    current = Allowance { left: (current.left + gained).min(rate), at: now };
    let allowed = current.left >= 1.0;
    if allowed {
        current.left -= 1.0;
    }
    *allowance = Some(current);
    if allowed { Ok(()) } else { Err(crate::fault::throttled(request)) }
}
