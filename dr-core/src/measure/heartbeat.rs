//! What an always-on prober says of itself and of what it hears, for whoever has to decide later.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::ids::{ResourceName, Side};
use crate::resource::Reach;
use crate::time::{Timestamp, human};

/// The version of [`Heartbeat`]'s format. Adding is compatible.
pub const HEARTBEAT_FORMAT: u32 = 1;

/// How many intervals a heartbeat counts for.
pub(super) const FRESH_FOR: u32 = 3;

/// One prober's latest word, replaced at each interval.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Heartbeat {
    /// The format's version.
    pub v: u32,
    /// The prober's name, its own among all that watch the plan.
    pub name: String,
    /// The plan's name.
    pub plan: String,
    /// Where it sits.
    pub seat: Vantage,
    /// When it looked, on its own wall clock.
    pub at: Timestamp,
    /// How long it has been running.
    #[serde(with = "human")]
    pub since_begin: Duration,
    /// How often it looks.
    #[serde(with = "human")]
    pub interval: Duration,
    /// The outage that callers have now. The first probe's, if there are several.
    #[serde(default)]
    pub outage: Option<OutageNow>,
    /// What it hears of each side.
    pub sides: BTreeMap<Side, SideHeard>,
    /// When callers were last answered by each side, well or not.
    #[serde(default)]
    pub answered_by: BTreeMap<Side, Timestamp>,
}

/// Where a prober sits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Vantage {
    /// Outside every side.
    Outside,
    /// In the place where that side lives.
    At(Side),
}

/// An outage that lasts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutageNow {
    /// Which resource was asked.
    pub probe: ResourceName,
    /// When the first question that was not answered well was asked.
    pub since: Timestamp,
    /// When the last good answer before it was asked for: nobody asked in between. `None`: there was none.
    #[serde(default)]
    pub good_until: Option<Timestamp>,
    /// When enough in a row were not: the alarm. `None`: not yet.
    #[serde(default)]
    pub detected: Option<Timestamp>,
}

/// What is heard of one side.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SideHeard {
    /// The most alive of its nodes; `None`: it could not be learnt.
    #[serde(default)]
    pub reach: Option<Reach>,
    /// Since when each look heard nothing of it while it heard somebody else; `None`: it is heard, or the look failed.
    #[serde(default)]
    pub silent_since: Option<Timestamp>,
    /// When it was last heard, and how.
    #[serde(default)]
    pub last_sign_of_life: Option<SignOfLife>,
}

/// Something that a dead side does not do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignOfLife {
    /// When it was seen.
    pub at: Timestamp,
    /// What: `orders: db.us.internal:5432 answers`.
    pub what: String,
}

impl Heartbeat {
    /// Whether it still counts: not older than three intervals, and not from a clock that is further ahead than that.
    pub fn is_fresh(&self, now: Timestamp) -> bool {
        now.since(self.at) <= self.window() && self.at.since(now) <= self.window()
    }

    /// Whether something seen then is as good as seen with this heartbeat.
    pub(super) fn is_recent(&self, at: Timestamp) -> bool {
        self.at.since(at) <= self.window()
    }

    fn window(&self) -> Duration {
        self.interval.saturating_mul(FRESH_FOR)
    }
}

impl fmt::Display for Vantage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Outside => f.pad("outside"),
            Self::At(side) => side.fmt(f),
        }
    }
}

impl Serialize for Vantage {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Vantage {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(match String::deserialize(deserializer)?.as_str() {
            "outside" => Self::Outside,
            side => Self::At(Side::new(side)),
        })
    }
}
