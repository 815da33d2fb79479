//! From samples to outages. Pure.
//!
//! A seat's outage begins when the first question that was not answered well was due, and ends when the first of
//! enough well answered questions in a row was due. Nobody asked between two due times, so each outage is an interval:
//! at least from the first bad question to the last, at most from the good question before to the moment the first
//! good answer was in hand. Both seats together are out while either is: the tail is the worse of the two.

use std::collections::BTreeMap;

use super::acceptance::Acceptance;
use super::log::ProbeLog;
use super::measurement::{Gap, OutageMeasured};
use super::sample::Sample;
use crate::ids::ResourceName;
use crate::resource::SeatKind;
use crate::time::Timestamp;

/// What a prober's samples say. `None` if nothing was asked: that measures nothing.
pub fn measure_outage(probe: &ResourceName, log: &ProbeLog, accept: &Acceptance) -> Option<OutageMeasured> {
    let mut seats: BTreeMap<SeatKind, Vec<Asked<'_>>> = BTreeMap::new();
    for (origin, (sitting, samples)) in log.origins(|sample| sample.due_ms).into_iter().zip(&log.sittings) {
        let hole = i64::try_from(sitting.every.as_millis()).unwrap_or(i64::MAX).saturating_mul(2).max(1);
        for sample in samples {
            let at = origin.saturating_add_unsigned(sample.due_ms);
            seats.entry(sample.seat).or_default().push(Asked { at, hole, sample });
        }
    }
    for asked in seats.values_mut() {
        asked.sort_by_key(|asked| asked.at);
    }

    let all = || seats.values().flatten();
    let first = all().min_by_key(|asked| asked.at)?;
    let last = all().max_by_key(|asked| asked.at)?;
    let read: Vec<SeatRead> = seats.values().map(|asked| SeatRead::of(asked, accept)).collect();
    let spans = merged(read.iter().flat_map(|seat| seat.spans.iter().cloned()).collect());

    let outage_begins = spans.first().map_or(i64::MAX, |span| span.from.0);
    let outage_is_over = match spans.last() {
        Some(span) => span.to.map(|to| to.0),
        None => None,
    };
    let latency = |within: &dyn Fn(i64) -> bool| {
        median(
            all()
                .filter(|asked| within(asked.at) && accept.is_well(asked.sample))
                .map(|asked| asked.sample.took_ms),
        )
    };
    Some(OutageMeasured {
        probe: probe.clone(),
        asked: all().count() as u64,
        failed: all().filter(|asked| !accept.is_well(asked.sample)).count() as u64,
        since: first.sample.due,
        until: last.sample.due,
        recovered: read
            .iter()
            .map(|seat| seat.recovered)
            .collect::<Option<Vec<_>>>()
            .and_then(|all| all.into_iter().max()),
        latency_before_ms: latency(&|at| at < outage_begins),
        latency_after_ms: outage_is_over.and_then(|over| latency(&|at| at >= over)),
        gaps: spans.iter().map(Span::gap).collect(),
    })
}

struct Asked<'a> {
    /// On the axis that all sittings share, in milliseconds.
    at: i64,
    /// Beyond which distance to the question before there is a hole.
    hole: i64,
    sample: &'a Sample,
}

type Moment = (i64, Timestamp);

/// One outage of one seat, or of several that overlap.
#[derive(Debug, Clone)]
struct Span {
    from: Moment,
    to: Option<Moment>,
    /// Certainly out.
    certain: Vec<(i64, i64)>,
    /// The last good question before; `None`: there was none.
    after: Option<i64>,
    /// When a good answer was in hand; `None`: it lasts.
    before: Option<i64>,
}

impl Span {
    fn gap(&self) -> Gap {
        let mut certain = self.certain.clone();
        certain.sort_unstable();
        let (mut sum, mut end) = (0, i64::MIN);
        for (from, to) in certain {
            sum += (to - from.max(end)).max(0);
            end = end.max(to);
        }
        Gap {
            from: self.from.1,
            to: self.to.map(|to| to.1),
            at_least: seconds(sum),
            at_most: self.after.zip(self.before).map(|(after, before)| seconds(before - after)),
        }
    }

    fn absorb(&mut self, other: Self) {
        self.from = self.from.min(other.from);
        self.to = self.to.zip(other.to).map(|(one, two)| one.max(two));
        self.certain.extend(other.certain);
        self.after = self.after.zip(other.after).map(|(one, two)| one.min(two));
        self.before = self.before.zip(other.before).map(|(one, two)| one.max(two));
    }
}

fn merged(mut spans: Vec<Span>) -> Vec<Span> {
    spans.sort_by_key(|span| span.from);
    let mut merged: Vec<Span> = Vec::new();
    for span in spans {
        match merged.last_mut() {
            Some(last) if last.to.is_none_or(|to| span.from.0 < to.0) => last.absorb(span),
            Some(_) | None => merged.push(span),
        }
    }
    merged
}

/// What one seat went through.
struct SeatRead {
    spans: Vec<Span>,
    recovered: Option<Timestamp>,
}

/// An outage that is not over yet.
struct Down {
    from: Moment,
    last_bad: i64,
    after: Option<i64>,
}

/// Answers in a row that would end an outage.
struct Row {
    count: usize,
    from: Moment,
    in_hand: i64,
}

impl Row {
    fn with(row: Option<Self>, asked: &Asked<'_>) -> Self {
        let in_hand = asked.at.saturating_add(millis_up(asked.sample.took_ms));
        match row {
            Some(row) => Self { count: row.count + 1, from: row.from, in_hand: row.in_hand.min(in_hand) },
            None => Self { count: 1, from: (asked.at, asked.sample.due), in_hand },
        }
    }
}

impl SeatRead {
    fn of(asked: &[Asked<'_>], accept: &Acceptance) -> Self {
        let mut read = Self { spans: Vec::new(), recovered: None };
        let mut down: Option<Down> = None;
        let mut last_good: Option<Moment> = None;
        let mut closing: Option<Row> = None;
        let mut there: Option<Row> = None;
        let mut before: Option<i64> = None;
        for question in asked {
            let (at, sample) = (question.at, question.sample);
            let hole = before.is_some_and(|before| at - before > question.hole);
            before = Some(at);
            if hole {
                closing = None;
                there = None;
            }

            there = (accept.binds(sample) && accept.is_there(sample)).then(|| Row::with(there, question));
            if let Some(row) = there.as_ref().filter(|row| row.count >= accept.in_a_row()) {
                read.recovered.get_or_insert(row.from.1);
            }

            let serves =
                if read.recovered.is_some() { accept.is_there(sample) } else { accept.is_well(sample) };
            down = match down {
                None if serves => {
                    if let Some(good) = last_good.filter(|_| hole) {
                        read.spans.push(Span {
                            from: good,
                            to: Some((at, sample.due)),
                            certain: Vec::new(),
                            after: Some(good.0),
                            before: Some(at.saturating_add(millis_up(sample.took_ms))),
                        });
                    }
                    last_good = Some((at, sample.due));
                    None
                }
                None => {
                    read.recovered = None;
                    closing = None;
                    Some(Down { from: (at, sample.due), last_bad: at, after: last_good.map(|good| good.0) })
                }
                Some(down) if accept.closes(sample) => {
                    let row = Row::with(closing.take(), question);
                    if row.count >= accept.in_a_row() {
                        read.spans.push(Span {
                            from: down.from,
                            to: Some(row.from),
                            certain: vec![(down.from.0, down.last_bad)],
                            after: down.after,
                            before: Some(row.in_hand),
                        });
                        last_good = Some((at, sample.due));
                        None
                    } else {
                        closing = Some(row);
                        Some(down)
                    }
                }
                Some(down) => {
                    closing = None;
                    Some(Down { last_bad: at, ..down })
                }
            };
        }
        if let Some(down) = down {
            read.recovered = None;
            read.spans.push(Span {
                from: down.from,
                to: None,
                certain: vec![(down.from.0, down.last_bad)],
                after: down.after,
                before: None,
            });
        }
        read
    }
}

fn seconds(millis: i64) -> f64 {
    millis as f64 / 1e3
}

fn millis_up(millis: f64) -> i64 {
    millis.ceil() as i64
}

fn median(values: impl Iterator<Item = f64>) -> Option<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => None,
        count if count % 2 == 1 => Some(values[middle]),
        _ => Some(f64::midpoint(values[middle - 1], values[middle])),
    }
}
