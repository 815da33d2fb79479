//! A cluster in one region.

use std::collections::BTreeMap;

use dr_core::Timestamp;

use crate::place::Place;
use crate::rds::{Entry, GroupState, StoreKey};
use crate::wire::{ApiError, Node};
use crate::world::World;

/// States: <https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/accessing-monitoring.html>.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ClusterStatus {
    Creating,
    Available,
    FailingOver,
    SwitchingOver,
    Promoting,
}

impl ClusterStatus {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Creating => "creating",
            Self::Available => "available",
            Self::FailingOver => "failing-over",
            Self::SwitchingOver => "switching-over",
            Self::Promoting => "promoting",
        }
    }
}

/// A cluster.
#[derive(Debug, Clone)]
pub(crate) struct Cluster {
    pub(crate) place: Place,
    pub(crate) id: String,
    pub(crate) resource_id: String,
    pub(crate) engine: String,
    pub(crate) version: String,
    pub(crate) user: String,
    pub(crate) database: Option<String>,
    pub(crate) status: ClusterStatus,
    pub(crate) created: Timestamp,
    pub(crate) groups: BTreeMap<String, GroupState>,
    pub(crate) retention: i64,
    pub(crate) protected: bool,
    /// The instance that writes, if this cluster writes at all.
    pub(crate) writer: Option<String>,
    pub(crate) global: Option<String>,
    pub(crate) forwards_writes: bool,
    pub(crate) tags: BTreeMap<String, String>,
    /// Rows that only this cluster had when another one was put in its place.
    pub(crate) orphans: Vec<Entry>,
}

impl Cluster {
    pub(crate) fn arn(&self) -> String {
        self.place.arn("rds", &format!("cluster:{}", self.id))
    }

    pub(crate) fn store(&self) -> StoreKey {
        StoreKey::cluster(&self.place, &self.id)
    }

    /// Refused unless it is available.
    pub(super) fn must_be_available(&self) -> Result<(), ApiError> {
        if self.status == ClusterStatus::Available {
            return Ok(());
        }
        Err(invalid_state(format!("DBCluster {} is not in available state.", self.id)))
    }

    fn endpoint(&self, kind: &str) -> String {
        let hash = self.resource_id.chars().rev().take(12).collect::<String>().to_lowercase();
        format!("{}.{kind}-{hash}.{}.rds.amazonaws.com", self.id, self.place.region)
    }

    /// As the API shows it.
    pub(crate) fn node(&self, world: &World) -> Node {
        let instances = world.rds.get(&self.place).into_iter().flat_map(|rds| rds.instances.values());
        let members =
            instances.filter(|instance| instance.cluster.as_deref() == Some(&self.id)).map(|instance| {
                Node::map()
                    .put("DBInstanceIdentifier", &instance.id)
                    .put("IsClusterWriter", self.writer.as_deref() == Some(&instance.id))
                    .put("DBClusterParameterGroupStatus", "in-sync")
                    .put("PromotionTier", 1_i64)
            });
        let groups = self
            .groups
            .iter()
            .map(|(id, state)| Node::map().put("VpcSecurityGroupId", id).put("Status", state.as_str()));
        let source = world
            .stores
            .get(&self.store())
            .and_then(|store| store.follow.as_ref())
            .map(|follow| follow.source.place.arn("rds", &format!("cluster:{}", follow.source.id)));
        let forwards = match (&self.global, &source, self.forwards_writes) {
            (Some(_), Some(_), true) => Some("enabled"),
            (Some(_), Some(_), false) => Some("disabled"),
            _ => None,
        };
        Node::map()
            .put("AllocatedStorage", 1_i64)
            .put("BackupRetentionPeriod", self.retention)
            .maybe("DatabaseName", self.database.as_deref())
            .put("DBClusterIdentifier", &self.id)
            .put("Status", self.status.as_str())
            .put("Endpoint", self.endpoint("cluster"))
            .put("ReaderEndpoint", self.endpoint("cluster-ro"))
            .put("MultiAZ", false)
            .put("Engine", &self.engine)
            .put("EngineVersion", &self.version)
            .put("Port", 5_432_i64)
            .put("MasterUsername", &self.user)
            .maybe("ReplicationSourceIdentifier", source)
            .put("DBClusterMembers", Node::list("DBClusterMember", members))
            .put("VpcSecurityGroups", Node::list("VpcSecurityGroupMembership", groups))
            .put("HostedZoneId", "Z2R2ITUGPM61AM")
            .put("StorageEncrypted", false)
            .put("DbClusterResourceId", &self.resource_id)
            .put("DBClusterArn", self.arn())
            .put("ClusterCreateTime", self.created)
            .put("EngineMode", "provisioned")
            .put("DeletionProtection", self.protected)
            .put("TagList", crate::rds::tags_node(&self.tags))
            .maybe("GlobalClusterIdentifier", self.global.as_deref())
            .maybe("GlobalWriteForwardingStatus", forwards)
            .put("GlobalWriteForwardingRequested", self.forwards_writes)
    }
}

pub(super) fn invalid_state(message: impl Into<String>) -> ApiError {
    ApiError::new(400, "InvalidDBClusterStateFault", message)
}

pub(super) fn not_found(id: &str) -> ApiError {
    ApiError::new(404, "DBClusterNotFoundFault", format!("DBCluster {id} not found."))
}

impl World {
    /// A cluster.
    pub(crate) fn cluster(&mut self, place: &Place, id: &str) -> Result<&mut Cluster, ApiError> {
        self.rds(place).clusters.get_mut(&id.to_lowercase()).ok_or_else(|| not_found(id))
    }
}
