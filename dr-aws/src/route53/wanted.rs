//! What the record sets have to be for a call, from what was found: pure.
//!
//! **Pinned** means that nothing automatic can move callers away again: the side's record set answers without a health
//! check and whatever the health of what it is an alias of. Callers are pinned wherever they are sent, with two
//! exceptions: a planned run that takes them back to the plan's `primary` puts the plan's own conditions back (that is
//! the failback), and a share of less than all leaves each side its conditions.

use std::collections::BTreeMap;

use dr_core::resource::{Route, Share, Urgency};
use dr_core::{Error, Result, Side};

use super::entry::{Entry, RoutingPolicy};
use super::record::{Policy, RecordSet, Target, shown};

/// Refuses what is not ours: a set that the plan does not name, or one that is chosen in another way.
pub(super) fn ours(entry: &Entry, found: &[RecordSet]) -> Result<()> {
    let refused = |text: String| Err(Error::refused(text).during("route").on(entry.to_string()));
    for set in found {
        let (fits, says) = match entry.policy {
            RoutingPolicy::Simple => (set.policy == Policy::Simple, "simple"),
            RoutingPolicy::Failover => {
                (matches!(set.policy, Policy::Primary | Policy::Secondary), "failover")
            }
            RoutingPolicy::Weighted => (matches!(set.policy, Policy::Weighted(_)), "weighted"),
        };
        if !fits {
            return refused(format!(
                "the zone holds {} ({set}), and the plan says `routing: {says}`: it is not touched; write the routing \
                 that the zone has, or name another record",
                set.title()
            ));
        }
        if set.set_identifier.is_some() && entry.side_of(set).is_none() {
            let known: Vec<String> =
                entry.sides.iter().map(|(side, known)| format!("{side}: {}", known.set_identifier)).collect();
            return refused(format!(
                "the zone holds {} ({set}), which the plan does not name: it is not touched; the plan has \
                 `set_identifiers: {{ {} }}`",
                set.title(),
                known.join(", ")
            ));
        }
    }
    Ok(())
}

/// Whether a call pins the callers.
pub(super) fn pins(entry: &Entry, side: &Side, share: Share, urgency: Urgency) -> bool {
    share == Share::ALL && (urgency == Urgency::Unplanned || entry.primary.as_ref() != Some(side))
}

/// The record sets that the call asks for.
pub(super) fn wanted(
    entry: &Entry,
    found: &[RecordSet],
    call: &Route,
    urgency: Urgency,
) -> Result<Vec<RecordSet>> {
    let side = call.to.side()?;
    let pinned = pins(entry, side, call.share, urgency);
    let target = entry.target(side, call, found)?;
    entry.side(side)?;
    match entry.policy {
        RoutingPolicy::Simple | RoutingPolicy::Failover if call.share != Share::ALL => {
            Err(Error::unsupported("a share of the callers needs `routing: weighted`")
                .during("route")
                .on(entry.to_string()))
        }
        RoutingPolicy::Simple => {
            let health_check = found.first().and_then(|set| set.health_check.clone());
            Ok(vec![RecordSet {
                name: entry.name.clone(),
                kind: entry.kind,
                set_identifier: None,
                policy: Policy::Simple,
                health_check,
                target,
            }])
        }
        RoutingPolicy::Failover => {
            let to = chosen(entry, side, found, target, pinned, Policy::Primary)?;
            let mut sets = vec![to];
            for other in entry.sides.keys().filter(|other| *other != side) {
                sets.push(left(entry, other, found, Policy::Secondary, !pinned)?);
            }
            Ok(sets)
        }
        RoutingPolicy::Weighted => weighted(entry, side, found, call.share, target, pinned),
    }
}

/// The set of the side that callers are sent to.
fn chosen(
    entry: &Entry,
    side: &Side,
    found: &[RecordSet],
    target: Target,
    pinned: bool,
    policy: Policy,
) -> Result<RecordSet> {
    let known = entry.side(side)?;
    let held = entry.found(side, found).and_then(|set| set.health_check.clone());
    Ok(RecordSet {
        name: entry.name.clone(),
        kind: entry.kind,
        set_identifier: Some(known.set_identifier.clone()),
        policy,
        health_check: if pinned { None } else { known.health_check.clone().or(held) },
        target: if pinned { target.unconditional() } else { target },
    })
}

/// The set of a side that callers are not sent to: what the zone holds, in its new place. `ordinary`: the plan's own
/// conditions are put back, which a run that pinned it has taken away.
fn left(
    entry: &Entry,
    side: &Side,
    found: &[RecordSet],
    policy: Policy,
    ordinary: bool,
) -> Result<RecordSet> {
    let known = entry.side(side)?;
    let held = entry.found(side, found);
    let target = match (held.map(|set| &set.target), &known.target) {
        (Some(held), Some(planned))
            if ordinary && held.unconditional().means(&planned.unconditional(), entry.kind) =>
        {
            planned.clone()
        }
        (Some(held), _) => held.clone(),
        (None, Some(planned)) => planned.clone(),
        (None, None) => {
            return Err(Error::invalid(format!(
                "the zone holds no record set for `{side}`, and the plan has no values for it"
            ))
            .during("route")
            .on(entry.to_string()));
        }
    };
    Ok(RecordSet {
        name: entry.name.clone(),
        kind: entry.kind,
        set_identifier: Some(known.set_identifier.clone()),
        policy,
        health_check: known.health_check.clone().or_else(|| held.and_then(|set| set.health_check.clone())),
        target,
    })
}

fn weighted(
    entry: &Entry,
    side: &Side,
    found: &[RecordSet],
    share: Share,
    target: Target,
    pinned: bool,
) -> Result<Vec<RecordSet>> {
    let weights: BTreeMap<&Side, u8> = entry
        .sides
        .keys()
        .map(|side| {
            let weight = match entry.found(side, found).map(|set| &set.policy) {
                Some(Policy::Weighted(weight)) => *weight,
                Some(_) | None => 0,
            };
            (side, weight)
        })
        .collect();
    let others: Vec<(&Side, u8)> =
        weights.iter().filter(|(other, _)| **other != side).map(|(side, weight)| (*side, *weight)).collect();
    let own = weights.get(side).copied().unwrap_or(0);
    // Whoever has all of the callers keeps the number that the zone gives it.
    let so_already = share == Share::ALL && own > 0 && others.iter().all(|(_, weight)| *weight == 0);
    let own = if so_already { own } else { share.percent() };
    let rest = shared_out(&others, share.rest().percent());
    let mut sets = vec![chosen(entry, side, found, target, pinned, Policy::Weighted(own))?];
    for (other, weight) in rest {
        sets.push(left(entry, other, found, Policy::Weighted(weight), !pinned)?);
    }
    // Weighted sets of one name have one TTL: Route 53 refuses anything else.
    for set in &mut sets {
        if let Target::Values { ttl, .. } = &mut set.target {
            *ttl = entry.ttl;
        }
    }
    Ok(sets)
}

/// What is left over, in the proportions that the others have now; evenly if none of them has anything.
fn shared_out<'a>(others: &[(&'a Side, u8)], rest: u8) -> Vec<(&'a Side, u8)> {
    let total: u32 = others.iter().map(|(_, weight)| u32::from(*weight)).sum();
    let count = u32::try_from(others.len()).unwrap_or(u32::MAX);
    let mut left = u32::from(rest);
    let mut shared: Vec<(&Side, u32)> = others
        .iter()
        .map(|(side, weight)| {
            let part = match total {
                0 => u32::from(rest) / count.max(1),
                total => u32::from(rest) * u32::from(*weight) / total,
            };
            left = left.saturating_sub(part);
            (*side, part)
        })
        .collect();
    // What rounding left goes to the largest.
    if let Some(largest) = shared.iter_mut().max_by_key(|(_, part)| *part) {
        largest.1 += left;
    }
    shared.into_iter().map(|(side, part)| (side, u8::try_from(part).unwrap_or(u8::MAX))).collect()
}

/// Which share of the callers each side gets by its weight. With no weight at all Route 53 takes each alike.
pub(super) fn shares(entry: &Entry, found: &[RecordSet]) -> BTreeMap<Side, Share> {
    if entry.policy != RoutingPolicy::Weighted {
        return BTreeMap::new();
    }
    let weights: Vec<(&Side, u32)> = found
        .iter()
        .filter_map(|set| match set.policy {
            Policy::Weighted(weight) => Some((entry.side_of(set)?, u32::from(weight))),
            _ => None,
        })
        .collect();
    let total: u32 = weights.iter().map(|(_, weight)| weight).sum();
    let count = u32::try_from(weights.len()).unwrap_or(u32::MAX).max(1);
    weights
        .into_iter()
        .filter_map(|(side, weight)| {
            let percent = match total {
                0 => 100 / count,
                total => (weight * 100 + total / 2) / total,
            };
            Some((side.clone(), Share::of_percent(u8::try_from(percent).ok()?)?))
        })
        .collect()
}

/// What can move callers by itself.
pub(crate) fn automatisms(entry: &Entry, found: &[RecordSet]) -> Vec<String> {
    let subject = |set: &RecordSet| {
        let whose = entry.side_of(set).map(|side| format!(" ({side})")).unwrap_or_default();
        let conditions = set.conditions();
        (!conditions.is_empty())
            .then(|| format!("{}{whose} answers only subject to {}", set.title(), conditions.join(" and ")))
    };
    let deeper = |set: &RecordSet| match &set.target {
        Target::Alias { zone, name, .. } if *zone == entry.zone => {
            Some(format!("{} follows {}, which may move by itself", set.title(), name.trim_end_matches('.')))
        }
        Target::Alias { .. } | Target::Values { .. } => None,
    };
    let moving: Vec<String> = match entry.policy {
        RoutingPolicy::Simple => Vec::new(),
        RoutingPolicy::Failover => {
            found.iter().filter(|set| set.policy == Policy::Primary).filter_map(subject).collect()
        }
        RoutingPolicy::Weighted if found.len() < 2 => Vec::new(),
        RoutingPolicy::Weighted => found
            .iter()
            .filter(|set| matches!(set.policy, Policy::Weighted(weight) if weight > 0))
            .filter_map(subject)
            .collect(),
    };
    moving.into_iter().chain(found.iter().filter_map(deeper)).collect()
}

/// A check that pinning takes off a side, and that the plan could not put back.
pub(super) fn forgotten_check(entry: &Entry, found: &[RecordSet], side: &Side) -> Option<String> {
    if entry.policy == RoutingPolicy::Simple {
        return None;
    }
    let held = entry.found(side, found)?.health_check.as_ref()?;
    let named = entry.sides.get(side).and_then(|known| known.health_check.as_ref());
    named.is_none().then(|| {
        format!(
            "pinning callers to {side} takes health check {held} off its record set, and a failback could not put it \
             back: write `health_checks: {{ {side}: {held} }}`"
        )
    })
}

/// The sets that are not ours to change any more, for people.
pub(super) fn changed(entry: &Entry, now: &[RecordSet], expected: &[RecordSet]) -> Error {
    Error::new(
        dr_core::ErrorKind::Conflict,
        format!("someone else changed it: it says {}, expected was {}", shown(now), shown(expected)),
    )
    .during("route")
    .on(entry.to_string())
}
