//! Is it healthy, as its callers would see it?

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::at::{At, Roles};
use super::call::{Call, Class};
use super::cx::Cx;
use super::effect::{Before, Diff, Effect, Prepared};
use crate::error::{Error, ErrorKind, Result};
use crate::ids::Side;
use crate::time::{human, show_duration};

/// How a caller holds on to what it knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SeatKind {
    /// Looks the name up as its cache allows, and connects anew each time.
    Caching,
    /// Keeps its connection until it breaks.
    Kept,
}

/// What to ask.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ask {
    /// A request that has to write to be answered well, not only to read.
    #[serde(default)]
    pub write: bool,
}

/// One answer, as a caller judges it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Answer {
    /// How it was.
    pub health: Health,
    /// Who answered, by a marker in the answer itself; `None`: it did not say, or nobody did.
    pub served_by: Option<Side>,
    /// Whether the service acknowledged a write.
    pub wrote: bool,
    /// How long it took.
    #[serde(with = "human")]
    pub took: Duration,
}

/// How an answer was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "health")]
pub enum Health {
    /// A good answer.
    Good,
    /// An answer that says that it is not well: `HTTP 503`.
    Bad {
        /// What it says.
        why: String,
    },
    /// No answer: refused, broken, name not found, or nothing in time.
    None {
        /// What was seen instead.
        why: String,
    },
}

impl Answer {
    /// A good answer.
    pub fn good(served_by: Option<Side>, wrote: bool, took: Duration) -> Self {
        Self { health: Health::Good, served_by, wrote, took }
    }

    /// A bad answer.
    pub fn bad(why: impl Into<String>, served_by: Option<Side>, took: Duration) -> Self {
        Self { health: Health::Bad { why: why.into() }, served_by, wrote: false, took }
    }

    /// No answer.
    pub fn none(why: impl Into<String>, took: Duration) -> Self {
        Self { health: Health::None { why: why.into() }, served_by: None, wrote: false, took }
    }

    /// Whether it is good.
    pub fn is_good(&self) -> bool {
        self.health == Health::Good
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.health {
            Health::Good => f.write_str("a good answer")?,
            Health::Bad { why } => write!(f, "a bad answer ({why})")?,
            Health::None { why } => write!(f, "no answer ({why})")?,
        }
        match &self.served_by {
            Some(side) => write!(f, " from {side}"),
            None => Ok(()),
        }
    }
}

/// Something that can be asked as its callers ask it.
pub trait Prober: fmt::Debug + Send + Sync {
    /// A caller of that kind. Cheap; connects when it first asks.
    fn seat(&self, kind: SeatKind) -> Box<dyn Seat>;
}

/// One caller.
#[async_trait]
pub trait Seat: fmt::Debug + Send {
    /// Asks once, through the name and the path that callers use. Never fails: silence is an answer too. Returns
    /// within `within`; after a failure a kept connection is opened anew by the next question.
    async fn ask(&mut self, ask: Ask, within: Duration) -> Answer;
}

/// Asks until the service has been healthy for a while.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Probe {
    /// Who must answer. Default: anybody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub served_by: Option<At>,
    /// Whether it must acknowledge a write.
    #[serde(default)]
    pub write: bool,
    /// For how long every answer must be good. Default: one answer.
    #[serde(default, with = "human")]
    pub healthy_for: Duration,
}

impl Call for Probe {
    const VERB: &'static str = "probe";
    type Outcome = Probed;

    fn class(&self) -> Class {
        if self.write { Class::Irreversible } else { Class::Read }
    }

    fn aim(&mut self, roles: &Roles) {
        if let Some(side) = &mut self.served_by {
            side.aim(roles);
        }
    }
}

/// What a probe saw.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Probed {
    /// How many answers in a row were good.
    pub answers: u64,
    /// For how long.
    #[serde(with = "human")]
    pub healthy_for: Duration,
    /// Who answered last.
    pub served_by: Option<Side>,
    /// Whether each acknowledged a write.
    pub wrote: bool,
}

impl fmt::Display for Probed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} good answers", self.answers)?;
        if self.wrote {
            f.write_str(" to writes")?;
        }
        if let Some(side) = &self.served_by {
            write!(f, " from {side}")?;
        }
        write!(f, " over {}", show_duration(self.healthy_for))
    }
}

const ASK_EVERY: Duration = Duration::from_millis(100);
const ANSWER_WITHIN: Duration = Duration::from_secs(2);

/// The verb `probe` over any [`Prober`].
#[derive(Debug)]
pub(super) struct ProbeEffect {
    prober: Arc<dyn Prober>,
}

impl ProbeEffect {
    pub(super) fn new(prober: Arc<dyn Prober>) -> Self {
        Self { prober }
    }

    fn accepts(call: &Probe, answer: &Answer) -> Result<bool> {
        let served = match &call.served_by {
            Some(side) => answer.served_by.as_ref() == Some(side.side()?),
            None => true,
        };
        Ok(answer.is_good() && served && (answer.wrote || !call.write))
    }
}

#[async_trait]
impl Effect<Probe> for ProbeEffect {
    /// One question, without a write.
    async fn prepare(&self, cx: &Cx, call: &Probe) -> Result<Prepared> {
        let read = Probe { write: false, ..call.clone() };
        let answer =
            self.prober.seat(SeatKind::Caching).ask(Ask { write: false }, cx.left().min(ANSWER_WITHIN)).await;
        if call.healthy_for.is_zero() && !call.write && Self::accepts(&read, &answer)? {
            return Ok(Prepared::already(Before::nothing()));
        }
        let wanted = match &call.served_by {
            Some(side) => format!("good answers from {side}"),
            None => "good answers".to_owned(),
        };
        Ok(Prepared::would(Diff::one("callers see", answer.to_string(), wanted), Before::nothing()))
    }

    async fn apply(&self, cx: &Cx, call: &Probe, _was: &Prepared) -> Result<Probed> {
        let mut seat = self.prober.seat(SeatKind::Caching);
        let mut good: Option<(Instant, u64)> = None;
        loop {
            let asked = Instant::now();
            let answer = seat.ask(Ask { write: call.write }, cx.left().min(ANSWER_WITHIN)).await;
            if Self::accepts(call, &answer)? {
                let (since, count) = good.map_or((asked, 1), |(since, count)| (since, count + 1));
                good = Some((since, count));
                if since.elapsed() >= call.healthy_for {
                    return Ok(Probed {
                        answers: count,
                        healthy_for: since.elapsed(),
                        served_by: answer.served_by,
                        wrote: answer.wrote,
                    });
                }
            } else {
                good = None;
                cx.progress.say(format!("callers see {answer}"));
            }
            if cx.left() <= ASK_EVERY || cx.cancel.is_cancelled() {
                let error = Error::new(ErrorKind::NotReady, format!("callers see {answer}")).during("probe");
                return Err(if call.write { error } else { error.not_happened() });
            }
            tokio::time::sleep(ASK_EVERY.saturating_sub(asked.elapsed())).await;
        }
    }

    /// The row that it wrote is the prober's own and stays.
    async fn undo(&self, _cx: &Cx, _call: &Probe, _was: &Before) -> Result<()> {
        Ok(())
    }
}
