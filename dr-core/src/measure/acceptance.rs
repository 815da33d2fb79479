//! When an outage is over.

use crate::ids::Side;
use crate::plan::OutageSpec;
use crate::time::Timestamp;

use super::sample::Sample;

/// What an answer has to be for callers to count as served again.
///
/// Before `binds_from` an outage ends with good answers from anybody. From then on (a run's begin) only answers from
/// the side that the run moves to end one, and once a seat has moved there, another side's answer is an outage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acceptance {
    /// How many good answers in a row. Zero is taken as one.
    pub recovered_after: u32,
    /// Who has to answer; `None`: anybody, also where answers do not say who gave them.
    pub served_by: Option<Side>,
    /// Whether each has to acknowledge a write.
    pub write: bool,
    /// From when `served_by` counts; `None`: always.
    pub binds_from: Option<Timestamp>,
}

impl Acceptance {
    /// As a plan's prober wants it, whoever answers.
    pub fn new(spec: &OutageSpec) -> Self {
        Self { recovered_after: spec.recovered_after, served_by: None, write: spec.write, binds_from: None }
    }

    /// From `binds_from` on only that side's answers end an outage.
    #[must_use]
    pub fn served_by(mut self, side: Side, binds_from: Timestamp) -> Self {
        self.served_by = Some(side);
        self.binds_from = Some(binds_from);
        self
    }

    /// How many good answers in a row end an outage.
    pub(super) fn in_a_row(&self) -> usize {
        usize::try_from(self.recovered_after).unwrap_or(usize::MAX).max(1)
    }

    /// Whether `served_by` counts for that question.
    pub(super) fn binds(&self, sample: &Sample) -> bool {
        self.binds_from.is_none_or(|from| sample.due >= from)
    }

    /// Whether it is answered well, by whomever.
    pub(super) fn is_well(&self, sample: &Sample) -> bool {
        sample.is_well(self.write)
    }

    /// Whether it is answered well by the side that was asked for.
    pub(super) fn is_there(&self, sample: &Sample) -> bool {
        self.is_well(sample)
            && self.served_by.as_ref().is_none_or(|side| sample.served_by.as_ref() == Some(side))
    }

    /// Whether it helps to end an outage.
    pub(super) fn closes(&self, sample: &Sample) -> bool {
        if self.binds(sample) { self.is_there(sample) } else { self.is_well(sample) }
    }
}
