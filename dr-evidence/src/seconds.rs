//! Seconds as `metrics.json` writes them: integers when whole, else at most three decimals.

use std::fmt;
use std::time::Duration;

use dr_core::time::show_duration;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A length of time in whole milliseconds. It is rounded up, because figures are upper bounds: what took a hair longer
/// than its target must not read as if it had kept it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Seconds {
    millis: u64,
}

impl Seconds {
    /// From seconds. `None` for what is no length of time: negative, infinite, not a number, longer than an era.
    pub fn from_f64(seconds: f64) -> Option<Self> {
        Duration::try_from_secs_f64(seconds).ok().map(Self::from)
    }

    /// The seconds.
    pub fn as_f64(self) -> f64 {
        Duration::from_millis(self.millis).as_secs_f64()
    }

    /// The same as a duration.
    pub fn as_duration(self) -> Duration {
        Duration::from_millis(self.millis)
    }

    /// For people: `4.21 s`, and from a minute on also in their own units: `765 s (12m 45s)`.
    pub fn for_people(self) -> String {
        if self.millis < 60_000 {
            format!("{self} s")
        } else {
            format!("{self} s ({})", show_duration(self.as_duration()))
        }
    }

    /// In words: `12 minutes 45 seconds`.
    pub fn in_words(self) -> String {
        let seconds = self.millis / 1_000;
        let part = |count: u64, unit: &str| match count {
            0 => None,
            1 => Some(format!("1 {unit}")),
            _ => Some(format!("{count} {unit}s")),
        };
        let (hours, minutes, rest) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
        let fraction = self.millis % 1_000;
        let last = if fraction > 0 {
            Some(format!("{} seconds", Self { millis: rest * 1_000 + fraction }))
        } else if hours == 0 && minutes == 0 && rest == 0 {
            Some("0 seconds".to_owned())
        } else {
            part(rest, "second")
        };
        [part(hours, "hour"), part(minutes, "minute"), last]
            .into_iter()
            .flatten()
            .collect::<Vec<_>>()
            .join(" ")
    }
}

impl From<Duration> for Seconds {
    fn from(time: Duration) -> Self {
        Self { millis: u64::try_from(time.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX) }
    }
}

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, fraction) = (self.millis / 1_000, self.millis % 1_000);
        if fraction == 0 {
            write!(f, "{whole}")
        } else {
            f.write_str(format!("{whole}.{fraction:03}").trim_end_matches('0'))
        }
    }
}

impl Serialize for Seconds {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.millis.is_multiple_of(1_000) {
            serializer.serialize_u64(self.millis / 1_000)
        } else {
            serializer.serialize_f64(self.as_f64())
        }
    }
}

impl<'de> Deserialize<'de> for Seconds {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::from_f64(f64::deserialize(deserializer)?)
            .ok_or_else(|| de::Error::custom("a length of time cannot be negative or without end"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(value: f64) -> Seconds {
        Seconds::from_f64(value).unwrap()
    }

    #[test]
    fn whole_seconds_are_integers_and_others_have_at_most_three_decimals() {
        assert_eq!(serde_json::to_string(&seconds(765.0)).unwrap(), "765");
        assert_eq!(serde_json::to_string(&seconds(4.21)).unwrap(), "4.21");
        assert_eq!(serde_json::to_string(&seconds(0.123_456)).unwrap(), "0.124");
        assert_eq!(serde_json::to_string(&seconds(0.1 + 0.2)).unwrap(), "0.3");
        assert_eq!(seconds(900.000_4).to_string(), "900.001");
    }

    #[test]
    fn what_is_no_length_of_time_is_none() {
        for value in [-1.0, f64::NAN, f64::INFINITY, 1e300] {
            assert_eq!(Seconds::from_f64(value), None);
        }
        assert!(serde_json::from_str::<Seconds>("-1").is_err());
    }

    #[test]
    fn seconds_read_as_the_runbook_writes_them() {
        assert_eq!(seconds(780.0).in_words(), "13 minutes");
        assert_eq!(seconds(765.0).in_words(), "12 minutes 45 seconds");
        assert_eq!(seconds(3_601.0).in_words(), "1 hour 1 second");
        assert_eq!(seconds(0.0).in_words(), "0 seconds");
        assert_eq!(seconds(4.21).in_words(), "4.21 seconds");
        assert_eq!(seconds(61.5).in_words(), "1 minute 1.5 seconds");
    }

    #[test]
    fn seconds_survive_their_text() {
        for millis in [0_u64, 1, 999, 1_000, 4_210, 765_000, 86_400_001] {
            let value = Seconds { millis };
            let text = serde_json::to_string(&value).unwrap();
            assert_eq!(serde_json::from_str::<Seconds>(&text).unwrap(), value, "{text}");
        }
    }
}
