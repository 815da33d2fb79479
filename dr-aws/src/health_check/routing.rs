//! Looking: who is served, and what the primary's check could still do by itself.

use std::sync::Arc;

use dr_core::resource::{Cx, Observe, Routing};
use dr_core::{Result, async_trait};
use futures_util::future::join3;

use super::config::HealthCheckPlan;
use super::settings::{Found, Watches, automatism};
use crate::route53::{Checks, Road, automatisms};

#[derive(Debug)]
pub(super) struct Routings {
    pub(super) plan: Arc<HealthCheckPlan>,
    pub(super) road: Arc<Road>,
    pub(super) checks: Checks,
}

impl Routings {
    /// Of a switch, only an object moves callers: that is nobody's automatism, as long as the check looks at it.
    fn of_check(&self, found: &Found) -> Option<String> {
        if self.plan.object.is_none() {
            return automatism(found, &self.plan.check);
        }
        let check = &self.plan.check;
        if found.disabled {
            return Some(format!("health check {check} is disabled, so that the object moves nobody"));
        }
        match (&found.watches, found.settings.inverted) {
            (Watches::Endpoint, true) => None,
            (Watches::Endpoint, false) => Some(format!(
                "health check {check} is not inverted: callers are sent away while the object is not there"
            )),
            (Watches::Checks | Watches::Other(_), _) => automatism(found, check),
        }
    }

    /// What may move callers by itself: the check, unless it is held, and whatever else the records are subject to.
    async fn moving(&self, cx: &Cx) -> Vec<String> {
        let unknown = |what: &str, why: String| vec![format!("unknown: {what} cannot be read ({why})")];
        let (found, records) =
            futures_util::future::join(self.checks.get(cx, &self.plan.check), self.road.zone.list(cx)).await;
        let records = match records {
            Ok(records) => records,
            Err(error) => return unknown("the record sets", error.chain()),
        };
        let found = match found {
            Ok(check) => check,
            Err(error) => return unknown("the health check", error.to_string()),
        };
        let Some(Ok(found)) = found.as_ref().map(Found::of) else {
            return unknown("the health check", "an answer without its settings".to_owned());
        };
        // The check's own condition is judged by what it is set to; the others as they stand.
        let without: Vec<_> = records
            .into_iter()
            .map(|mut set| {
                if set.health_check.as_ref() == Some(&self.plan.check) {
                    set.health_check = None;
                }
                set
            })
            .collect();
        self.of_check(&found).into_iter().chain(automatisms(&self.road.entry, &without)).collect()
    }
}

#[async_trait]
impl Observe<Routing> for Routings {
    async fn observe(&self, cx: &Cx) -> Result<Routing> {
        let road = &self.road;
        let asking = cx.within((cx.left() / 2).max(road.authority.silent_after));
        let (readings, sides, moving) =
            join3(road.readings(cx), road.sides(None, None), self.moving(&asking)).await;
        let readings = readings?;
        Ok(road.routing(cx, &readings, &sides).with_automatisms(moving))
    }
}
