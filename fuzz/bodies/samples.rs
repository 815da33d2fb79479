//! A file of samples by another hand: it is read or refused, and whatever it says gives figures and no panic.

use std::collections::BTreeSet;
use std::time::Duration;

use dr_core::Timestamp;
use dr_core::measure::{
    Acceptance, Heartbeat, LedgerLog, ProbeLog, measure_outage, next_row, reconcile, silence,
};
use dr_core::resource::{SilencePolicy, Survivors};

pub(crate) fn run(bytes: &[u8]) {
    if let Ok(log) = ProbeLog::parse(bytes) {
        for (recovered_after, served_by) in [(0, None), (1, Some("eu".into())), (u32::MAX, None)] {
            let accept = Acceptance { recovered_after, served_by, write: false, binds_from: None };
            if let Some(measured) = measure_outage(&"shop".into(), &log, &accept) {
                assert_eq!(measured.asked, log.len() as u64);
                assert!(measured.failed <= measured.asked);
                assert!(measured.gaps.iter().all(|gap| gap.at_least >= 0.0), "{measured:?}");
            }
        }
    }
    if let Ok(log) = LedgerLog::parse(bytes) {
        let rows = log.sittings.iter().flat_map(|(_, samples)| samples);
        assert!(rows.map(|sample| sample.row).all(|row| row < next_row(&log) || row == i64::MAX));
        let survivors = Survivors { side: "eu".into(), rows: BTreeSet::from([1, 2, i64::MAX]) };
        for (survivors, cut) in [(None, None), (Some(&survivors), Some(Timestamp::from_millis(0)))] {
            let measured = reconcile(&"orders".into(), &log, survivors, cut);
            assert!(measured.acknowledged + measured.unknown <= measured.attempted);
        }
    }
    let beats: Vec<Heartbeat> =
        bytes.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect();
    for beat in &beats {
        assert!(beat.is_fresh(beat.at));
    }
    let now = beats.first().map_or(Timestamp::from_millis(0), |beat| beat.at);
    let policy = SilencePolicy { accept_after: Duration::from_secs(60), vantage_points: 2 };
    let _ = silence(&beats, &"us".into(), &"eu".into(), &policy, now);
}
