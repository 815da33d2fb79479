//! What the always-on probers left in the state store: when the outage began, when it was noticed, who else hears
//! nothing from a side.

use async_trait::async_trait;
use dr_core::journal::StateStore;
use dr_core::measure::{Heartbeat, silence};
use dr_core::plan::Plan;
use dr_core::resource::{Risk, Roles, SilencePolicy};
use dr_core::runbook::Watchers;
use dr_core::{ResourceName, Result, Side, Timestamp};

/// What is known of an outage before the run.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct OutageHeard {
    /// Since when callers are out.
    pub since: Option<Timestamp>,
    /// When a prober raised the alarm.
    pub detected: Option<Timestamp>,
    /// Until when callers were known to be served.
    pub good_until: Option<Timestamp>,
}

/// The heartbeats of a plan's probers that can be read.
pub(crate) async fn heartbeats(store: &StateStore, plan: &Plan) -> Result<Vec<Heartbeat>> {
    let all = store.heartbeats().await?;
    Ok(all
        .into_iter()
        .filter_map(|(_, value)| serde_json::from_value::<Heartbeat>(value).ok())
        .filter(|beat| beat.plan == plan.name)
        .collect())
}

/// The earliest outage that a fresh heartbeat tells of.
pub(crate) fn outage(beats: &[Heartbeat], now: Timestamp) -> OutageHeard {
    let fresh = beats.iter().filter(|beat| beat.is_fresh(now)).filter_map(|beat| beat.outage.as_ref());
    let mut heard = OutageHeard::default();
    for outage in fresh {
        heard.since = Some(heard.since.map_or(outage.since, |since| since.min(outage.since)));
        heard.good_until = heard.good_until.max(outage.good_until);
        heard.detected = match (heard.detected, outage.detected) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        };
    }
    heard
}

/// The probers as the fence's gate asks them.
#[derive(Debug)]
pub(crate) struct Probers {
    /// Where they leave their heartbeats.
    pub store: StateStore,
    /// Whose probers.
    pub plan: Plan,
    /// Which side plays what.
    pub roles: Roles,
}

#[async_trait]
impl Watchers for Probers {
    async fn silence(
        &self,
        _resource: &ResourceName,
        side: &Side,
        policy: &SilencePolicy,
        now: Timestamp,
    ) -> Result<Result<Risk, String>> {
        let beats = heartbeats(&self.store, &self.plan).await?;
        Ok(silence(&beats, side, &self.roles.target, policy, now).risk(side, policy, now))
    }
}
