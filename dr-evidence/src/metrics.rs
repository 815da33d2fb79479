//! `metrics.json`: what machines read of a run. A file format: fields are added, never renamed.

use dr_core::event::{Ending, Mode, Status, Suspension};
use dr_core::journal::Line;
use dr_core::measure::{Basis, Figure, Measurement, judge};
use dr_core::plan::Limit;
use dr_core::resource::Following;
use dr_core::{Result, RunId, Side, Timestamp};
use serde::{Deserialize, Serialize};

use crate::seconds::Seconds;
use crate::story::{StepStory, Story};
use crate::timings::Timings;

/// The name of the file.
pub const METRICS: &str = "metrics.json";

/// The format's version.
pub const METRICS_VERSION: u32 = 1;

/// A run in figures. What was not measured is `null`, and so is whether it met its target.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Metrics {
    /// When the run began.
    #[serde(with = "millis")]
    pub failover_start: Timestamp,
    /// When it ended; `null` while it has not.
    #[serde(with = "millis_option")]
    pub failover_end: Option<Timestamp>,
    /// The side that served before.
    pub source_region: Side,
    /// The side that serves after.
    pub target_region: Side,
    /// Whether nothing was changed.
    pub dry_run: bool,
    /// How long callers were without the service: at most this long.
    pub rto_seconds: Option<Seconds>,
    /// How long they may be.
    pub rto_target_seconds: Option<Seconds>,
    /// Whether the target was met, the figure's upper end counting.
    pub rto_met: Option<bool>,
    /// How much of the past is lost: at most this much.
    pub rpo_seconds: Option<Seconds>,
    /// How much may be.
    pub rpo_target_seconds: Option<Seconds>,
    /// Whether the target was met, the figure's upper end counting.
    pub rpo_met: Option<bool>,
    /// `<phase>_seconds` for each phase that ran, in the plan's order.
    pub timings: Timings,

    /// The format's version.
    pub schema_version: u32,
    /// The run.
    pub run: RunId,
    /// The plan's name.
    pub plan: String,
    /// What the run was for.
    pub mode: Mode,
    /// How it ended; `null` while it has not.
    pub ending: Option<Ending>,
    /// Why its last drive stopped, while it has not ended.
    pub suspended: Option<Suspension>,
    /// What `rto_seconds` rests on.
    pub rto_basis: Option<Basis>,
    /// The lower end of `rto_seconds`.
    pub rto_at_least_seconds: Option<Seconds>,
    /// What `rpo_seconds` rests on.
    pub rpo_basis: Option<Basis>,
    /// The lower end of `rpo_seconds`.
    pub rpo_at_least_seconds: Option<Seconds>,
    /// From the run's beginning to its end.
    pub run_seconds: Option<Seconds>,
    /// The longest outage of this run that the first prober saw: at most this long; `null` if it saw nothing or it lasts.
    pub client_outage_seconds: Option<Seconds>,
    /// From the outage to the first alarm.
    pub detection_seconds: Option<Seconds>,
    /// From the first alarm to the run's beginning.
    pub decision_seconds: Option<Seconds>,
    /// From the run's beginning to its last needed step.
    pub execution_seconds: Option<Seconds>,
    /// From there to the last caller's recovery.
    pub tail_seconds: Option<Seconds>,
    /// Rows that the ledgers saw acknowledged.
    pub acknowledged_writes: Option<u64>,
    /// Acknowledged rows that are gone.
    pub lost_writes: Option<u64>,
    /// Ledger rows that only an old writer has, found when it was made a copy again.
    pub stray_writes: Option<u64>,
}

impl Metrics {
    /// From a run's journal.
    ///
    /// # Errors
    /// `Invalid` if the journal does not begin with the run's beginning or goes on after its end.
    pub fn of(lines: &[Line]) -> Result<Self> {
        Ok(Self::of_story(&Story::of(lines)?))
    }

    pub(crate) fn of_story(story: &Story<'_>) -> Self {
        let began = story.began();
        let nothing = Measurement::default();
        let measured = story.measurement().unwrap_or(&nothing);
        let judgement = judge(&began.budget, measured);
        let rto = Judged::of(measured.rto.as_ref(), began.budget.rto, judgement.rto_met);
        let rpo = Judged::of(measured.rpo.as_ref(), began.budget.rpo, judgement.rpo_met);
        Self {
            failover_start: story.state.began_at,
            failover_end: story.ended.as_ref().map(|ended| ended.at),
            source_region: began.roles.source.clone(),
            target_region: began.roles.target.clone(),
            dry_run: !began.mode.is_live(),
            rto_seconds: rto.at_most,
            rto_target_seconds: rto.target,
            rto_met: rto.met,
            rpo_seconds: rpo.at_most,
            rpo_target_seconds: rpo.target,
            rpo_met: rpo.met,
            timings: Timings::of(story.timings()),
            schema_version: METRICS_VERSION,
            run: began.run.clone(),
            plan: began.plan.clone(),
            mode: began.mode,
            ending: story.ended.as_ref().map(|ended| ended.ending),
            suspended: story.suspended().map(|(why, _)| why),
            rto_basis: rto.basis,
            rto_at_least_seconds: rto.at_least,
            rpo_basis: rpo.basis,
            rpo_at_least_seconds: rpo.at_least,
            run_seconds: story.run_seconds(),
            client_outage_seconds: client_outage(measured, story.state.began_at),
            detection_seconds: measured.parts.detection.and_then(Seconds::from_f64),
            decision_seconds: measured.parts.decision.and_then(Seconds::from_f64),
            execution_seconds: measured.parts.execution.and_then(Seconds::from_f64),
            tail_seconds: measured.parts.tail.and_then(Seconds::from_f64),
            acknowledged_writes: acknowledged(measured),
            lost_writes: lost(measured),
            stray_writes: stray(&story.steps()),
        }
    }
}

/// A figure held against its target.
#[derive(Debug)]
struct Judged {
    at_least: Option<Seconds>,
    at_most: Option<Seconds>,
    basis: Option<Basis>,
    target: Option<Seconds>,
    met: Option<bool>,
}

impl Judged {
    /// A figure whose upper end is no length of time is no measurement; without a figure nothing is claimed.
    fn of(figure: Option<&Figure>, limit: Option<Limit>, met: Option<bool>) -> Self {
        let at_most = figure.and_then(|figure| Seconds::from_f64(figure.at_most));
        let figure = figure.filter(|_| at_most.is_some());
        Self {
            at_least: figure.and_then(|figure| Seconds::from_f64(figure.at_least)),
            at_most,
            basis: figure.map(|figure| figure.basis),
            target: limit.map(|limit| Seconds::from(limit.time)),
            met: met.filter(|_| at_most.is_some()),
        }
    }
}

/// What an always-on prober saw of an outage that was over when the run began belongs to an earlier run.
fn client_outage(measured: &Measurement, began: Timestamp) -> Option<Seconds> {
    let first = measured.outages.first().filter(|first| first.asked > 0)?;
    let gaps = || first.gaps.iter().filter(|gap| gap.to.is_none_or(|to| to >= began));
    if gaps().any(|gap| gap.to.is_none()) {
        return None;
    }
    let gaps: Option<Vec<Seconds>> = gaps().map(|gap| Seconds::from_f64(gap.at_most?)).collect();
    Some(gaps?.into_iter().max().unwrap_or_default())
}

fn acknowledged(measured: &Measurement) -> Option<u64> {
    let counts = measured.losses.iter().map(|loss| loss.acknowledged);
    (!measured.losses.is_empty()).then(|| counts.fold(0, u64::saturating_add))
}

fn lost(measured: &Measurement) -> Option<u64> {
    let counts = measured.losses.iter().map(|loss| loss.lost.as_ref().map(|rows| rows.len() as u64));
    (!measured.losses.is_empty()).then(|| counts.sum::<Option<u64>>()).flatten()
}

/// The sum over every old writer that was made a copy again; unknown as soon as one of them is.
fn stray(steps: &[StepStory<'_>]) -> Option<u64> {
    let follows =
        steps.iter().filter(|step| step.step.verb == "follow" && step.status() == Status::Succeeded);
    let mut total = None;
    for applied in follows.map(StepStory::applied) {
        let following: Following = serde_json::from_value(applied?.data.clone()).ok()?;
        if let Some(divergence) = following.divergence {
            total = Some(total.unwrap_or(0) + divergence.rows?.len() as u64);
        }
    }
    total
}

/// A moment with milliseconds, as the runbooks' own files have it with seconds.
mod millis {
    use dr_core::Timestamp;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(at: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(at)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
        Timestamp::deserialize(deserializer)
    }
}

mod millis_option {
    use dr_core::Timestamp;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(at: &Option<Timestamp>, serializer: S) -> Result<S::Ok, S::Error> {
        match at {
            Some(at) => serializer.collect_str(at),
            None => serializer.serialize_none(),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Timestamp>, D::Error> {
        Option::deserialize(deserializer)
    }
}
