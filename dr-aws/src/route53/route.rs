//! The verb `route`: record sets replaced only where they still are as they were found, then seen at every server.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use dr_core::resource::{Before, Cx, Diff, Effect, Prepared, Propagation, Route, Routed, Share, Urgency};
use dr_core::{Error, ErrorKind, Result, Side, Timestamp, async_trait};
use futures_util::future::join;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::check::Checks;
use super::entry::RoutingPolicy;
use super::record::{Policy, RecordSet, Target, same_sets, shown};
use super::road::{Expect, Road, shown as heard_shown};
use super::sides::Sides;
use super::wanted::{forgotten_check, ours, pins, wanted};
use super::zone::Submitted;
use crate::asking::latest;
use crate::dns::Reading;

/// How long INSYNC is waited for once every server was seen to answer so.
const INSYNC_AFTER_ANSWERS: Duration = Duration::from_secs(10);

/// Sends callers to a side.
#[derive(Debug)]
pub(super) struct RouteEffect {
    road: Arc<Road>,
    checks: Checks,
}

/// What was there before: version 1 of this verb's [`Before`].
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Was {
    /// The record sets of the name and type.
    sets: Vec<RecordSet>,
    /// What the step makes of them: an address that was read from elsewhere may be another one by the time of an undo.
    to: Vec<RecordSet>,
    /// How long callers may still use an old answer, in seconds.
    remembered: u32,
}

impl RouteEffect {
    pub(super) fn new(road: Arc<Road>, checks: Checks) -> Self {
        Self { road, checks }
    }

    /// A record set that answers only while its check is healthy sends nobody there before it is.
    async fn healthy(&self, cx: &Cx, to: &[RecordSet], side: &Side) -> Result<()> {
        let entry = &self.road.entry;
        let Some(check) = entry.found(side, to).and_then(|set| set.health_check.as_ref()) else {
            return Ok(());
        };
        match self.checks.healthy(cx, check).await {
            Ok(Some(false)) => Err(Error::new(
                ErrorKind::NotReady,
                format!(
                    "health check {check} of {side} is unhealthy: Route 53 would send callers away again at once"
                ),
            )
            .not_happened()
            .during("route")
            .on(entry.to_string())),
            Ok(Some(true) | None) => Ok(()),
            Err(error) if error.is("NoSuchHealthCheck") => Err(self.road.zone.vanished(error)),
            Err(error) => {
                cx.progress.say(format!("whether health check {check} is healthy is not known ({error})"));
                Ok(())
            }
        }
    }

    /// Waits until Route 53 says INSYNC and the servers say so themselves. The servers' word is the better one: where
    /// it is whole, a missing INSYNC is not waited for.
    async fn settled(
        &self,
        cx: &Cx,
        submitted: Submitted,
        expect: Option<&Expect>,
        sides: &Sides,
    ) -> Result<Option<Timestamp>> {
        let synced = async {
            match &submitted {
                Submitted::Now(change) => self.road.zone.in_sync(cx, change).await,
                Submitted::Before => Ok(()),
            }
        };
        let Some(expect) = expect else {
            synced.await?;
            return Ok(None);
        };
        let followed = self.road.followed(cx, expect, sides);
        tokio::pin!(synced, followed);
        let whole = !matches!(expect, Expect::Each(_));
        let (mut in_sync, mut seen): (Option<Result<()>>, Option<Timestamp>) = (None, None);
        let mut enough = latest(cx);
        loop {
            tokio::select! {
                biased;
                result = &mut followed, if seen.is_none() => {
                    seen = Some(result?);
                    if whole {
                        enough = enough.min(Instant::now() + INSYNC_AFTER_ANSWERS);
                    }
                }
                result = &mut synced, if in_sync.is_none() => in_sync = Some(result),
                () = tokio::time::sleep_until(enough), if seen.is_some() => break,
            }
            if seen.is_some() && in_sync.is_some() {
                break;
            }
        }
        match in_sync {
            Some(Ok(())) => {}
            Some(Err(error)) if !whole => return Err(error),
            None if !whole => {
                return Err(Error::new(ErrorKind::NotReady, "Route 53 does not say INSYNC")
                    .during("route")
                    .on(self.road.entry.to_string()));
            }
            Some(Err(error)) => {
                cx.progress.say(format!("every server answers so; INSYNC could not be read ({error})"));
            }
            None => cx.progress.say("every server answers so; Route 53 does not say INSYNC yet"),
        }
        Ok(seen)
    }
}

#[async_trait]
impl Effect<Route> for RouteEffect {
    async fn prepare(&self, cx: &Cx, call: &Route) -> Result<Prepared> {
        let (road, side) = (&self.road, call.to.side()?);
        let entry = &road.entry;
        let (found, readings) = join(road.zone.list(cx), road.readings(cx)).await;
        let found = found?;
        ours(entry, &found)?;
        let wanted = wanted(entry, &found, call, cx.urgency)?;
        let readings = readings?;
        let before = Before::of(&Was {
            remembered: remembered(&found, &readings),
            sets: found.clone(),
            to: wanted.clone(),
        })?;
        let sides = self.sides(side, &found, &wanted).await;
        if same_sets(&found, &wanted)
            && says(&readings, &expected(entry.policy, side, call.share, &wanted, &sides), &sides)
        {
            return Ok(Prepared::already(before));
        }
        let pinned = pins(entry, side, call.share, cx.urgency);
        if pinned && let Some(why) = forgotten_check(entry, &found, side) {
            match cx.urgency {
                Urgency::Planned => return Err(Error::refused(why).during("route").on(entry.to_string())),
                Urgency::Unplanned => cx.progress.say(&why),
            }
        }
        if !pinned {
            self.healthy(cx, &wanted, side).await?;
        }
        Ok(Prepared::would(diff(entry, side, &found, &wanted, &readings, &sides), before))
    }

    async fn apply(&self, cx: &Cx, call: &Route, was: &Prepared) -> Result<Routed> {
        let (road, side) = (&self.road, call.to.side()?);
        let before: Was = was.before.read()?;
        ours(&road.entry, &before.sets)?;
        let wanted = wanted(&road.entry, &before.sets, call, cx.urgency)?;
        let sides = self.sides(side, &before.sets, &wanted).await;
        let submitted = road.zone.swap(cx, &before.sets, &wanted).await?;
        let expect = expected(road.entry.policy, side, call.share, &wanted, &sides);
        let seen = self.settled(cx, submitted, expect.as_ref(), &sides).await?;
        let propagation = if seen.is_some() { Propagation::Answers } else { Propagation::Unobservable };
        let last = seen.unwrap_or_else(|| cx.now());
        let old_ttl = Duration::from_secs(before.remembered.into());
        Ok(Routed::new(side.clone(), propagation, last, old_ttl).sharing(call.share))
    }

    async fn undo(&self, cx: &Cx, call: &Route, was: &Before) -> Result<()> {
        let (road, side) = (&self.road, call.to.side()?);
        let before: Was = was.read()?;
        let sides = self.sides(side, &before.sets, &before.to).await;
        let submitted = road.zone.swap(cx, &before.to, &before.sets).await?;
        let expect =
            restored(road.entry.policy, &before.sets, |set| road.entry.side_of(set).cloned(), &sides);
        self.settled(cx, submitted, expect.as_ref(), &sides).await.map(|_| ())
    }
}

impl RouteEffect {
    /// What each side's answers look like, the side that callers are sent to by what it is to answer.
    async fn sides(&self, side: &Side, found: &[RecordSet], to: &[RecordSet]) -> Sides {
        let target: Option<&Target> = self.road.entry.found(side, to).map(|set| &set.target);
        self.road.sides(Some(found), target.map(|target| (side, target))).await
    }
}

/// What the servers have to answer once callers are sent there; `None` if nothing in an answer shows it.
fn expected(
    policy: RoutingPolicy,
    side: &Side,
    share: Share,
    wanted: &[RecordSet],
    sides: &Sides,
) -> Option<Expect> {
    if let (RoutingPolicy::Simple, [set]) = (policy, wanted)
        && let Some(values) = set.values()
    {
        return Some(Expect::Values(values));
    }
    let shared: BTreeSet<Side> = if share == Share::ALL {
        BTreeSet::from([side.clone()])
    } else {
        // By their names in the zone; a set that answers nobody is not looked for.
        sides_with_weight(wanted, sides)
    };
    if shared.is_empty() || !shared.iter().all(|side| sides.can_tell(side)) {
        return None;
    }
    Some(if share == Share::ALL { Expect::OneOf(shared) } else { Expect::Each(shared) })
}

fn sides_with_weight(wanted: &[RecordSet], sides: &Sides) -> BTreeSet<Side> {
    wanted
        .iter()
        .filter(|set| matches!(set.policy, Policy::Weighted(weight) if weight > 0))
        .filter_map(|set| sides.named(set.set_identifier.as_deref()?))
        .collect()
}

/// What the servers may answer once the sets are put back.
fn restored(
    policy: RoutingPolicy,
    sets: &[RecordSet],
    side_of: impl Fn(&RecordSet) -> Option<Side>,
    sides: &Sides,
) -> Option<Expect> {
    match (policy, sets) {
        (RoutingPolicy::Simple, []) => Some(Expect::Values(BTreeSet::new())),
        (RoutingPolicy::Simple, [set]) => set.values().map(Expect::Values),
        (RoutingPolicy::Simple, _) => None,
        (RoutingPolicy::Failover | RoutingPolicy::Weighted, _) => {
            let conditional = sets.iter().any(|set| !set.conditions().is_empty());
            let answers = |set: &&RecordSet| match &set.policy {
                Policy::Primary | Policy::Simple => true,
                Policy::Weighted(weight) => *weight > 0 || conditional,
                Policy::Secondary | Policy::Other(_) => conditional,
            };
            let may: BTreeSet<Side> = sets.iter().filter(answers).filter_map(side_of).collect();
            (!may.is_empty() && may.iter().all(|side| sides.can_tell(side))).then_some(Expect::OneOf(may))
        }
    }
}

/// Whether every server that answers does so as expected, and at least one answers. Of shares one answer shows only
/// that it is one of them.
fn says(readings: &[Reading], expect: &Option<Expect>, sides: &Sides) -> bool {
    let Some(expect) = expect else { return false };
    let mut heard = readings.iter().filter_map(Reading::heard).peekable();
    heard.peek().is_some()
        && heard.all(|heard| match expect {
            Expect::Each(of) => Expect::OneOf(of.clone()).met(heard, sides, &mut BTreeSet::new()),
            Expect::Values(_) | Expect::OneOf(_) => expect.met(heard, sides, &mut BTreeSet::new()),
        })
}

/// The longest that anybody may still remember an old answer: of those that are given, and of those that may have been.
fn remembered(found: &[RecordSet], readings: &[Reading]) -> u32 {
    let heard = readings.iter().filter_map(|reading| Some(reading.heard()?.ttl));
    let held = found.iter().filter_map(|set| match &set.target {
        Target::Values { ttl, .. } => Some(*ttl),
        Target::Alias { .. } => None,
    });
    heard.chain(held).max().unwrap_or(0)
}

fn diff(
    entry: &super::entry::Entry,
    side: &Side,
    found: &[RecordSet],
    wanted: &[RecordSet],
    readings: &[Reading],
    sides: &Sides,
) -> Diff {
    let mut told: BTreeMap<Option<&str>, (Option<&RecordSet>, Option<&RecordSet>)> = BTreeMap::new();
    for set in found {
        told.entry(set.set_identifier.as_deref()).or_default().0 = Some(set);
    }
    for set in wanted {
        told.entry(set.set_identifier.as_deref()).or_default().1 = Some(set);
    }
    let mut diff = Diff::default();
    for (held, new) in told.into_values() {
        if held == new {
            continue;
        }
        let title = held.or(new).map(RecordSet::title).unwrap_or_default();
        let text = |set: Option<&RecordSet>| set.map_or("none".to_owned(), ToString::to_string);
        diff = diff.and(title, text(held), text(new));
    }
    // Route 53 has moved them by itself: what is left to do is to keep them there.
    let answering: Vec<_> = readings.iter().filter_map(Reading::heard).collect();
    let there = answering.iter().all(|heard| sides.side(&heard.values) == Some(side));
    if there && !same_sets(found, wanted) {
        let by = super::wanted::automatisms(entry, found).join("; ");
        let by = if by.is_empty() { String::new() } else { format!(" ({by})") };
        return diff.and(
            "callers",
            format!("on {side} by what Route 53 decides{by}"),
            format!("pinned to {side}"),
        );
    }
    if same_sets(found, wanted) {
        for reading in readings {
            let Some(heard) = reading.heard() else { continue };
            if sides.side(&heard.values) != Some(side) {
                diff = diff.and(
                    format!("{entry} at {}", reading.server),
                    heard_shown(heard),
                    format!("as the zone says: {}", shown(wanted)),
                );
            }
        }
        if diff.0.is_empty() {
            diff = diff.and("answers", "cannot be told from others'", format!("those of {side}"));
        }
    }
    diff
}
