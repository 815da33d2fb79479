//! What a plan expects of a fact: `lag: "<= 10s"`, `ready: all`, `role: standby`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::plan::Limit;
use crate::resource::Fact;

/// One expectation.
#[derive(Debug, Clone, PartialEq)]
pub enum Expectation {
    /// A time within a limit.
    Within(Limit),
    /// All of a whole, and there are any.
    All,
    /// At least so many.
    AtLeast(u64),
    /// Yes or no.
    Flag(bool),
    /// A word.
    Word(String),
}

impl Expectation {
    /// Whether a fact meets it. What is unknown meets nothing; a fact of another kind neither.
    pub fn is_met_by(&self, fact: &Fact) -> bool {
        match (self, fact) {
            (Self::Within(limit), Fact::Time(time)) => limit.is_met_by(*time),
            (Self::All, Fact::Part { is, of }) => is == of && *of > 0,
            (Self::AtLeast(least), Fact::Part { is, .. }) => is >= least,
            (Self::Flag(expected), Fact::Flag(flag)) => expected == flag,
            (Self::Word(expected), Fact::Word(word)) => expected == word,
            (_, Fact::Time(_) | Fact::Part { .. } | Fact::Word(_) | Fact::Flag(_) | Fact::Unknown) => false,
        }
    }
}

impl FromStr for Expectation {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        if let Some(count) = text.strip_prefix(">=").map(str::trim) {
            return count
                .parse()
                .map(Self::AtLeast)
                .map_err(|_| format!("`{text}`: a whole number follows on >="));
        }
        if text.starts_with(['<', '≤']) {
            return text.parse().map(Self::Within);
        }
        Ok(match text {
            "" => return Err("an expectation is empty".to_owned()),
            "all" => Self::All,
            "yes" | "true" => Self::Flag(true),
            "no" | "false" => Self::Flag(false),
            word => Self::Word(word.to_owned()),
        })
    }
}

impl fmt::Display for Expectation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Within(limit) => limit.fmt(f),
            Self::All => f.write_str("all"),
            Self::AtLeast(least) => write!(f, ">= {least}"),
            Self::Flag(true) => f.write_str("yes"),
            Self::Flag(false) => f.write_str("no"),
            Self::Word(word) => f.write_str(word),
        }
    }
}

impl Serialize for Expectation {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Within(limit) => limit.serialize(serializer),
            Self::All | Self::AtLeast(_) | Self::Flag(_) | Self::Word(_) => serializer.collect_str(self),
        }
    }
}

impl<'de> Deserialize<'de> for Expectation {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Raw {
            Flag(bool),
            Text(String),
        }
        match Raw::deserialize(deserializer)? {
            Raw::Flag(flag) => Ok(Self::Flag(flag)),
            Raw::Text(text) => text.parse().map_err(de::Error::custom),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// P3: each form of expectation, held against an unknown.
    #[test]
    fn unknown_meets_no_expectation() {
        for text in ["<= 10s", "all", ">= 0", "yes", "no", "standby", "unknown"] {
            assert!(!text.parse::<Expectation>().unwrap().is_met_by(&Fact::Unknown), "{text}");
        }
    }

    #[test]
    fn ten_seconds_are_at_most_ten_but_not_below_ten() {
        let lag = Fact::Time(Duration::from_secs(10));
        assert!("<= 10s".parse::<Expectation>().unwrap().is_met_by(&lag));
        assert!(!"< 10s".parse::<Expectation>().unwrap().is_met_by(&lag));
    }

    #[test]
    fn all_of_none_is_not_all() {
        assert!(!Expectation::All.is_met_by(&Fact::Part { is: 0, of: 0 }));
    }

    #[test]
    fn a_count_is_held_against_its_whole_or_against_the_least_that_is_wanted() {
        let met = |text: &str, is| text.parse::<Expectation>().unwrap().is_met_by(&Fact::Part { is, of: 3 });
        assert!(met("all", 3) && !met("all", 2));
        assert!(met(">= 2", 2) && met(">= 2", 3) && !met(">= 2", 1));
    }

    #[test]
    fn yes_is_met_by_yes_alone_and_no_by_no() {
        for (text, expected) in [("yes", true), ("no", false)] {
            let expectation: Expectation = text.parse().unwrap();
            assert!(expectation.is_met_by(&Fact::Flag(expected)), "{text}");
            assert!(!expectation.is_met_by(&Fact::Flag(!expected)), "{text}");
        }
    }
}
