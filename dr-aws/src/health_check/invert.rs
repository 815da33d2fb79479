//! The verb `route` by the primary's health check, changed only where it still is as it was found.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use dr_core::resource::{Before, Cx, Diff, Effect, Prepared, Propagation, Route, Routed, Share, Urgency};
use dr_core::{Error, ErrorKind, Result, Side, async_trait};
use futures_util::future::join;
use serde::{Deserialize, Serialize};

use super::config::HealthCheckPlan;
use super::settings::{Found, Goal, Settings, Watches, wanted};
use crate::asking::Op;
use crate::dns::Reading;
use crate::error::AwsError;
use crate::route53::{Checks, Expect, Road, Sides, shown};

/// Sends callers to a side by what the primary's check says.
#[derive(Debug)]
pub(super) struct InvertEffect {
    pub(super) plan: Arc<HealthCheckPlan>,
    pub(super) road: Arc<Road>,
    pub(super) checks: Checks,
}

/// What was there before: version 1 of this verb's [`Before`].
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Was {
    /// What the check was set to.
    settings: Settings,
    /// What the step sets it to; an endpoint's check may have to be set otherwise by then.
    to: Settings,
    /// The check's version then: each change of it counts one up, whoever makes it.
    version: i64,
    /// The side that was served, if it was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    served: Option<Side>,
    /// How long callers may still use an old answer, in seconds.
    remembered: u32,
}

impl InvertEffect {
    fn goal(&self, side: &Side, urgency: Urgency) -> Goal {
        match (*side == self.plan.primary, urgency) {
            (false, _) => Goal::Away,
            (true, Urgency::Planned) => Goal::Home,
            (true, Urgency::Unplanned) => Goal::HeldHome,
        }
    }

    async fn found(&self, cx: &Cx) -> Result<Found> {
        let check = self.checks.get(cx, &self.plan.check).await.map_err(|error| self.named(error))?;
        check
            .as_ref()
            .map(Found::of)
            .unwrap_or_else(|| Err(Error::new(ErrorKind::Unknown, "Route 53 answers without the check")))
            .map_err(|error| self.of(error))
    }

    /// What it has to be set to, now.
    async fn wanted(&self, cx: &Cx, found: &Found, goal: Goal) -> Result<Settings> {
        let sees = match found.watches {
            Watches::Endpoint => {
                self.checks.sees(cx, &self.plan.check).await.map_err(|error| self.named(error))?
            }
            Watches::Checks | Watches::Other(_) => None,
        };
        wanted(found, goal, sees, self.plan.threshold, self.plan.unpinned).map_err(|error| self.of(error))
    }

    async fn update(&self, cx: &Cx, version: i64, to: Settings) -> Result<(), AwsError> {
        let threshold = to.threshold.and_then(|threshold| i32::try_from(threshold).ok());
        Op::changes("route53:UpdateHealthCheck")
            .ask(cx, || async {
                self.checks.pace.turn().await;
                self.checks
                    .client
                    .update_health_check()
                    .health_check_id(&self.plan.check)
                    .health_check_version(version)
                    .inverted(to.inverted)
                    .set_health_threshold(threshold)
                    .send()
                    .await
            })
            .await
            .map(|_| ())
    }

    /// Sets the check, if it still has that version; a reply that was lost is looked for in the check itself.
    async fn set(&self, cx: &Cx, version: i64, to: Settings) -> Result<()> {
        cx.progress.say(format!("setting health check {} to {to}", self.plan.check));
        let error = match self.update(cx, version, to).await {
            Ok(()) => return Ok(()),
            Err(error) => error,
        };
        if error.did_nothing() && !error.is("HealthCheckVersionMismatch") {
            return Err(self.named(error));
        }
        match self.found(cx).await {
            Ok(now) if now.version == version + 1 && now.settings == to => Ok(()),
            Ok(now) if error.is("HealthCheckVersionMismatch") => Err(self.changed(&now)),
            Ok(_) | Err(_) => Err(self.named(error)),
        }
    }

    fn changed(&self, now: &Found) -> Error {
        self.of(Error::new(
            ErrorKind::Conflict,
            format!("someone else changed it: it is {} (version {})", now.settings, now.version),
        )
        .not_happened())
    }

    fn of(&self, error: Error) -> Error {
        error.during("route").on(format!("health check {}", self.plan.check))
    }

    fn named(&self, error: AwsError) -> Error {
        if error.is("NoSuchHealthCheck") {
            let text = "there is no such health check in this account: it was deleted, or the credentials are another \
                        account's";
            return self.of(Error::new(ErrorKind::NotFound, text).not_happened());
        }
        self.of(Error::from(error))
    }

    /// In ordinary times as the plan says: else a failback could not put it back.
    fn ordinary(&self, cx: &Cx, found: &Found, goal: Goal) -> Result<()> {
        let known = found.watches != Watches::Checks
            || goal == Goal::Home
            || found.holds()
            || found.settings == Settings { inverted: false, threshold: Some(self.plan.threshold) };
        if known {
            return Ok(());
        }
        let why = format!(
            "it is {}, and a failback would leave it healthy with {} of its checks: write `health_threshold` as it is, \
             and do not invert it in ordinary times",
            found.settings, self.plan.threshold
        );
        match cx.urgency {
            Urgency::Planned => Err(self.of(Error::refused(why))),
            Urgency::Unplanned => {
                cx.progress.say(&why);
                Ok(())
            }
        }
    }
}

#[async_trait]
impl Effect<Route> for InvertEffect {
    async fn prepare(&self, cx: &Cx, call: &Route) -> Result<Prepared> {
        let side = target(call, &self.road)?;
        let goal = self.goal(side, cx.urgency);
        let (found, readings) = join(self.found(cx), self.road.readings(cx)).await;
        let (found, readings) = (found?, readings?);
        let wanted = self.wanted(cx, &found, goal).await?;
        let sides = self.road.sides(None, None).await;
        let before = Before::of(&Was {
            settings: found.settings,
            to: wanted,
            version: found.version,
            served: served(&readings, &sides),
            remembered: readings
                .iter()
                .filter_map(|reading| Some(reading.heard()?.ttl))
                .max()
                .unwrap_or(self.road.entry.ttl)
                .max(self.road.entry.ttl),
        })?;
        let there = served(&readings, &sides).as_ref() == Some(side);
        if found.settings == wanted && there {
            if goal == Goal::Away && !found.holds() {
                cx.progress.say(format!(
                    "Route 53 has sent callers to {side} by itself: what its check watches fails"
                ));
            }
            return Ok(Prepared::already(before));
        }
        self.ordinary(cx, &found, goal)?;
        let mut diff = Diff::default();
        if found.settings != wanted {
            diff = diff.and(
                format!("health check {}", self.plan.check),
                found.settings.to_string(),
                wanted.to_string(),
            );
        }
        for reading in &readings {
            let Some(heard) = reading.heard() else { continue };
            if sides.side(&heard.values) != Some(side) {
                diff = diff.and(
                    format!("{} at {}", self.road.entry, reading.server),
                    shown(heard),
                    side.as_str(),
                );
            }
        }
        if there {
            diff =
                diff.and("callers", format!("on {side} by what Route 53 decides"), format!("held on {side}"));
        }
        Ok(Prepared::would(diff, before))
    }

    async fn apply(&self, cx: &Cx, call: &Route, was: &Prepared) -> Result<Routed> {
        let side = target(call, &self.road)?;
        let goal = self.goal(side, cx.urgency);
        let before: Was = was.before.read()?;
        let found = self.found(cx).await.map_err(Error::not_happened)?;
        // What an endpoint's check has to be follows what it sees now, not what it saw when this began.
        let wanted = self.wanted(cx, &found, goal).await.map_err(Error::not_happened)?;
        if found.version == before.version {
            if found.settings != wanted {
                self.set(cx, found.version, wanted).await?;
            }
        } else if found.version != before.version + 1 || !ours(&found, &before) {
            return Err(self.changed(&found));
        } else if found.settings != wanted {
            return Err(self.of(Error::new(
                ErrorKind::NotReady,
                format!(
                    "since it was set, what it watches or the run has changed: it would have to be {wanted}"
                ),
            )));
        }
        let sides = self.road.sides(None, None).await;
        let last = self.road.followed(cx, &Expect::OneOf(BTreeSet::from([side.clone()])), &sides).await?;
        let old_ttl = Duration::from_secs(before.remembered.into());
        Ok(Routed::new(side.clone(), Propagation::Answers, last, old_ttl))
    }

    async fn undo(&self, cx: &Cx, _call: &Route, was: &Before) -> Result<()> {
        let before: Was = was.read()?;
        let found = self.found(cx).await?;
        let done = found.settings == before.settings
            && (found.version == before.version || found.version == before.version + 2);
        if !done {
            if found.version != before.version + 1 || !ours(&found, &before) {
                return Err(self.changed(&found));
            }
            self.set(cx, found.version, before.settings).await?;
        }
        // The check is as it was: that is what was promised. Whether it sends callers back is its own business again.
        if let Some(served) = before.served {
            let sides = self.road.sides(None, None).await;
            let patience = cx.within(cx.left() / 2);
            let back = Expect::OneOf(BTreeSet::from([served.clone()]));
            if let Err(error) = self.road.followed(&patience, &back, &sides).await {
                cx.progress
                    .say(format!("the check is as it was; callers are not back on {served} yet ({error})"));
            }
        }
        Ok(())
    }
}

/// Whether a check one version on is what this step has made of what was there.
fn ours(found: &Found, before: &Was) -> bool {
    match found.watches {
        Watches::Checks => found.settings == before.to,
        // Set at all only to the other of two.
        Watches::Endpoint | Watches::Other(_) => found.settings.inverted != before.settings.inverted,
    }
}

pub(super) fn target<'a>(call: &'a Route, road: &Road) -> Result<&'a Side> {
    let side = call.to.side()?;
    let on = |error: Error| error.during("route").on(road.entry.to_string());
    if call.share != Share::ALL {
        return Err(on(Error::unsupported(
            "a share of the callers needs kind route53 with `routing: weighted`",
        )));
    }
    if call.values.is_some() {
        return Err(on(Error::unsupported(
            "a health check changes no address: use kind route53 with `address_from`",
        )));
    }
    if !road.entry.sides.contains_key(side) {
        return Err(on(Error::invalid(format!("nothing is known of `{side}`"))));
    }
    Ok(side)
}

/// The side that every answering server names.
pub(super) fn served(readings: &[Reading], sides: &Sides) -> Option<Side> {
    let mut named = readings.iter().filter_map(Reading::heard).map(|heard| sides.side(&heard.values));
    let first = named.next()??;
    named.all(|side| side == Some(first)).then(|| first.clone())
}
