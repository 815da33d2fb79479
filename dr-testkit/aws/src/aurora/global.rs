//! A global database.

use crate::place::Place;
use crate::rds::StoreKey;
use crate::wire::{ApiError, Node};
use crate::world::World;

use super::cluster::Cluster;

/// States: <https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_GlobalCluster.html>.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum GlobalStatus {
    Available,
    SwitchingOver,
    FailingOver,
}

impl GlobalStatus {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Available => "available",
            Self::SwitchingOver => "switching-over",
            Self::FailingOver => "failing-over",
        }
    }
}

/// A switch that is under way: <https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_FailoverState.html>.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failover {
    pub(crate) pending: bool,
    pub(crate) from: (Place, String),
    pub(crate) to: (Place, String),
    pub(crate) loses: bool,
}

/// A cluster of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Member {
    pub(crate) place: Place,
    pub(crate) id: String,
    pub(crate) writer: bool,
    /// Left behind by a failover and not yet a copy again.
    pub(crate) detached: bool,
}

impl Member {
    pub(crate) fn arn(&self) -> String {
        self.place.arn("rds", &format!("cluster:{}", self.id))
    }

    pub(crate) fn store(&self) -> StoreKey {
        StoreKey::cluster(&self.place, &self.id)
    }

    pub(crate) fn name(&self) -> (Place, String) {
        (self.place.clone(), self.id.clone())
    }
}

/// A global database.
#[derive(Debug, Clone)]
pub(crate) struct GlobalCluster {
    pub(crate) account: String,
    pub(crate) id: String,
    pub(crate) resource_id: String,
    pub(crate) engine: String,
    pub(crate) version: String,
    pub(crate) status: GlobalStatus,
    pub(crate) protected: bool,
    pub(crate) members: Vec<Member>,
    pub(crate) failover: Option<Failover>,
}

impl GlobalCluster {
    pub(crate) fn arn(&self) -> String {
        format!("arn:aws:rds::{}:global-cluster:{}", self.account, self.id)
    }

    pub(crate) fn writer(&self) -> Option<&Member> {
        self.members.iter().find(|member| member.writer)
    }

    /// Refused unless nothing is under way.
    pub(super) fn must_be_available(&self) -> Result<(), ApiError> {
        if self.status == GlobalStatus::Available {
            return Ok(());
        }
        Err(invalid_state(format!(
            "Global cluster {} is in an invalid state: {}. It must be available.",
            self.id,
            self.status.as_str()
        )))
    }

    /// As the API shows it.
    pub(crate) fn node(&self, world: &World) -> Node {
        let readers: Vec<String> =
            self.members.iter().filter(|member| !member.writer).map(Member::arn).collect();
        let members = self.members.iter().map(|member| {
            let cluster = world.rds.get(&member.place).and_then(|rds| rds.clusters.get(&member.id));
            let forwards = match cluster {
                _ if world.is_lost(&member.place.region) => "unknown",
                Some(cluster) if cluster.forwards_writes && !member.writer => "enabled",
                _ => "disabled",
            };
            let linked = world
                .stores
                .get(&member.store())
                .and_then(|store| store.follow.as_ref())
                .is_some_and(crate::rds::Follow::is_active);
            let node = Node::map().put("DBClusterArn", member.arn());
            let node = if member.writer {
                node.put("Readers", Node::list("member", readers.iter()))
            } else {
                node.put("Readers", Node::list("member", Vec::<Node>::new()))
                    .put("SynchronizationStatus", if linked { "connected" } else { "pending-resync" })
            };
            node.put("IsWriter", member.writer).put("GlobalWriteForwardingStatus", forwards)
        });
        let state = self.failover.as_ref().map(|failover| {
            let arn = |(place, id): &(Place, String)| place.arn("rds", &format!("cluster:{id}"));
            Node::map()
                .put("Status", if failover.pending { "pending" } else { "failing-over" })
                .put("FromDbClusterArn", arn(&failover.from))
                .put("ToDbClusterArn", arn(&failover.to))
                .put("IsDataLossAllowed", failover.loses)
        });
        let hash = self.resource_id.chars().rev().take(12).collect::<String>().to_lowercase();
        Node::map()
            .put("GlobalClusterIdentifier", &self.id)
            .put("GlobalClusterResourceId", &self.resource_id)
            .put("GlobalClusterArn", self.arn())
            .put("Status", self.status.as_str())
            .put("Engine", &self.engine)
            .put("EngineVersion", &self.version)
            .put("StorageEncrypted", false)
            .put("DeletionProtection", self.protected)
            .put("GlobalClusterMembers", Node::list("GlobalClusterMember", members))
            // The writer's name, whichever region it is in:
            // https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/aurora-global-database-connecting.html
            .put("Endpoint", format!("{}.global-{hash}.global.rds.amazonaws.com", self.id))
            .maybe("FailoverState", state)
    }
}

pub(super) fn invalid_state(message: impl Into<String>) -> ApiError {
    ApiError::new(400, "InvalidGlobalClusterStateFault", message)
}

impl World {
    /// A global database, which every region knows.
    pub(crate) fn global(&mut self, account: &str, id: &str) -> Result<&mut GlobalCluster, ApiError> {
        self.globals.get_mut(&(account.to_owned(), id.to_lowercase())).ok_or_else(|| {
            ApiError::new(404, "GlobalClusterNotFoundFault", format!("Global cluster {id} not found"))
        })
    }

    /// Takes a cluster in: the first one writes, the others copy it.
    pub(crate) fn join_global(&mut self, account: &str, id: &str, cluster: &Cluster) -> Result<(), ApiError> {
        let global = self.global(account, id)?;
        global.must_be_available()?;
        if global.members.iter().any(|member| member.place.region == cluster.place.region) {
            return Err(invalid_state(format!(
                "Global cluster {id} already has a cluster in region {}",
                cluster.place.region
            )));
        }
        let source = global.writer().map(Member::name);
        global.members.push(Member {
            place: cluster.place.clone(),
            id: cluster.id.clone(),
            writer: source.is_none(),
            detached: false,
        });
        self.cluster(&cluster.place, &cluster.id)?.global = Some(id.to_owned());
        if let Some((place, source)) = source {
            let source = self.cluster(&place, &source)?.clone();
            super::cluster_api::follow(self, cluster, &source);
        }
        Ok(())
    }
}
