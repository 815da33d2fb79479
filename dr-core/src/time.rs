//! Wall-clock time and durations as people and machines read them.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A moment of the wall clock, in UTC; text is RFC 3339 with milliseconds: `2026-11-21T02:00:00.000Z`.
///
/// Durations inside one process are never differences of these: they come from tokio's monotonic clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(jiff::Timestamp);

impl Timestamp {
    /// The machine's clock. Inside the engine time comes from [`crate::Env`] instead.
    pub fn system() -> Self {
        Self::whole(jiff::Timestamp::now())
    }

    /// Whole microseconds: what is written is equal to what is read back.
    fn whole(moment: jiff::Timestamp) -> Self {
        Self::from_micros(moment.as_microsecond())
    }

    /// From milliseconds since 1970, held at the ends of the calendar.
    pub fn from_millis(millis: i64) -> Self {
        Self(jiff::Timestamp::from_millisecond(millis).unwrap_or(if millis < 0 {
            jiff::Timestamp::MIN
        } else {
            jiff::Timestamp::MAX
        }))
    }

    /// From microseconds since 1970, held at the ends of the calendar.
    pub fn from_micros(micros: i64) -> Self {
        Self(jiff::Timestamp::from_microsecond(micros).unwrap_or(if micros < 0 {
            jiff::Timestamp::MIN
        } else {
            jiff::Timestamp::MAX
        }))
    }

    /// Milliseconds since 1970.
    pub fn as_millis(self) -> i64 {
        self.0.as_millisecond()
    }

    /// Microseconds since 1970.
    pub fn as_micros(self) -> i64 {
        self.0.as_microsecond()
    }

    /// How long after `earlier` this is; zero if it is before it.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::try_from(self.0.duration_since(earlier.0)).unwrap_or_default()
    }

    /// This moment and `later` together, held at the end of the calendar.
    #[must_use]
    pub fn plus(self, later: Duration) -> Self {
        Self::whole(self.0.saturating_add(later).unwrap_or(jiff::Timestamp::MAX))
    }

    /// This moment less `earlier`, held at the beginning of the calendar.
    #[must_use]
    pub fn minus(self, earlier: Duration) -> Self {
        Self::whole(self.0.saturating_sub(earlier).unwrap_or(jiff::Timestamp::MIN))
    }

    /// `20261121T020000Z`, for names that sort.
    pub fn compact(self) -> String {
        self.0.strftime("%Y%m%dT%H%M%SZ").to_string()
    }

    /// `02:00:00`, for people who know the day.
    pub fn clock(self) -> String {
        self.0.strftime("%H:%M:%S").to_string()
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.3}", self.0)
    }
}

impl FromStr for Timestamp {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self::whole).map_err(|error| error.to_string())
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{:.6}", self.0))
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

/// A duration as plans write it: `15m`, `250ms`, `1h 30m`.
///
/// # Errors
/// A sentence that says what is expected, if the text is not one or is longer than a hundred years.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let duration = humantime::parse_duration(text.trim())
        .map_err(|_| format!("`{text}` is not a duration: write 250ms, 10s, 15m or 1h 30m"))?;
    if duration > Duration::from_secs(100 * 366 * 86_400) {
        return Err(format!("`{text}` is longer than a hundred years"));
    }
    Ok(duration)
}

/// A duration for people: at most two units, milliseconds only below ten seconds (`83ms`, `4.2s`, `12m 45s`).
pub fn show_duration(duration: Duration) -> String {
    let millis = duration.as_millis();
    match millis {
        0..1_000 => format!("{millis}ms"),
        1_000..10_000 if millis.is_multiple_of(1_000) => format!("{}s", millis / 1_000),
        1_000..10_000 => format!("{}.{}s", millis / 1_000, millis % 1_000 / 100),
        _ => {
            let seconds = millis / 1_000;
            let parts = [
                (seconds / 86_400, "d"),
                (seconds / 3_600 % 24, "h"),
                (seconds / 60 % 60, "m"),
                (seconds % 60, "s"),
            ];
            let first = parts.iter().position(|(count, _)| *count > 0).unwrap_or(3);
            parts[first..]
                .iter()
                .take(2)
                .filter(|(count, _)| *count > 0)
                .map(|(count, unit)| format!("{count}{unit}"))
                .collect::<Vec<_>>()
                .join(" ")
        }
    }
}

/// `#[serde(with = "dr_core::time::human")]`: a [`Duration`] as `15m` in every document of ours.
pub mod human {
    use super::*;

    /// Writes `15m`.
    pub fn serialize<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&humantime::format_duration(*duration))
    }

    /// Reads `15m`.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        parse_duration(&String::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

/// `#[serde(with = "dr_core::time::human_option", default)]`: the same for an optional duration.
pub mod human_option {
    use super::*;

    /// Writes `15m` or null.
    pub fn serialize<S: Serializer>(duration: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
        match duration {
            Some(duration) => super::human::serialize(duration, serializer),
            None => serializer.serialize_none(),
        }
    }

    /// Reads `15m` or null.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
        Option::<String>::deserialize(deserializer)?
            .map(|text| parse_duration(&text).map_err(de::Error::custom))
            .transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_shown_in_at_most_two_units() {
        let shown = |text| show_duration(parse_duration(text).unwrap());
        assert_eq!(shown("83ms"), "83ms");
        assert_eq!(shown("4s 210ms"), "4.2s");
        assert_eq!(shown("765s"), "12m 45s");
        assert_eq!(shown("15m"), "15m");
        assert_eq!(shown("36h"), "1d 12h");
        assert_eq!(shown("0s"), "0ms");
    }

    #[test]
    fn a_timestamp_survives_its_text() {
        let at = Timestamp::from_micros(1_763_258_400_123_456);
        let text = serde_json::to_string(&at).unwrap();
        assert_eq!(text, "\"2025-11-16T02:00:00.123456Z\"");
        assert_eq!(serde_json::from_str::<Timestamp>(&text).unwrap(), at);
    }

    #[test]
    fn every_moment_is_equal_to_what_is_read_back() {
        for at in [
            Timestamp::system(),
            Timestamp::from_millis(7).plus(Duration::from_nanos(1_234_567)),
            Timestamp::from_millis(7).minus(Duration::from_nanos(1_234_567)),
            "2025-11-16T02:00:00.123456789Z".parse().unwrap(),
        ] {
            assert_eq!(serde_json::from_str::<Timestamp>(&serde_json::to_string(&at).unwrap()).unwrap(), at);
        }
    }

    #[test]
    fn an_absurd_duration_is_refused() {
        assert!(parse_duration("999999999999 years").is_err());
        assert!(parse_duration("-1s").is_err());
        assert!(parse_duration("").is_err());
    }
}
