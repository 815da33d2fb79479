//! Which record sets answer a question.
//!
//! <https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/health-checks-how-route-53-chooses-records.html>

use std::sync::Arc;

use crate::route53::{Policy, RecordSet, Records, Values};
use crate::world::World;

/// How many aliases may follow each other.
const DEEP: u32 = 8;

/// Load balancers answer with this TTL.
///
/// <https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/resource-record-sets-values-alias-common.html>
const BALANCER_TTL: u32 = 60;

/// What a server has to say.
#[derive(Debug)]
pub(super) enum Chosen {
    /// The name is in none of its zones.
    Elsewhere,
    /// The name is in one of its zones.
    Here { sets: Vec<Set>, exists: bool, zone: Apex, serial: u32 },
}

/// Values under a name and type.
#[derive(Debug, Clone)]
pub(super) struct Set {
    pub(super) name: String,
    pub(super) kind: String,
    pub(super) ttl: u32,
    pub(super) values: Vec<String>,
}

/// What a negative answer says of its zone.
#[derive(Debug)]
pub(super) struct Apex {
    pub(super) name: String,
    pub(super) soa: Option<String>,
    pub(super) negative_ttl: u32,
}

/// What one server looks through.
struct View<'a> {
    world: &'a World,
    account: &'a str,
    records: &'a Records,
    zone: &'a str,
    dice: &'a [u64],
}

/// Finds the answer as one name server knows it.
pub(super) fn choose(world: &mut World, server: usize, name: &str, kind: &str) -> Chosen {
    let dice: Vec<u64> = (0..DEEP).map(|_| world.chance.number()).collect();
    let world = &*world;
    let zone = world
        .route53
        .iter()
        .flat_map(|(account, route53)| route53.zones.values().map(move |zone| (account, zone)))
        .filter(|(_, zone)| *name == zone.name || name.ends_with(&format!(".{}", zone.name)))
        .filter(|(_, zone)| zone.served.get(server).is_some_and(|records| !records.is_empty()))
        .max_by_key(|(_, zone)| zone.name.len());
    let Some((account, zone)) = zone else { return Chosen::Elsewhere };
    let Some(records) = zone.served.get(server).map(Arc::clone) else { return Chosen::Elsewhere };
    let view = View { world, account, records: &records, zone: &zone.id, dice: &dice };
    let soa = view.sets(&zone.name, "SOA").next().and_then(|set| match &set.values {
        Values::Plain { ttl, values } => values.first().map(|value| (*ttl, value.clone())),
        Values::Alias { .. } => None,
    });
    let minimum = soa.as_ref().and_then(|(_, value)| value.rsplit(' ').next()?.parse::<u32>().ok());
    let negative_ttl = soa.as_ref().map_or(0, |(ttl, _)| *ttl).min(minimum.unwrap_or(u32::MAX));
    let serial = zone.serials.get(server).copied().unwrap_or_default();
    let (sets, exists) = view.find(name, kind);
    Chosen::Here {
        sets,
        exists,
        zone: Apex { name: zone.name.clone(), soa: soa.map(|(_, value)| value), negative_ttl },
        serial,
    }
}

impl<'a> View<'a> {
    fn sets(&self, name: &'a str, kind: &'a str) -> impl Iterator<Item = &'a RecordSet> {
        self.records.values().filter(move |set| set.name == name && set.kind == kind)
    }

    /// The answer, following a CNAME inside the zone; and whether the name exists at all.
    fn find(&self, name: &str, kind: &str) -> (Vec<Set>, bool) {
        let mut answers = Vec::new();
        let mut name = name.to_owned();
        for depth in 0..DEEP {
            let Some(owner) = self.owner(&name) else {
                return (answers, depth > 0);
            };
            if let Some(mut set) = self.resolve(&owner, kind, depth) {
                set.name.clone_from(&name);
                answers.push(set);
                return (answers, true);
            }
            let Some(mut alias) = self.resolve(&owner, "CNAME", depth).filter(|_| kind != "CNAME") else {
                return (answers, true);
            };
            alias.name.clone_from(&name);
            let Some(target) = alias.values.first().map(|value| crate::route53::normal(value)) else {
                return (answers, true);
            };
            answers.push(alias);
            name = target;
        }
        (answers, true)
    }

    /// The name itself, one that exists only because something is below it, or the wildcard that covers it (RFC 4592).
    fn owner(&self, name: &str) -> Option<String> {
        let below = format!(".{name}");
        if self.records.values().any(|set| set.name == name || set.name.ends_with(&below)) {
            return Some(name.to_owned());
        }
        let mut rest = name;
        while let Some((_, parent)) = rest.split_once('.') {
            if parent.is_empty() {
                return None;
            }
            let wildcard = format!("*.{parent}");
            if self.records.values().any(|set| set.name == wildcard) {
                return Some(wildcard);
            }
            // Only the closest name that exists may have the wildcard.
            let under = format!(".{parent}");
            if self.records.values().any(|set| set.name == parent || set.name.ends_with(&under)) {
                return None;
            }
            rest = parent;
        }
        None
    }

    /// What a name and type answer, after policies and health.
    fn resolve(&self, name: &str, kind: &str, depth: u32) -> Option<Set> {
        let sets: Vec<&RecordSet> =
            self.records.values().filter(|set| set.name == name && set.kind == kind).collect();
        let first = sets.first()?;
        match first.policy {
            Policy::Simple => self.answer(first, depth),
            Policy::Failover { .. } => {
                let role = |primary: bool| {
                    sets.iter().copied().find(|set| set.policy == Policy::Failover { primary })
                };
                let healthy = |set: &&RecordSet| self.is_healthy(set, depth);
                let chosen = role(true)
                    .filter(healthy)
                    .or_else(|| role(false).filter(healthy))
                    // With both unhealthy the primary answers.
                    .or_else(|| role(true))
                    .or_else(|| role(false))?;
                self.answer(chosen, depth)
            }
            Policy::Weighted(_) => self.answer(self.weighted(&sets, depth)?, depth),
            Policy::MultiValue => self.multi(&sets, depth),
        }
    }

    /// <https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/routing-policy-weighted.html>
    fn weighted<'b>(&self, sets: &[&'b RecordSet], depth: u32) -> Option<&'b RecordSet> {
        let weight = |set: &RecordSet| match set.policy {
            Policy::Weighted(weight) => u64::from(weight),
            Policy::Simple | Policy::Failover { .. } | Policy::MultiValue => 0,
        };
        let healthy: Vec<(&RecordSet, u64)> = sets
            .iter()
            .copied()
            .filter(|set| self.is_healthy(set, depth))
            .map(|set| (set, weight(set)))
            .collect();
        let all: Vec<(&RecordSet, u64)> = sets.iter().map(|set| (*set, weight(set))).collect();
        let nonzero = |candidates: &[(&'b RecordSet, u64)]| -> Vec<(&'b RecordSet, u64)> {
            candidates.iter().copied().filter(|(_, weight)| *weight > 0).collect()
        };
        // Healthy with a weight; else healthy ones of weight zero; else all are taken for healthy.
        let even = |candidates: Vec<(&'b RecordSet, u64)>| -> Vec<(&'b RecordSet, u64)> {
            candidates.into_iter().map(|(set, _)| (set, 1)).collect()
        };
        let candidates = match (nonzero(&healthy), healthy) {
            (some, _) if !some.is_empty() => some,
            (_, healthy) if !healthy.is_empty() => even(healthy),
            _ => match nonzero(&all) {
                some if !some.is_empty() => some,
                _ => even(all),
            },
        };
        let total: u64 = candidates.iter().map(|(_, weight)| weight).sum();
        let index = usize::try_from(depth).unwrap_or_default();
        let mut dice = self.dice.get(index).copied().unwrap_or_default().checked_rem(total)?;
        for (set, weight) in candidates {
            if dice < weight {
                return Some(set);
            }
            dice -= weight;
        }
        None
    }

    /// Up to eight healthy ones together; with none healthy, all.
    ///
    /// <https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/routing-policy-multivalue.html>
    fn multi(&self, sets: &[&RecordSet], depth: u32) -> Option<Set> {
        let mut chosen: Vec<&&RecordSet> = sets.iter().filter(|set| self.is_healthy(set, depth)).collect();
        if chosen.is_empty() {
            chosen = sets.iter().collect();
        }
        let mut answers = chosen.into_iter().take(8).filter_map(|set| self.answer(set, depth));
        let mut first = answers.next()?;
        first.values.extend(answers.flat_map(|set| set.values));
        Some(first)
    }

    fn answer(&self, set: &RecordSet, depth: u32) -> Option<Set> {
        match &set.values {
            Values::Plain { ttl, values } => Some(Set {
                name: set.name.clone(),
                kind: set.kind.clone(),
                ttl: *ttl,
                values: values.clone(),
            }),
            Values::Alias { zone, target, .. } => {
                if depth >= DEEP {
                    return None;
                }
                let found = if zone == self.zone {
                    self.resolve(target, &set.kind, depth + 1)?
                } else {
                    let balancer = self.world.balancers.get(target)?;
                    let fits = |ip: &&std::net::IpAddr| ip.is_ipv4() == (set.kind == "A");
                    let values = balancer.addresses.iter().filter(fits).map(ToString::to_string).collect();
                    Set { name: set.name.clone(), kind: set.kind.clone(), ttl: BALANCER_TTL, values }
                };
                Some(Set { name: set.name.clone(), ..found })
            }
        }
    }

    /// A record without a check is healthy; an alias may ask its target.
    fn is_healthy(&self, set: &RecordSet, depth: u32) -> bool {
        let own = set
            .health_check
            .as_deref()
            .is_none_or(|check| self.world.health(self.account, check).is_healthy());
        own && match &set.values {
            Values::Alias { zone, target, evaluate_health: true } if depth < DEEP => {
                if zone == self.zone {
                    let mut targets = self
                        .records
                        .values()
                        .filter(|other| other.name == *target && other.kind == set.kind)
                        .peekable();
                    targets.peek().is_some() && targets.any(|target| self.is_healthy(target, depth + 1))
                } else {
                    self.world
                        .balancers
                        .get(target)
                        .is_some_and(|balancer| balancer.healthy && !self.world.is_lost(&balancer.region))
                }
            }
            Values::Alias { .. } | Values::Plain { .. } => true,
        }
    }
}

/// The first address of a name, as the first name server knows it.
pub(crate) fn address(world: &mut World, name: &str) -> Option<std::net::IpAddr> {
    match choose(world, 0, name, "A") {
        Chosen::Elsewhere => None,
        Chosen::Here { sets, .. } => {
            sets.iter().filter(|set| set.kind == "A").find_map(|set| set.values.first()?.parse().ok())
        }
    }
}
