//! A global database as RDS describes it.

use aws_sdk_rds::types::{GlobalCluster, GlobalClusterMember};
use dr_core::{Error, ErrorKind, Result};

use crate::database::arn::Arn;
use crate::database::status::Status;

/// A global database.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Global {
    /// What every copy shares: its own id.
    pub(super) id: String,
    pub(super) status: Status,
    pub(super) members: Vec<Member>,
    /// A switch that is asked for or under way.
    pub(super) switch: Option<Switch>,
}

/// One of its clusters.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Member {
    pub(super) cluster: Arn,
    pub(super) writer: bool,
    /// Whether sessions here can write in the writer's region; unless RDS says `disabled`, they may.
    pub(super) forwards: bool,
    /// RDS's word: `connected`, `pending-resync`.
    pub(super) synchronization: Option<String>,
}

/// A switch from one cluster to another.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Switch {
    /// RDS's word: `pending`, `switching-over`, `failing-over`, `cancelling`.
    pub(super) state: String,
    pub(super) to: Option<Arn>,
}

impl Global {
    /// From RDS's description.
    ///
    /// # Errors
    /// `Unknown` if what everything else hangs on is missing.
    pub(super) fn read(of: &GlobalCluster) -> Result<Self> {
        let missing = |what: &str| {
            Error::new(ErrorKind::Unknown, format!("RDS describes a global database without its {what}"))
        };
        let members = of.global_cluster_members().iter().map(Member::read).collect::<Option<Vec<Member>>>();
        Ok(Self {
            id: of.global_cluster_resource_id().ok_or_else(|| missing("id"))?.to_owned(),
            status: Status::new(of.status().ok_or_else(|| missing("status"))?),
            members: members.ok_or_else(|| missing("clusters' names"))?,
            switch: of.failover_state().and_then(|state| {
                // "Empty unless a switchover or failover operation is scheduled or in progress".
                let word = state.status()?.as_str().to_owned();
                Some(Switch { state: word, to: state.to_db_cluster_arn().and_then(Arn::parse) })
            }),
        })
    }

    /// The one cluster that takes writes; `None`: none, or several.
    pub(super) fn writer(&self) -> Option<&Member> {
        let mut writers = self.members.iter().filter(|member| member.writer);
        writers.next().filter(|_| writers.next().is_none())
    }

    pub(super) fn member(&self, cluster: &Arn) -> Option<&Member> {
        self.members.iter().find(|member| member.cluster == *cluster)
    }

    /// What is going on, if something is.
    pub(super) fn under_way(&self) -> Option<String> {
        match &self.switch {
            Some(Switch { state, to: Some(to) }) => Some(format!("a switch to {} is {state}", to.name)),
            Some(Switch { state, to: None }) => Some(format!("a switch is {state}")),
            None if self.status.is_available() => None,
            None => Some(format!("the global database is {}", self.status)),
        }
    }

    /// Whether a switch to that cluster is asked for or under way.
    pub(super) fn switches_to(&self, cluster: &Arn) -> bool {
        self.switch
            .as_ref()
            .is_some_and(|switch| switch.state != "cancelling" && switch.to.as_ref() == Some(cluster))
    }
}

impl Member {
    fn read(of: &GlobalClusterMember) -> Option<Self> {
        Some(Self {
            cluster: of.db_cluster_arn().and_then(Arn::parse)?,
            writer: of.is_writer() == Some(true),
            forwards: of.global_write_forwarding_status().is_some_and(|status| status.as_str() != "disabled"),
            synchronization: of.synchronization_status().map(|status| status.as_str().to_owned()),
        })
    }
}
