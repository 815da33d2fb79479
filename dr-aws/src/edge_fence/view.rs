//! What there is of an edge: which groups are attached, who is behind them, when they last started.

use std::collections::BTreeSet;
use std::fmt;

use dr_core::Timestamp;
use dr_core::resource::Fencing;

use super::mark::Mark;
use crate::database::status::{Condition, Status};

/// A security group that is attached, or is being attached or taken off.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Group {
    pub(crate) id: String,
    /// RDS's word: `active`, `adding`, `removing`.
    pub(crate) state: String,
}

impl Group {
    /// From what RDS lists.
    pub(crate) fn read(groups: &[aws_sdk_rds::types::VpcSecurityGroupMembership]) -> Vec<Self> {
        let mut all: Vec<Self> = groups
            .iter()
            .filter_map(|group| {
                let id = group.vpc_security_group_id()?.to_owned();
                Some(Self { id, state: group.status().unwrap_or("unknown").to_owned() })
            })
            .collect();
        all.sort();
        all
    }
}

/// One server behind the edge.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Member {
    pub(crate) name: String,
    pub(crate) status: Status,
    /// When it was started anew, as its events say, oldest first.
    pub(crate) restarts: Vec<Timestamp>,
    /// When its security groups were changed, as its events say, oldest first.
    pub(crate) regrouped: Vec<Timestamp>,
}

/// The edge of one side, as it is now.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct EdgeView {
    /// What the groups are attached to: the instance, or the cluster.
    pub(crate) status: Status,
    pub(crate) groups: Vec<Group>,
    pub(crate) members: Vec<Member>,
    /// The fence's note; `Err` says why it cannot be read.
    pub(crate) mark: Result<Option<Mark>, String>,
    /// Ways in that pass by the security groups: `its Data API is on`.
    pub(crate) bypasses: Vec<String>,
}

/// What an edge's view proves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Proven {
    /// Only the fence's group is attached and active, and nobody who was inside before is left.
    Fenced {
        /// The last restart that ended the old sessions.
        since: Timestamp,
    },
    /// Not so.
    Open {
        /// Why.
        why: String,
    },
    /// It could not be learnt.
    Unknown {
        /// Why.
        why: String,
    },
}

impl EdgeView {
    /// The ids of the attached groups, whatever becomes of them.
    pub(crate) fn attached(&self) -> BTreeSet<&str> {
        self.groups.iter().map(|group| group.id.as_str()).collect()
    }

    /// Whether exactly these are attached and every one is active.
    pub(crate) fn has_only<'a>(&self, groups: impl IntoIterator<Item = &'a str>) -> bool {
        self.attached() == groups.into_iter().collect() && self.is_settled()
    }

    /// Whether no group is being attached or taken off.
    pub(crate) fn is_settled(&self) -> bool {
        self.groups.iter().all(|group| group.state == "active")
    }

    /// Whether `fence` keeps everybody out, as far as it can be known without asking EC2 what rules it has.
    pub(crate) fn proves(&self, fence: &str) -> Proven {
        let open = |why: String| Proven::Open { why };
        if !self.has_only([fence]) {
            return open(format!("its security groups are {}, not {fence} alone", self.told_groups()));
        }
        if let Some(way) = self.bypasses.first() {
            return open(format!("{way}, which passes by its security groups"));
        }
        let cut = match &self.mark {
            Err(why) => return Proven::Unknown { why: why.clone() },
            Ok(Some(Mark { cut: Some(cut), .. })) => *cut,
            Ok(Some(Mark { cut: None, .. })) | Ok(None) => {
                return open("since when its sessions are cut is not noted on it".to_owned());
            }
        };
        if self.members.is_empty() {
            return Proven::Unknown { why: "no server of it is known".to_owned() };
        }
        let mut since = cut;
        for member in &self.members {
            match member.inside(cut) {
                Proven::Fenced { since: ended } => since = since.max(ended),
                not @ (Proven::Open { .. } | Proven::Unknown { .. }) => return not,
            }
        }
        Proven::Fenced { since }
    }

    /// The attached groups, for people.
    pub(crate) fn told_groups(&self) -> String {
        if self.groups.is_empty() {
            return "none".to_owned();
        }
        self.groups.iter().map(Group::to_string).collect::<Vec<_>>().join(" and ")
    }
}

impl Member {
    /// Whether a session that was open at `cut` may live still. Security groups do not cut tracked connections:
    /// <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/security-group-connection-tracking.html>
    fn inside(&self, cut: Timestamp) -> Proven {
        if let Some(at) = self.regrouped.iter().find(|at| **at > cut) {
            return Proven::Open {
                why: format!("the security groups of {} were changed at {at}", self.name),
            };
        }
        match self.status.condition() {
            Condition::Stopped => return Proven::Fenced { since: cut },
            Condition::Serving => {}
            Condition::Changing | Condition::Broken | Condition::Unknown => {
                return Proven::Unknown { why: format!("{} is {}", self.name, self.status) };
            }
        }
        match self.restarts.iter().find(|at| **at > cut) {
            Some(since) => Proven::Fenced { since: *since },
            None => Proven::Open {
                why: format!(
                    "{} was not seen to start anew since {cut}: sessions from before may live in it",
                    self.name
                ),
            },
        }
    }
}

impl fmt::Display for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.id)?;
        if self.state == "active" { Ok(()) } else { write!(f, " ({})", self.state) }
    }
}

impl Proven {
    /// For [`dr_core::resource::Holds`].
    pub(crate) fn to_fencing(&self, side: &dr_core::Side) -> Fencing {
        match self {
            Self::Fenced { since } => Fencing::Confirmed(super::proof(side, *since)),
            Self::Open { why } => Fencing::Open { why: why.clone() },
            Self::Unknown { why } => Fencing::Unknown { why: why.clone() },
        }
    }
}
