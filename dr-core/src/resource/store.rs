//! Data with one writer at a time and a copy on another side.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::at::{At, Roles};
use super::call::{Call, Class};
use super::fence::{FenceProof, Risk};
use super::ledger::LedgerRow;
use super::observe::{Fact, Facts, Observation};
use crate::ids::Side;
use crate::time::{Timestamp, human, show_duration};

/// What there is: every node of every side, as it is and not as the plan says it should be.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Replication {
    /// When the looking ended.
    pub at: Timestamp,
    /// Each side with all its nodes.
    pub sides: BTreeMap<Side, SideState>,
}

/// One side of a store.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SideState {
    /// The local manager that may act by itself: `none`, `patroni`, `systemd`.
    pub manager: String,
    /// Every node that the plan lists for this side, in its order.
    pub nodes: Vec<NodeState>,
    /// Nodes seen replicating that the plan does not list. A neighbour that promotes itself is a second primary.
    pub strangers: Vec<String>,
}

/// One node, as far as it could be read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct NodeState {
    /// Its address as the plan lists it: `db.us.internal:5432`.
    pub node: String,
    /// Whether it answers.
    pub reach: Reach,
    /// What it is.
    pub role: Role,
    /// Whether a plain session could write now. `None`: unknown.
    pub writable: Option<bool>,
    /// The identity that copies of one another share (PostgreSQL: the system identifier).
    pub system: Option<String>,
    /// The history it is on.
    pub timeline: Option<u64>,
    /// Where it branched off from earlier histories, oldest first. Equal numbers with different histories are different.
    pub history: Vec<TimelineSwitch>,
    /// A primary's end of log; a standby's replayed position.
    pub position: Option<Position>,
    /// A standby's received position.
    pub received: Option<Position>,
    /// Whether a standby's receiver is connected and streaming now.
    pub receiving: Option<bool>,
    /// How far behind its primary it is. Idle and caught up is zero; unknown is `None`, never zero.
    pub lag: Option<Duration>,
    /// Commit time of the last transaction that a standby replayed, on the clock of the primary that made it.
    pub last_commit: Option<Timestamp>,
    /// What would hinder a promotion of this node or the service after it.
    pub hazards: Vec<Hazard>,
}

/// Whether something answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "reach")]
pub enum Reach {
    /// It answered.
    Answers,
    /// Its host answers, but nothing listens there: a reset, not silence.
    Closed,
    /// It accepts a connection and never answers. Alive until proven otherwise.
    Hung,
    /// Silence.
    Unreachable,
    /// It answered, and would not let us in.
    Denied,
}

/// What a node is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// It takes writes, or would.
    Primary,
    /// It applies another's.
    Standby,
    /// It is cleanly or uncleanly down, read from its own control and not guessed from silence.
    Stopped,
    /// Not known.
    Unknown,
}

/// A place in a store's log.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Position {
    /// Ordered within one history.
    pub ordinal: u64,
    /// As the store writes it: `0/3000148`.
    pub text: String,
}

/// Where a history branched off.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimelineSwitch {
    /// The history that ended here.
    pub timeline: u64,
    /// Where.
    pub at: Position,
}

/// Something that would hinder a promotion, or the service after it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hazard {
    /// A stable code: `inherited-synchronous-standby-names`.
    pub code: String,
    /// What is, and what to do about it.
    pub message: String,
    /// Whether preflight stops for it (an override names the code).
    pub blocks: bool,
}

impl Replication {
    /// An observation that ended at `at`.
    pub fn new(at: Timestamp, sides: BTreeMap<Side, SideState>) -> Self {
        Self { at, sides }
    }

    /// The sides on which some node is a primary or known to be writable.
    pub fn writable_sides(&self) -> Vec<&Side> {
        let writable = |node: &NodeState| node.writable == Some(true);
        self.sides
            .iter()
            .filter(|(_, state)| state.nodes.iter().any(writable))
            .map(|(side, _)| side)
            .collect()
    }

    /// The one node of a side that matters: its primary, else its most advanced standby, else the first.
    pub fn leader(&self, side: &Side) -> Option<&NodeState> {
        let nodes = &self.sides.get(side)?.nodes;
        nodes
            .iter()
            .find(|node| node.role == Role::Primary)
            .or_else(|| {
                nodes
                    .iter()
                    .filter(|node| node.role == Role::Standby)
                    .max_by_key(|node| node.position.as_ref().map(|at| at.ordinal))
            })
            .or_else(|| nodes.first())
    }
}

impl SideState {
    /// A side without a manager.
    pub fn new(nodes: Vec<NodeState>) -> Self {
        Self { manager: "none".to_owned(), nodes, strangers: Vec::new() }
    }

    /// The local manager.
    #[must_use]
    pub fn managed_by(mut self, manager: impl Into<String>) -> Self {
        self.manager = manager.into();
        self
    }

    /// Nodes that the plan does not list.
    #[must_use]
    pub fn with_strangers(mut self, strangers: Vec<String>) -> Self {
        self.strangers = strangers;
        self
    }
}

impl NodeState {
    /// A node of which nothing is known but whether it answers.
    pub fn new(node: impl Into<String>, reach: Reach) -> Self {
        Self {
            node: node.into(),
            reach,
            role: Role::Unknown,
            writable: None,
            system: None,
            timeline: None,
            history: Vec::new(),
            position: None,
            received: None,
            receiving: None,
            lag: None,
            last_commit: None,
            hazards: Vec::new(),
        }
    }
}

impl Observation for Replication {
    const GROUP: &'static str = "replication";

    fn facts(&self) -> Facts {
        let lags: Vec<Option<Duration>> = self
            .sides
            .values()
            .flat_map(|state| &state.nodes)
            .filter(|node| node.role == Role::Standby)
            .map(|node| node.lag)
            .collect();
        let worst =
            if lags.is_empty() || lags.contains(&None) { None } else { lags.into_iter().flatten().max() };
        Facts::from([("lag".to_owned(), Fact::from(worst))])
    }

    fn facts_by_side(&self) -> BTreeMap<Side, Facts> {
        self.sides
            .keys()
            .map(|side| {
                let leader = self.leader(side);
                let role = leader.map_or(Role::Unknown, |node| node.role);
                let facts = Facts::from([
                    ("lag".to_owned(), Fact::from(leader.and_then(|node| node.lag))),
                    (
                        "role".to_owned(),
                        if role == Role::Unknown { Fact::Unknown } else { Fact::Word(role.to_string()) },
                    ),
                    ("writable".to_owned(), Fact::from(leader.and_then(|node| node.writable))),
                    ("receiving".to_owned(), Fact::from(leader.and_then(|node| node.receiving))),
                ]);
                (side.clone(), facts)
            })
            .collect()
    }
}

impl fmt::Display for Replication {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{:<16} {:<24} {:<12} {:<8} {:<9} {:<16} LAG",
            "SIDE", "NODE", "REACH", "ROLE", "TIMELINE", "POSITION"
        )?;
        for (side, state) in &self.sides {
            for node in &state.nodes {
                writeln!(
                    f,
                    "{side:<16} {:<24} {:<12} {:<8} {:<9} {:<16} {}",
                    node.node,
                    node.reach.to_string(),
                    node.role.to_string(),
                    node.timeline.map_or("-".to_owned(), |timeline| timeline.to_string()),
                    node.position.as_ref().map_or("-", |position| &position.text),
                    match (node.role, node.lag) {
                        (Role::Standby, Some(lag)) => show_duration(lag),
                        (Role::Standby, None) => "unknown".to_owned(),
                        _ => "-".to_owned(),
                    }
                )?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for Reach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Answers => "answers",
            Self::Closed => "closed",
            Self::Hung => "hung",
            Self::Unreachable => "unreachable",
            Self::Denied => "denied",
        })
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Primary => "primary",
            Self::Standby => "standby",
            Self::Stopped => "stopped",
            Self::Unknown => "unknown",
        })
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

/// Makes a side the writer.
///
/// Succeeded means: a row was written, committed and read back there through the address that callers use.
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
    /// before it promotes; else it returns `NotReady`.
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
    /// When the first row was committed and read back.
    pub first_write: Timestamp,
    /// On what ground.
    pub basis: Basis,
}

impl Promotion {
    /// A promotion with its proof.
    pub fn new(side: Side, first_write: Timestamp, basis: Basis) -> Self {
        Self { side, timeline: None, position: None, first_write, basis }
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
            Basis::Planned { .. } => f.write_str(", nothing lost"),
            Basis::Forced { loss, .. } => write!(f, ", {loss}"),
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

/// Makes a side a copy of the current writer again.
///
/// The old data is kept until released by name; a half-rewound node is never started. Refused where histories fork
/// in a way that nobody decided about, with the fork point.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Follow {
    /// Which side becomes the copy. Default: the source.
    #[serde(default = "source", rename = "in")]
    pub side: At,
    /// Which side it copies. Default: the target.
    #[serde(default = "target")]
    pub of: At,
}

/// How a side became a copy again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FollowHow {
    /// It already was one.
    Already,
    /// Nothing diverged: it was started as a standby.
    Attached,
    /// Taken back to the fork.
    Rewound,
    /// Copied anew.
    Reseeded,
}

/// What a follow left.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Following {
    /// The copy.
    pub side: Side,
    /// How.
    pub how: FollowHow,
    /// Where the old data was kept, if it was.
    pub kept: Option<String>,
    /// What the old data had and the new writer has not.
    pub divergence: Option<Divergence>,
}

impl Following {
    /// A follow that kept nothing.
    pub fn new(side: Side, how: FollowHow) -> Self {
        Self { side, how, kept: None, divergence: None }
    }

    /// Where the old data is, and what it alone had.
    #[must_use]
    pub fn keeping(mut self, kept: Option<String>, divergence: Option<Divergence>) -> Self {
        self.kept = kept;
        self.divergence = divergence;
        self
    }
}

impl fmt::Display for Following {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let how = match self.how {
            FollowHow::Already => "follows already",
            FollowHow::Attached => "follows",
            FollowHow::Rewound => "was rewound and follows",
            FollowHow::Reseeded => "was copied anew and follows",
        };
        write!(f, "{} {how}", self.side)?;
        if let Some(divergence) = &self.divergence {
            write!(f, "; {divergence}")?;
        }
        if let Some(kept) = &self.kept {
            write!(f, "; old data kept in {kept}")?;
        }
        Ok(())
    }
}

/// What a diverged old writer had that the new one has not.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Divergence {
    /// Where the histories part.
    pub fork: Option<Position>,
    /// How much log lies behind the fork, in bytes.
    pub bytes: Option<u64>,
    /// The ledger rows that only the old writer has; `None` if they could not be read.
    pub rows: Option<Vec<LedgerRow>>,
}

impl Divergence {
    /// From its parts.
    pub fn new(fork: Option<Position>, bytes: Option<u64>, rows: Option<Vec<LedgerRow>>) -> Self {
        Self { fork, bytes, rows }
    }
}

impl fmt::Display for Divergence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.rows {
            Some(rows) => write!(f, "{} ledger rows only the old primary has", rows.len())?,
            None => f.write_str("an unknown number of rows only the old primary has")?,
        }
        if let Some(fork) = &self.fork {
            write!(f, ", forked at {fork}")?;
        }
        Ok(())
    }
}

impl Call for Follow {
    const VERB: &'static str = "follow";
    type Outcome = Following;

    fn class(&self) -> Class {
        Class::Irreversible
    }

    fn aim(&mut self, roles: &Roles) {
        self.side.aim(roles);
        self.of.aim(roles);
    }
}

/// Stops a copy from applying, at once: an accidental deletion must not arrive there.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pause {
    /// Which side. Default: the target.
    #[serde(default = "target", rename = "in")]
    pub side: At,
}

/// Lets a copy apply again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Unpause {
    /// Which side. Default: the target.
    #[serde(default = "target", rename = "in")]
    pub side: At,
}

/// Whether a copy applies.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Paused {
    /// The copy.
    pub side: Side,
    /// Whether it stands still now.
    pub paused: bool,
    /// Where it stands.
    pub position: Option<Position>,
}

impl fmt::Display for Paused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.side, if self.paused { "stands still" } else { "applies" })?;
        if let Some(position) = &self.position {
            write!(f, " at {position}")?;
        }
        Ok(())
    }
}

impl Call for Pause {
    const VERB: &'static str = "pause";
    type Outcome = Paused;

    fn class(&self) -> Class {
        Class::Reversible
    }

    fn aim(&mut self, roles: &Roles) {
        self.side.aim(roles);
    }
}

impl Call for Unpause {
    const VERB: &'static str = "unpause";
    type Outcome = Paused;

    fn class(&self) -> Class {
        Class::Reversible
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

pub(super) fn target() -> At {
    At::Target
}

pub(super) fn source() -> At {
    At::Source
}

fn ten_seconds() -> Duration {
    Duration::from_secs(10)
}
