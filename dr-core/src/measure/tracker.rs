//! Outages as they happen, for people and for the journal. The figures come from the samples, at the end.

use std::collections::BTreeMap;

use super::acceptance::Acceptance;
use super::sample::Sample;
use crate::event::OutageSeen;
use crate::ids::ResourceName;
use crate::resource::SeatKind;
use crate::time::Timestamp;

/// Tells when an outage begins and ends, from samples in the order in which they are settled.
///
/// It begins with the first question of any seat that is known not to be answered well, and ends when no seat is out.
/// A question that was still open may turn out later to have been the first one: the event keeps its time.
#[derive(Debug)]
pub(super) struct Tracker {
    probe: ResourceName,
    accept: Acceptance,
    seats: BTreeMap<SeatKind, Track>,
    out_since: Option<Timestamp>,
}

#[derive(Debug, Default)]
struct Track {
    out: bool,
    /// Where the last outage ended: a question due before it belongs to that outage, however late it fails.
    over: Option<(u64, Timestamp)>,
    /// How many answers in a row, as they came, were as the run wants them; enough, and nothing less counts as served.
    there: usize,
    moved: bool,
    /// Slots answered well since the outage began.
    well: BTreeMap<u64, Timestamp>,
}

impl Tracker {
    pub(super) fn new(probe: ResourceName, accept: Acceptance) -> Self {
        Self { probe, accept, seats: BTreeMap::new(), out_since: None }
    }

    /// Since when some seat is out.
    pub(super) fn out_since(&self) -> Option<Timestamp> {
        self.out_since
    }

    /// Takes the sample of a slot: the number of its due time.
    pub(super) fn take(&mut self, slot: u64, sample: &Sample) -> Option<OutageSeen> {
        let track = self.seats.entry(sample.seat).or_default();
        if track.over.is_some_and(|(over, _)| slot < over) {
            return None;
        }
        let serves = if track.moved { self.accept.is_there(sample) } else { self.accept.is_well(sample) };
        let there = self.accept.binds(sample) && self.accept.is_there(sample);
        track.there = if there { track.there + 1 } else { 0 };
        track.moved |= track.there >= self.accept.in_a_row();
        if !track.out {
            if serves {
                return None;
            }
            track.out = true;
            track.moved = false;
            track.well.clear();
            if self.out_since.is_some() {
                return None;
            }
            self.out_since = Some(sample.due);
            return Some(OutageSeen::Began { probe: self.probe.clone(), at: sample.due, why: sample.why() });
        }
        if !self.accept.closes(sample) {
            return None;
        }
        track.well.insert(slot, sample.due);
        track.over = Some(row_around(&track.well, slot, self.accept.in_a_row())?);
        track.out = false;
        track.well.clear();
        if self.seats.values().any(|track| track.out) {
            return None;
        }
        self.out_since = None;
        let at = self.seats.values().filter_map(|track| track.over).map(|(_, at)| at).max()?;
        Some(OutageSeen::Ended { probe: self.probe.clone(), at, served_by: sample.served_by.clone() })
    }
}

/// The first of `count` slots in a row, one of which is `slot`.
fn row_around(well: &BTreeMap<u64, Timestamp>, slot: u64, count: usize) -> Option<(u64, Timestamp)> {
    let mut first = slot;
    while first.checked_sub(1).is_some_and(|before| well.contains_key(&before)) {
        first -= 1;
    }
    let length =
        well.range(first..).zip(first..).take_while(|((slot, _), expected)| *slot == expected).count();
    (length >= count).then(|| well.get(&first).map(|at| (first, *at))).flatten()
}
