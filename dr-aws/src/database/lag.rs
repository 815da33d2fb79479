//! How far a copy is behind, from samples of a minute each. Pure.

use std::time::Duration;

use dr_core::Timestamp;

/// One minute of a metric, in the metric's own unit made seconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Minute {
    /// When the minute began.
    pub(crate) begun: Timestamp,
    /// The least that was measured in it.
    pub(crate) least: Option<f64>,
    /// The most that was measured in it.
    pub(crate) most: Option<f64>,
}

/// What the samples say, and nothing more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Behind {
    /// At most so far behind now: the newest sample and its age together, for nothing is known of what happened since.
    pub(crate) lag: Option<Duration>,
    /// The copy has everything that was committed up to this moment. What it once had it keeps, so any good sample counts.
    pub(crate) has_until: Option<Timestamp>,
    /// The newest sample says that nothing is copied any more: AWS's `-1`, "replication is not active".
    pub(crate) is_stopped: bool,
}

impl Minute {
    /// The most that was measured; nothing where any measurement says that it could not be taken (`-1`).
    fn worst(&self) -> Option<Duration> {
        let (least, most) = (self.least?, self.most?);
        // `try_from` refuses what is negative, not finite or too long.
        let least = Duration::try_from_secs_f64(least).ok()?;
        Duration::try_from_secs_f64(most).ok().filter(|most| *most >= least)
    }
}

/// Judges the samples of the last while.
///
/// A sample says only that at some instant of its minute the copy was so far behind; at the minute's beginning it may have
/// been that instant. Hence the lower bound for what it has: the beginning less the most that was measured.
pub(crate) fn judge(minutes: &[Minute], now: Timestamp) -> Behind {
    let past = minutes.iter().filter(|minute| minute.begun <= now);
    let newest = past.clone().max_by_key(|minute| minute.begun);
    let lag = newest.and_then(|minute| Some(minute.worst()?.saturating_add(now.since(minute.begun))));
    let has_until = past.filter_map(|minute| Some(minute.begun.minus(minute.worst()?))).max();
    let is_stopped = newest.is_some_and(|minute| minute.most.is_some_and(|most| most < 0.0));
    Behind { lag, has_until, is_stopped }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_millis(1_800_000_000_000 + second * 1_000)
    }

    fn minute(begun: i64, least: f64, most: f64) -> Minute {
        Minute { begun: at(begun), least: Some(least), most: Some(most) }
    }

    #[test]
    fn a_lag_is_the_sample_and_its_age() {
        let behind = judge(&[minute(0, 1.0, 4.0)], at(90));
        assert_eq!(behind.lag, Some(Duration::from_secs(94)));
        assert_eq!(behind.has_until, Some(at(-4)));
    }

    /// P1 and P3: AWS's word for "replication is not active" is no number.
    #[test]
    fn minus_one_is_unknown_and_never_zero() {
        for unknown in [minute(60, -1.0, -1.0), minute(60, -1.0, 3.0), minute(60, 0.0, f64::NAN)] {
            let behind = judge(&[minute(0, 2.0, 2.0), unknown], at(70));
            assert_eq!(behind.lag, None, "{unknown:?}");
            assert_eq!(behind.has_until, Some(at(-2)), "what it had it keeps");
        }
    }

    #[test]
    fn only_a_newest_sample_of_minus_one_says_that_nothing_is_copied() {
        let stopped = |minutes: &[Minute]| judge(minutes, at(200)).is_stopped;
        assert!(stopped(&[minute(0, 2.0, 2.0), minute(60, -1.0, -1.0)]));
        assert!(!stopped(&[minute(0, -1.0, -1.0), minute(60, 2.0, 2.0)]), "it goes on");
        assert!(
            !stopped(&[minute(0, 2.0, 2.0), minute(60, -1.0, 3.0)]),
            "in that minute it went on, or stopped"
        );
        assert!(!stopped(&[]));
    }

    #[test]
    fn no_sample_is_unknown() {
        assert_eq!(judge(&[], at(0)), Behind::default());
        let missing = Minute { begun: at(0), least: None, most: None };
        assert_eq!(judge(&[missing], at(1)), Behind::default());
    }

    #[test]
    fn a_sample_from_the_future_says_nothing() {
        assert_eq!(judge(&[minute(120, 0.0, 0.0)], at(0)), Behind::default());
    }

    #[test]
    fn a_stale_sample_is_as_old_as_it_is() {
        let behind = judge(&[minute(0, 0.0, 0.0)], at(3_600));
        assert_eq!(behind.lag, Some(Duration::from_secs(3_600)));
    }
}
