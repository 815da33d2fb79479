//! A DB instance.

use std::collections::BTreeMap;

use dr_core::Timestamp;

use super::store::StoreKey;
use crate::place::Place;
use crate::wire::{ApiError, Node};

/// States of an instance: <https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/accessing-monitoring.html>.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Status {
    Creating,
    BackingUp,
    Available,
    Modifying,
    Rebooting,
    Renaming,
    Stopping,
    Stopped,
    Starting,
    Deleting,
}

impl Status {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Creating => "creating",
            Self::BackingUp => "backing-up",
            Self::Available => "available",
            Self::Modifying => "modifying",
            Self::Rebooting => "rebooting",
            Self::Renaming => "renaming",
            Self::Stopping => "stopping",
            Self::Stopped => "stopped",
            Self::Starting => "starting",
            Self::Deleting => "deleting",
        }
    }

    /// Whether the database in it runs.
    pub(crate) const fn is_up(self) -> bool {
        match self {
            Self::Available | Self::BackingUp | Self::Modifying => true,
            Self::Creating
            | Self::Rebooting
            | Self::Renaming
            | Self::Stopping
            | Self::Stopped
            | Self::Starting
            | Self::Deleting => false,
        }
    }
}

/// How far a security group has come to an instance, or from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum GroupState {
    Adding,
    Active,
    Removing,
}

impl GroupState {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Adding => "adding",
            Self::Active => "active",
            Self::Removing => "removing",
        }
    }
}

/// An instance.
#[derive(Debug, Clone)]
pub(crate) struct Instance {
    pub(crate) place: Place,
    pub(crate) id: String,
    pub(crate) resource_id: String,
    pub(crate) class: String,
    pub(crate) engine: String,
    pub(crate) version: String,
    pub(crate) user: String,
    pub(crate) database: Option<String>,
    pub(crate) storage: i64,
    pub(crate) port: i64,
    pub(crate) multi_az: bool,
    pub(crate) public: bool,
    pub(crate) created: Timestamp,
    pub(crate) status: Status,
    pub(crate) groups: BTreeMap<String, GroupState>,
    pub(crate) retention: i64,
    pub(crate) pending_retention: Option<i64>,
    pub(crate) window: String,
    pub(crate) protected: bool,
    pub(crate) tags: BTreeMap<String, String>,
    /// Whose copy it is.
    pub(crate) source: Option<(Place, String)>,
    pub(crate) replicas: Vec<(Place, String)>,
    /// A promotion was asked for and is not done.
    pub(crate) promoting: bool,
    pub(crate) cluster: Option<String>,
}

impl Instance {
    pub(crate) fn arn(&self) -> String {
        self.place.arn("rds", &format!("db:{}", self.id))
    }

    /// Where its rows are: an Aurora instance shares its cluster's.
    pub(crate) fn store(&self) -> StoreKey {
        match &self.cluster {
            Some(cluster) => StoreKey::cluster(&self.place, cluster),
            None => StoreKey::instance(&self.place, &self.id),
        }
    }

    /// Refused unless it is available.
    pub(super) fn must_be_available(&self) -> Result<(), ApiError> {
        if self.status == Status::Available {
            return Ok(());
        }
        Err(invalid_state(format!("Instance {} is not in available state.", self.id)))
    }

    /// How another instance's description names this one: by identifier in its own region, else by ARN.
    fn named_from(&self, (place, id): &(Place, String)) -> String {
        if *place == self.place { id.clone() } else { place.arn("rds", &format!("db:{id}")) }
    }

    /// As the API shows it.
    pub(crate) fn node(&self, restorable: Option<Timestamp>, replicating: Option<bool>) -> Node {
        let endpoint = Node::map()
            .put("Address", self.address())
            .put("Port", self.port)
            .put("HostedZoneId", "Z2R2ITUGPM61AM");
        let groups = self
            .groups
            .iter()
            .map(|(id, state)| Node::map().put("VpcSecurityGroupId", id).put("Status", state.as_str()));
        let states = replicating.map(|normal| {
            let state = if normal { "replicating" } else { "terminated" };
            let info =
                Node::map().put("StatusType", "read replication").put("Normal", normal).put("Status", state);
            Node::list("DBInstanceStatusInfo", [info])
        });
        let mut node = Node::map()
            .put("DBInstanceIdentifier", &self.id)
            .put("DBInstanceClass", &self.class)
            .put("Engine", &self.engine)
            .put("EngineVersion", &self.version)
            .put("DBInstanceStatus", self.status.as_str())
            .put("MasterUsername", &self.user)
            .maybe("DBName", self.database.as_deref())
            .put("AllocatedStorage", self.storage);
        if self.status != Status::Creating {
            node = node.put("Endpoint", endpoint).put("InstanceCreateTime", self.created);
        }
        node.put("PreferredBackupWindow", &self.window)
            .put("BackupRetentionPeriod", self.retention)
            .put("VpcSecurityGroups", Node::list("VpcSecurityGroupMembership", groups))
            .put("AvailabilityZone", format!("{}a", self.place.region))
            .put("PendingModifiedValues", Node::map().maybe("BackupRetentionPeriod", self.pending_retention))
            .maybe("LatestRestorableTime", restorable)
            .put("MultiAZ", self.multi_az)
            .put("AutoMinorVersionUpgrade", true)
            .maybe(
                "ReadReplicaSourceDBInstanceIdentifier",
                self.source.as_ref().map(|source| self.named_from(source)),
            )
            .put(
                "ReadReplicaDBInstanceIdentifiers",
                Node::list(
                    "ReadReplicaDBInstanceIdentifier",
                    self.replicas.iter().map(|replica| self.named_from(replica)),
                ),
            )
            .put("LicenseModel", "postgresql-license")
            .put("PubliclyAccessible", self.public)
            .maybe("StatusInfos", states)
            .put("StorageType", "gp3")
            .maybe("DBClusterIdentifier", self.cluster.as_deref())
            .put("StorageEncrypted", false)
            .put("DbiResourceId", &self.resource_id)
            .put("CopyTagsToSnapshot", false)
            .put("DBInstanceArn", self.arn())
            .put("DeletionProtection", self.protected)
            .put("TagList", super::tags::node(&self.tags))
    }

    /// The name that clients connect to.
    pub(crate) fn address(&self) -> String {
        let hash = self.resource_id.chars().rev().take(12).collect::<String>().to_lowercase();
        format!("{}.{hash}.{}.rds.amazonaws.com", self.id, self.place.region)
    }
}

/// What cannot be done in this state.
pub(super) fn invalid_state(message: impl Into<String>) -> ApiError {
    ApiError::new(400, "InvalidDBInstanceState", message)
}

/// Identifiers: letters, digits and single hyphens, beginning with a letter; kept in lower case.
///
/// <https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_CreateDBInstance.html>, `DBInstanceIdentifier`
pub(crate) fn identifier(name: &str, text: &str) -> Result<String, ApiError> {
    let good = text.len() <= 63
        && text.starts_with(|first: char| first.is_ascii_alphabetic())
        && !text.ends_with('-')
        && !text.contains("--")
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    if good {
        return Ok(text.to_lowercase());
    }
    Err(ApiError::invalid(format!(
        "The parameter {name} is not a valid identifier. Identifiers must begin with a letter; must contain only ASCII letters, digits, and hyphens; and must not end with a hyphen or contain two consecutive hyphens."
    )))
}
