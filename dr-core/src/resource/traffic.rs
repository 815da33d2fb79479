//! Where callers are sent.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::at::{At, Roles, target};
use super::call::{Call, Class};
use super::observe::{Fact, Facts, Observation};

use crate::ids::Side;
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
        Self { at, name: name.into(), ttl, answers, automatisms: Vec::new() }
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

/// Sends callers to a side, and returns when those who answer for the name say so.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Route {
    /// Where to. Default: the target.
    #[serde(default = "target")]
    pub to: At,
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
}

impl Routed {
    /// From its parts.
    pub fn new(side: Side, propagation: Propagation, last_old_answer: Timestamp, old_ttl: Duration) -> Self {
        Self { side, propagation, last_old_answer, old_ttl }
    }
}

impl fmt::Display for Routed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seen = match self.propagation {
            Propagation::Answers => "every authoritative server answers so",
            Propagation::ServedBy => "seen in the service's answers",
            Propagation::Unobservable => "NOT observable",
        };
        write!(f, "callers are sent to {} ({seen}; caches end in {})", self.side, show_duration(self.old_ttl))
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
