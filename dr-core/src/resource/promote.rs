//! The verb `promote`: makes a side the writer.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::at::{At, Roles, target};
use super::call::{Call, Class};
use super::cx::{Cx, Urgency};
use super::fence::{FenceProof, Risk};
use super::position::Position;
use crate::ids::Side;
use crate::time::{Timestamp, human, show_duration};

/// Makes a side the writer.
///
/// Succeeded means: a row was written, committed and read back there through the address that callers use. A backend that
/// has no session with the store says instead whose word it rests on ([`Promotion::told_by`]).
/// Without a [`Basis`] every store refuses; the core fills it in just before each attempt, from fences that it has
/// confirmed anew, never from a plan or a journal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Promote {
    /// Which side. Default: the target.
    #[serde(default = "target", rename = "in")]
    pub side: At,
    /// What an unplanned run may lose.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accept_loss: Option<AcceptLoss>,
    /// How long an unplanned run with an answering source tries the planned proof first. Default: 10 s.
    #[serde(default = "ten_seconds", with = "human")]
    pub graceful_for: Duration,
    /// On what ground. Never read from a plan.
    #[serde(skip)]
    pub basis: Option<Basis>,
}

/// The loss that a plan accepts by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AcceptLoss {
    /// At most this much of the past.
    AtMost(Duration),
    /// Whatever it is. Never covered by `--yes`.
    Unknown,
}

/// On what ground a promotion is carried out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "basis")]
pub enum Basis {
    /// Every fence of the old writer is confirmed, and the store itself proves that nothing acknowledged is missing
    /// before it promotes; else it returns `NotReady`. It looks at the old writer itself for that: that `fences` are
    /// confirmed is no proof that the log has arrived. It need not wait, for it is asked again while there is time; a
    /// `NotReady` that is [`permanent`](crate::Error::permanent) says that the proof will never come, and an unplanned run
    /// goes on without it at once.
    Planned {
        /// The fences, confirmed in this attempt.
        fences: Vec<FenceProof>,
    },
    /// The old writer is fenced or its silence accepted; what is missing is bounded and accepted.
    Forced {
        /// The fences, confirmed in this attempt.
        fences: Vec<FenceProof>,
        /// The risk accepted where a fence could not be had.
        risk: Option<Risk>,
        /// What may be lost.
        loss: LossBound,
    },
}

/// What an unplanned promotion may lose.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "bound")]
pub enum LossBound {
    /// At most this much of the past: from the last commit that the target replayed to the outage's beginning.
    AtMost {
        /// The length, with its error.
        #[serde(with = "human")]
        time: Duration,
        /// What it was taken from.
        from: String,
    },
    /// There is no bound.
    Unknown {
        /// Why.
        why: String,
    },
}

impl Basis {
    /// The ground of a promotion that was over, or under way, when this attempt came to it. In a planned run every
    /// attempt before had the planned proof. In an unplanned one it may have gone without: what it took with it nobody
    /// remembers, and a proof that was not taken now is none.
    #[must_use]
    pub fn of_an_earlier_attempt(self, cx: &Cx) -> Self {
        match self {
            Self::Planned { fences } if cx.urgency == Urgency::Unplanned => Self::Forced {
                fences,
                risk: None,
                loss: LossBound::Unknown {
                    why: "it was asked to promote itself before this attempt could take the proof".to_owned(),
                },
            },
            basis @ (Self::Planned { .. } | Self::Forced { .. }) => basis,
        }
    }
}

/// What a promotion left.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Promotion {
    /// The side that is the writer now.
    pub side: Side,
    /// Its new history.
    pub timeline: Option<u64>,
    /// Where the new history began.
    pub position: Option<Position>,
    /// When the first row was committed and read back; where nobody read one, when the system said that it takes writes.
    pub first_write: Timestamp,
    /// Who said so, where no row was read back. The proof of it is then the `probe` with `write: true` behind it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub told_by: Option<String>,
    /// On what ground.
    pub basis: Basis,
}

impl Promotion {
    /// A promotion with its proof.
    pub fn new(side: Side, first_write: Timestamp, basis: Basis) -> Self {
        Self { side, timeline: None, position: None, first_write, told_by: None, basis }
    }

    /// Nobody read a row back: it rests on the word of that system.
    #[must_use]
    pub fn told_by(mut self, system: impl Into<String>) -> Self {
        self.told_by = Some(system.into());
        self
    }

    /// Where the new history began.
    #[must_use]
    pub fn on(mut self, timeline: Option<u64>, position: Option<Position>) -> Self {
        self.timeline = timeline;
        self.position = position;
        self
    }
}

impl fmt::Display for Promotion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is primary", self.side)?;
        if let Some(timeline) = self.timeline {
            write!(f, " on timeline {timeline}")?;
        }
        match &self.basis {
            Basis::Planned { .. } => f.write_str(", nothing lost")?,
            Basis::Forced { loss, .. } => write!(f, ", {loss}")?,
        }
        match &self.told_by {
            Some(system) => write!(f, "; so {system} says, no row was read back"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for LossBound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AtMost { time, .. } => write!(f, "may have lost up to {}", show_duration(*time)),
            Self::Unknown { why } => write!(f, "may have lost an unknown amount ({why})"),
        }
    }
}

impl Call for Promote {
    const VERB: &'static str = "promote";
    type Outcome = Promotion;

    fn class(&self) -> Class {
        Class::PointOfNoReturn
    }

    fn aim(&mut self, roles: &Roles) {
        self.side.aim(roles);
    }
}

impl Serialize for AcceptLoss {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::AtMost(time) => human::serialize(time, serializer),
            Self::Unknown => serializer.serialize_str("unknown"),
        }
    }
}

impl<'de> Deserialize<'de> for AcceptLoss {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text == "unknown" {
            return Ok(Self::Unknown);
        }
        crate::time::parse_duration(&text).map(Self::AtMost).map_err(de::Error::custom)
    }
}

fn ten_seconds() -> Duration {
    Duration::from_secs(10)
}
