//! Where callers are sent.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, de};

use super::at::{At, Roles, target};
use super::call::{Call, Class};
use super::observe::{Fact, Facts, Observation};

use crate::ids::{ResourceName, Side};
use crate::time::{Timestamp, human, human_option, show_duration};

/// Where callers are sent, as those who answer for it say.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Routing {
    /// When the looking ended.
    pub at: Timestamp,
    /// The name that callers use.
    pub name: String,
    /// How long a caller may remember an answer. `None`: unknown.
    #[serde(default, with = "human_option")]
    pub ttl: Option<Duration>,
    /// Every server that answers for the name.
    pub answers: Vec<ServerAnswer>,
    /// Things that could move callers by themselves: a health check, a failover record.
    pub automatisms: Vec<String>,
    /// Which share of the callers each side gets, where shares are kept; empty where it is all or nothing.
    #[serde(default)]
    pub shares: BTreeMap<Side, Share>,
}

/// One server's answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerAnswer {
    /// The server's address.
    pub server: String,
    /// What it answers; `None` if it does not.
    pub values: Option<Vec<String>>,
    /// The side whose values these are; `None` if they are nobody's or mixed.
    pub side: Option<Side>,
}

impl Routing {
    /// An observation that ended at `at`.
    pub fn new(
        at: Timestamp,
        name: impl Into<String>,
        ttl: Option<Duration>,
        answers: Vec<ServerAnswer>,
    ) -> Self {
        Self { at, name: name.into(), ttl, answers, automatisms: Vec::new(), shares: BTreeMap::new() }
    }

    /// Which share of the callers each side gets.
    #[must_use]
    pub fn sharing(mut self, shares: BTreeMap<Side, Share>) -> Self {
        self.shares = shares;
        self
    }

    /// What could move callers by itself.
    #[must_use]
    pub fn with_automatisms(mut self, automatisms: Vec<String>) -> Self {
        self.automatisms = automatisms;
        self
    }

    /// The side that every answering server names, if there is one and at least one answers.
    pub fn side(&self) -> Option<&Side> {
        let mut sides =
            self.answers.iter().filter(|answer| answer.values.is_some()).map(|answer| answer.side.as_ref());
        let first = sides.next()??;
        sides.all(|side| side == Some(first)).then_some(first)
    }
}

impl Observation for Routing {
    const GROUP: &'static str = "routing";

    fn facts(&self) -> Facts {
        Facts::from([
            ("side".to_owned(), self.side().map_or(Fact::Unknown, |side| Fact::Word(side.to_string()))),
            ("ttl".to_owned(), Fact::from(self.ttl)),
            ("pinned".to_owned(), Fact::Flag(self.automatisms.is_empty())),
        ])
    }

    fn facts_by_side(&self) -> BTreeMap<Side, Facts> {
        let here = self.side();
        self.answers
            .iter()
            .filter_map(|answer| answer.side.clone())
            .map(|side| {
                let routed = Fact::from(here.map(|here| *here == side));
                (side, Facts::from([("routed".to_owned(), routed)]))
            })
            .collect()
    }
}

impl fmt::Display for Routing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:<32} {:<24} {:<24} {:<16} TTL", "NAME", "SERVER", "ANSWERS", "SIDE")?;
        for answer in &self.answers {
            writeln!(
                f,
                "{:<32} {:<24} {:<24} {:<16} {}",
                self.name,
                answer.server,
                answer.values.as_ref().map_or("no answer".to_owned(), |values| values.join(",")),
                answer.side.as_ref().map_or("-", Side::as_str),
                self.ttl.map_or("unknown".to_owned(), show_duration)
            )?;
        }
        Ok(())
    }
}

/// Sends callers to a side, all of them or a share, and returns when those who answer for the name say so.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Route {
    /// Where to. Default: the target.
    #[serde(default = "target")]
    pub to: At,
    /// Which share of the callers. Default: all.
    #[serde(default)]
    pub share: Share,
    /// For how long the gate has to see good answers before the step has succeeded. The core asks it.
    #[serde(default, with = "human")]
    pub bake: Duration,
    /// The resource that is asked meanwhile. A bad answer takes the callers back to the last good step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gate: Option<ResourceName>,
    /// Why a share of the callers on each side makes no second writer. Needed for any share but all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub serving: Option<Serving>,
    /// The resource that knows the address, instead of the plan. The core asks it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address_from: Option<ResourceName>,
    /// The address as that resource said it in this very attempt; a backend uses it in place of its own. Never read
    /// from a plan or a journal.
    #[serde(skip)]
    pub values: Option<Vec<String>>,
}

impl Route {
    /// All callers, to a side.
    pub fn to(side: impl Into<Side>) -> Self {
        Self {
            to: At::Named(side.into()),
            share: Share::ALL,
            bake: Duration::ZERO,
            gate: None,
            serving: None,
            address_from: None,
            values: None,
        }
    }

    /// A share of them.
    #[must_use]
    pub fn sharing(mut self, share: Share) -> Self {
        self.share = share;
        self
    }
}

/// A share of the callers, in whole percent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Share(u8);

impl Share {
    /// All of them.
    pub const ALL: Self = Self(100);
    /// None of them.
    pub const NONE: Self = Self(0);

    /// That many percent; `None` above a hundred.
    pub fn of_percent(percent: u8) -> Option<Self> {
        (percent <= 100).then_some(Self(percent))
    }

    /// In percent.
    pub fn percent(self) -> u8 {
        self.0
    }

    /// What the others get.
    #[must_use]
    pub fn rest(self) -> Self {
        Self(100 - self.0)
    }
}

impl Default for Share {
    fn default() -> Self {
        Self::ALL
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} %", self.0)
    }
}

impl<'de> Deserialize<'de> for Share {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Raw {
            Number(u64),
            Text(String),
        }
        let (read, told) = match Raw::deserialize(deserializer)? {
            Raw::Number(number) => (u8::try_from(number).ok(), number.to_string()),
            Raw::Text(text) => (text.trim_end_matches('%').trim().parse().ok(), text),
        };
        read.and_then(Self::of_percent)
            .ok_or_else(|| de::Error::custom(format!("`{told}` is no share: write whole percent, 10 or 10%")))
    }
}

/// Why callers on both sides make no second writer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Serving {
    /// The callers that are shared out only read.
    Reads,
    /// Both sides' services write to the one writer.
    OneWriter,
}

/// How far it could be seen that callers follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Propagation {
    /// Every authoritative server answers so.
    Answers,
    /// The service itself was seen to answer from there.
    ServedBy,
    /// Nothing shows it: a proxied name answers with the proxy.
    Unobservable,
}

/// What a route left.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Routed {
    /// Where callers are sent now.
    pub side: Side,
    /// How far that could be seen.
    pub propagation: Propagation,
    /// The last moment at which somebody could still be given the old answer.
    pub last_old_answer: Timestamp,
    /// How long after it a caller may still use it.
    #[serde(with = "human")]
    pub old_ttl: Duration,
    /// Which share of the callers the side gets now.
    #[serde(default)]
    pub share: Share,
}

impl Routed {
    /// From its parts.
    pub fn new(side: Side, propagation: Propagation, last_old_answer: Timestamp, old_ttl: Duration) -> Self {
        Self { side, propagation, last_old_answer, old_ttl, share: Share::ALL }
    }

    /// Only a share of the callers.
    #[must_use]
    pub fn sharing(mut self, share: Share) -> Self {
        self.share = share;
        self
    }
}

impl fmt::Display for Routed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seen = match self.propagation {
            Propagation::Answers => "every authoritative server answers so",
            Propagation::ServedBy => "seen in the service's answers",
            Propagation::Unobservable => "NOT observable",
        };
        if self.share == Share::ALL {
            f.write_str("callers are")?;
        } else {
            write!(f, "{} of the callers are", self.share)?;
        }
        write!(f, " sent to {} ({seen}; caches end in {})", self.side, show_duration(self.old_ttl))
    }
}

impl Call for Route {
    const VERB: &'static str = "route";
    type Outcome = Routed;

    fn class(&self) -> Class {
        Class::Reversible
    }

    fn aim(&mut self, roles: &Roles) {
        self.to.aim(roles);
    }
}
