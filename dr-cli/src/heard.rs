//! What the always-on probers left in the state store: when the outage began, when it was noticed, who else hears
//! nothing from a side.

use std::path::PathBuf;

use async_trait::async_trait;
use dr_core::journal::StateStore;
use dr_core::measure::{Heartbeat, silence};
use dr_core::plan::Plan;
use dr_core::resource::{Risk, Roles, SilencePolicy};
use dr_core::runbook::Watchers;
use dr_core::{ResourceName, Result, Side, Timestamp};
use serde::{Deserialize, Serialize};

use crate::kept::Kept;

/// What is known of an outage before the run.
#[derive(Debug, Clone, Default)]
pub(crate) struct OutageHeard {
    /// Since when callers are out.
    pub since: Option<Timestamp>,
    /// When a prober raised the alarm.
    pub detected: Option<Timestamp>,
    /// Until when callers were known to be served.
    pub good_until: Option<Timestamp>,
    /// The samples of a prober on this machine that measures all the time.
    pub kept: Option<Kept>,
}

/// What a heartbeat says of its samples, beside what it hears.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct KeptAt {
    /// On which machine.
    pub host: String,
    /// In which folder.
    pub folder: PathBuf,
}

/// A heartbeat as it lies in the state store.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Beat {
    /// What it hears.
    #[serde(flatten)]
    pub heartbeat: Heartbeat,
    /// Where its samples are, if it keeps any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub samples: Option<KeptAt>,
}

/// The heartbeats of a plan's probers that can be read.
pub(crate) async fn heartbeats(store: &StateStore, plan: &Plan) -> Result<Vec<Beat>> {
    let all = store.heartbeats().await?;
    Ok(all
        .into_iter()
        .filter_map(|(_, value)| serde_json::from_value::<Beat>(value).ok())
        .filter(|beat| beat.heartbeat.plan == plan.name)
        .collect())
}

/// The earliest outage that a fresh heartbeat tells of. A prober whose last look was good says until when callers were
/// served, at the least.
pub(crate) fn outage(beats: &[Beat], now: Timestamp) -> OutageHeard {
    let mut heard = OutageHeard::default();
    let here = crate::actor::host();
    for beat in beats.iter().filter(|beat| beat.heartbeat.is_fresh(now)) {
        let Heartbeat { at, interval, outage, answered_by, .. } = &beat.heartbeat;
        if let Some(kept) = beat.samples.as_ref().filter(|kept| kept.host == here) {
            heard.kept = Some(Kept::new(&kept.folder));
        }
        let Some(outage) = outage else {
            if !answered_by.is_empty() {
                heard.good_until = heard.good_until.max(Some(at.minus(*interval)));
            }
            continue;
        };
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
        let beats: Vec<Heartbeat> =
            heartbeats(&self.store, &self.plan).await?.into_iter().map(|beat| beat.heartbeat).collect();
        Ok(silence(&beats, side, &self.roles.target, policy, now).risk(side, policy, now))
    }
}
