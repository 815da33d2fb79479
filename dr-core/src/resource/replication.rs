//! What a replicated store is like now: every node of every side, as it is and not as the plan says it should be.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::observe::{Fact, Facts, Observation};
use super::position::{Position, TimelineSwitch};
use crate::ids::Side;
use crate::time::{Timestamp, show_duration};

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
    /// Whether a plain session could write now: a primary's under a fence cannot. After a promotion only the new writer's
    /// side may say `Some(true)`; more than one stops every run. `None`: unknown.
    pub writable: Option<bool>,
    /// The identity that copies of one another share (PostgreSQL: the system identifier). Before a promotion the two sides'
    /// are compared, where both are known; a promotion may change it.
    pub system: Option<String>,
    /// The history it is on. `None` where histories have no numbers: then `system` alone tells them apart.
    pub timeline: Option<u64>,
    /// Where it branched off from earlier histories, oldest first. Equal numbers with different histories are different.
    pub history: Vec<TimelineSwitch>,
    /// A primary's end of log; a standby's replayed position.
    pub position: Option<Position>,
    /// A standby's received position.
    pub received: Option<Position>,
    /// Whether a standby's receiver is connected and streaming now.
    pub receiving: Option<bool>,
    /// How far behind its primary it is. Idle and caught up is zero; unknown is `None`, never zero. Without a link, or without
    /// a primary that answers, it is unknown. Where a log is counted in bytes: a copy that has all that its primary had a
    /// moment ago is at most that moment behind.
    pub lag: Option<Duration>,
    /// Commit time of the last transaction that a standby replayed, on the clock of the primary that made it. It bounds what
    /// an unplanned promotion loses; without it that is unknown, and the plan has to accept it as such.
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

    /// The sides on which some node is known to take writes.
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
