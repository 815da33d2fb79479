//! What was measured in a run. No measurement, no claim: what is not known is `None`.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::ids::ResourceName;
use crate::resource::LedgerRow;
use crate::time::Timestamp;

/// Everything that a run's probers and ledgers found.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Measurement {
    /// One for each prober, in the plan's order. The first is the run's.
    pub outages: Vec<OutageMeasured>,
    /// One for each ledger, in the plan's order.
    pub losses: Vec<LossMeasured>,
    /// How long callers were without the service.
    pub rto: Option<Figure>,
    /// How much of the past is lost.
    pub rpo: Option<Figure>,
    /// The RTO in its parts.
    pub parts: RtoParts,
}

/// A measured time, with what it rests on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Figure {
    /// At least this long, in seconds.
    pub at_least: f64,
    /// At most this long, in seconds. Verdicts use it.
    pub at_most: f64,
    /// What it rests on.
    pub basis: Basis,
}

/// What a figure rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Basis {
    /// Seen from a client's seat: prober, ledger.
    Client,
    /// The run's own end minus its start.
    Run,
    /// Replication lag plus the age of the sample.
    Lag,
    /// A dry run's estimate.
    Estimate,
}

impl Figure {
    /// A figure without an interval.
    pub fn exact(time: Duration, basis: Basis) -> Self {
        Self { at_least: time.as_secs_f64(), at_most: time.as_secs_f64(), basis }
    }
}

/// One prober's finding.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OutageMeasured {
    /// Which resource was asked.
    pub probe: ResourceName,
    /// How many questions, over both seats. Zero questions measure nothing.
    pub asked: u64,
    /// How many of them were not answered well.
    pub failed: u64,
    /// Every outage, oldest first.
    pub gaps: Vec<Gap>,
    /// When the first question was due.
    pub since: Timestamp,
    /// When the last question was due.
    pub until: Timestamp,
    /// Since when the last seat is answered as the run wants it: the first of enough good answers, by the side and
    /// with the write that were asked for. `None`: some seat never was.
    #[serde(default)]
    pub recovered: Option<Timestamp>,
    /// Median latency of good answers before the first outage, in milliseconds.
    pub latency_before_ms: Option<f64>,
    /// The same after the last.
    pub latency_after_ms: Option<f64>,
}

/// One outage: from the first failure to the first of enough good answers, over both seats. A hole in probing between
/// good answers is one too, of at least nothing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Gap {
    /// When the first unanswered question was due.
    pub from: Timestamp,
    /// When the first of the good answers' question was due; `None`: it lasts.
    pub to: Option<Timestamp>,
    /// At least this long, in seconds.
    pub at_least: f64,
    /// At most this long, in seconds: nobody asked between the last good answer and the first bad one. `None`: it has
    /// no known upper end, because it lasts or because no good answer was seen before it.
    pub at_most: Option<f64>,
}

/// One ledger's finding.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LossMeasured {
    /// The store.
    pub store: ResourceName,
    /// How many rows were tried.
    pub attempted: u64,
    /// How many were acknowledged.
    pub acknowledged: u64,
    /// How many nobody knows about.
    pub unknown: u64,
    /// Acknowledged rows that are gone; `None` if the survivors could not be read.
    pub lost: Option<Vec<LedgerRow>>,
    /// Unacknowledged rows that are there all the same.
    pub recovered: Option<u64>,
    /// From the oldest lost row's acknowledgement to the newest lost one's, in seconds. At least this much of the past
    /// is gone. Zero if nothing is lost; `None` if nothing was acknowledged before the outage,
    /// or the survivors could not be read.
    pub lost_span: Option<f64>,
    /// From the last surviving row before the oldest lost one to the outage, in seconds; where no row is lost, from the
    /// last one before the outage: a ledger is a sample, and others wrote after its last row. At most this much of the past
    /// is gone. `None` where there is no such row.
    #[serde(default)]
    pub lost_span_at_most: Option<f64>,
}

/// The RTO in its parts, in seconds, each from its own events; `None` where nothing saw it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct RtoParts {
    /// Outage to first alarm.
    pub detection: Option<f64>,
    /// First alarm to the run's begin.
    pub decision: Option<f64>,
    /// The run's begin to its last needed step.
    pub execution: Option<f64>,
    /// From there to the last caller's recovery.
    pub tail: Option<f64>,
}
