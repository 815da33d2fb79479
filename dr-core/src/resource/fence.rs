//! Something that can be kept from writing, with proof.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::at::{At, Roles, source};
use super::call::{Call, Class};
use super::cx::Cx;
use super::position::Position;
use crate::error::Result;
use crate::ids::Side;
use crate::time::{Timestamp, human, show_duration};

/// Makes a side accept no more writes. It succeeds with a proof, or fails: `Refused`, `Hung`, `Unreachable`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fence {
    /// Which side. Default: the source.
    #[serde(default = "source", rename = "in")]
    pub side: At,
    /// When the silence of the side may stand for a fence, in an unplanned run. Default: never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when_unreachable: Option<SilencePolicy>,
    /// A guard's patience: while the side cannot be reached, wait for its return and fence it then.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub await_return: bool,
}

/// Under what conditions silence is accepted in place of a fence. Any sign of life vetoes it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SilencePolicy {
    /// After how much unbroken silence, as every vantage point saw it.
    #[serde(with = "human")]
    pub accept_after: Duration,
    /// How many probers outside the side must agree; at least one on the target and one outside both.
    #[serde(default = "two")]
    pub vantage_points: u32,
}

/// How a side is kept from writing, strongest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FenceHow {
    /// It is down, and barred from starting as a writer.
    StoppedAndBarred,
    /// Nobody can log in, tried as the application's own role, and nobody is left inside.
    NoLogin,
    /// Cut off at its own edge, for writers inside the region too, after an inner session was seen to die.
    CutOff,
    /// A lease that the node itself enforces.
    Lease,
    /// The writers themselves are gone and none can start. It fences what runs there, not the store behind it.
    NoWriters,
}

impl fmt::Display for FenceHow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::StoppedAndBarred => "stopped and barred from starting",
            Self::NoLogin => "no login possible and none left",
            Self::CutOff => "cut off at its edge",
            Self::Lease => "its lease has ended",
            Self::NoWriters => "no writer runs there and none can start",
        })
    }
}

/// Proof that a side accepts no more writes. Taken anew inside a promotion, never reused after a resume.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct FenceProof {
    /// The fenced side.
    pub side: Side,
    /// How.
    pub how: FenceHow,
    /// The end of its log, if the fence fixes it: behind it nothing can be acknowledged any more.
    pub position: Option<Position>,
    /// Since when.
    pub since: Timestamp,
    /// Whether it holds when the node starts again.
    pub survives_restart: bool,
    /// Whether it holds when the node is rewound.
    pub survives_rewind: bool,
}

impl FenceProof {
    /// A proof that promises nothing beyond this moment.
    pub fn new(side: Side, how: FenceHow, since: Timestamp) -> Self {
        Self { side, how, position: None, since, survives_restart: false, survives_rewind: false }
    }

    /// The end of its log.
    #[must_use]
    pub fn at(mut self, position: Option<Position>) -> Self {
        self.position = position;
        self
    }

    /// What it survives.
    #[must_use]
    pub fn surviving(mut self, restart: bool, rewind: bool) -> Self {
        self.survives_restart = restart;
        self.survives_rewind = rewind;
        self
    }
}

/// Silence that was accepted in place of a fence.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Risk {
    /// The silent side.
    pub side: Side,
    /// Since when every vantage point hears nothing.
    pub silent_since: Timestamp,
    /// When it was accepted.
    pub accepted: Timestamp,
    /// Who hears nothing: the probers' names.
    pub vantage_points: Vec<String>,
}

/// What a fence step left.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "fence")]
pub enum FenceOutcome {
    /// With proof.
    Confirmed(FenceProof),
    /// Without: silence was accepted, as the plan allows. Only the core says this, never a backend.
    Accepted(Risk),
}

impl fmt::Display for FenceOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Confirmed(proof) => write!(f, "{} is fenced: {}", proof.side, proof.how),
            Self::Accepted(risk) => write!(
                f,
                "{} is NOT fenced: its silence of {} was accepted, as seen by {}",
                risk.side,
                show_duration(risk.accepted.since(risk.silent_since)),
                risk.vantage_points.join(" and ")
            ),
        }
    }
}

/// Whether a side can write, looked at now.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum Fencing {
    /// It cannot.
    Confirmed(FenceProof),
    /// It can, or could again by itself.
    Open {
        /// Why it is not fenced.
        why: String,
    },
    /// It accepts connections and never answers: alive until proven otherwise.
    Hung,
    /// Silence. No proof of anything.
    Unreachable,
    /// It could not be learnt.
    Unknown {
        /// Why.
        why: String,
    },
}

/// The word on whether a fence holds.
#[async_trait]
pub trait Holds: fmt::Debug + Send + Sync {
    /// Looks now, and changes nothing. A setting that a session can change is never `Confirmed`, nor is a fence that a
    /// restart would lift. A side that is a copy has no fence of its own: it is `Open`, for it can be promoted. Silence and
    /// a hang may be told as [`Fencing`] or as errors of these kinds.
    async fn holds(&self, cx: &Cx, side: &Side) -> Result<Fencing>;
}

impl Call for Fence {
    const VERB: &'static str = "fence";
    type Outcome = FenceOutcome;

    fn class(&self) -> Class {
        Class::Fence
    }

    fn aim(&mut self, roles: &Roles) {
        self.side.aim(roles);
    }
}

/// Lets a fenced side write again. It makes a side writable, so its intent is a point of no return too.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Unfence {
    /// Which side. Default: the source.
    #[serde(default = "source", rename = "in")]
    pub side: At,
}

/// What an unfence left.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Unfenced {
    /// The side that accepts writes again.
    pub side: Side,
}

impl fmt::Display for Unfenced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} accepts writes again", self.side)
    }
}

impl Call for Unfence {
    const VERB: &'static str = "unfence";
    type Outcome = Unfenced;

    fn class(&self) -> Class {
        Class::PointOfNoReturn
    }

    fn aim(&mut self, roles: &Roles) {
        self.side.aim(roles);
    }
}

fn two() -> u32 {
    2
}
