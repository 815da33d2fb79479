//! What was acknowledged, held against what survived. Pure.

use std::collections::BTreeMap;

use super::log::LedgerLog;
use super::measurement::LossMeasured;
use super::sample::RowState;
use crate::ids::ResourceName;
use crate::resource::{LedgerRow, Survivors};
use crate::time::Timestamp;

/// Holds a ledger's records against what the new writer has.
///
/// `cut` is when the old writer was lost to its callers: the outage's beginning, or the fence. Without a row that was
/// acknowledged before it nothing is known about the loss. `None`: nothing was cut, and every acknowledgement counts.
///
/// `survivors` must be of the whole range that was tried; `None` if they could not be read: then nothing is known.
pub fn reconcile(
    store: &ResourceName,
    log: &LedgerLog,
    survivors: Option<&Survivors>,
    cut: Option<Timestamp>,
) -> LossMeasured {
    let rows = Row::all(log);
    let acknowledged = || rows.iter().filter(|(_, row)| row.state == RowState::Acked);
    let before_cut = || acknowledged().filter(|(_, row)| cut.is_none_or(|cut| row.at < cut));
    let lost: Option<Vec<LedgerRow>> = survivors.map(|survivors| {
        acknowledged().map(|(number, _)| *number).filter(|number| !survivors.rows.contains(number)).collect()
    });
    let (lost_span, lost_span_at_most) = match &lost {
        Some(_) if before_cut().next().is_none() => (None, None),
        Some(lost) => span(&rows, lost, cut),
        None => (None, None),
    };
    LossMeasured {
        store: store.clone(),
        attempted: rows.len() as u64,
        acknowledged: acknowledged().count() as u64,
        unknown: rows
            .values()
            .filter(|row| match row.state {
                RowState::Attempted | RowState::Unknown => true,
                RowState::Acked | RowState::Refused => false,
            })
            .count() as u64,
        recovered: survivors.map(|survivors| {
            let unacknowledged = rows.iter().filter(|(_, row)| row.state != RowState::Acked);
            unacknowledged.filter(|(number, _)| survivors.rows.contains(number)).count() as u64
        }),
        lost,
        lost_span,
        lost_span_at_most,
    }
}

/// A row's last known state, on the axis that all sittings share.
struct Row {
    state: RowState,
    at: Timestamp,
    sent: f64,
    acked: f64,
}

impl Row {
    fn all(log: &LedgerLog) -> BTreeMap<LedgerRow, Self> {
        let mut rows: BTreeMap<LedgerRow, Self> = BTreeMap::new();
        for (origin, (_, samples)) in log.origins(|sample| sample.sent_ms).into_iter().zip(&log.sittings) {
            for sample in samples {
                let sent = origin.saturating_add_unsigned(sample.sent_ms) as f64;
                let acked = sent + sample.took_ms.unwrap_or_default();
                let row = Self { state: sample.state, at: sample.at, sent, acked };
                match rows.get_mut(&sample.row) {
                    // Acknowledged once is acknowledged, whatever a number that was used twice says later.
                    Some(known) if known.state == RowState::Acked => {}
                    Some(known) => *known = row,
                    None => {
                        rows.insert(sample.row, row);
                    }
                }
            }
        }
        rows
    }
}

/// How much of the past is gone, in seconds: at least, and at most where that is known.
fn span(
    rows: &BTreeMap<LedgerRow, Row>,
    lost: &[LedgerRow],
    cut: Option<Timestamp>,
) -> (Option<f64>, Option<f64>) {
    let of = |number: &LedgerRow| rows.get(number);
    let Some(oldest) = lost.iter().filter_map(of).min_by(|one, two| one.acked.total_cmp(&two.acked)) else {
        return (Some(0.0), Some(cut.map_or(0.0, |cut| unseen_before(rows, cut))));
    };
    let acknowledged = || rows.iter().filter(|(_, row)| row.state == RowState::Acked);
    let last_lost = lost.iter().filter_map(of).map(|row| row.acked).fold(oldest.acked, f64::max);
    let last_before_cut = acknowledged()
        .filter(|(_, row)| cut.is_none_or(|cut| row.at < cut))
        .map(|(_, row)| row.acked)
        .fold(last_lost, f64::max);
    // The wall clock only where the cut is: its distance from the row beside it.
    let cut_at = cut.map_or(last_before_cut, |cut| oldest.sent + millis_between(oldest.at, cut));
    let survivor = acknowledged()
        .filter(|(number, row)| lost.binary_search(number).is_err() && row.acked <= oldest.acked)
        .map(|(_, row)| row.sent)
        .max_by(f64::total_cmp);
    let at_least = (last_lost - oldest.acked) / 1e3;
    (Some(at_least), survivor.map(|survivor| ((last_before_cut.max(cut_at) - survivor) / 1e3).max(at_least)))
}

/// How long before the cut the last row was written, in seconds: a ledger is a sample, and what others wrote after its
/// last row may be gone although every row of it is there.
fn unseen_before(rows: &BTreeMap<LedgerRow, Row>, cut: Timestamp) -> f64 {
    let acknowledged = rows.values().filter(|row| row.state == RowState::Acked && row.at < cut);
    acknowledged.map(|row| row.at).max().map_or(0.0, |last| cut.since(last).as_secs_f64())
}

fn millis_between(earlier: Timestamp, later: Timestamp) -> f64 {
    later.since(earlier).as_secs_f64() * 1e3
}
