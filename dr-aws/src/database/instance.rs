//! One instance as RDS describes it: what of the description matters here.

use std::collections::BTreeMap;

use aws_sdk_rds::types::DbInstance;
use dr_core::{Error, ErrorKind, Result, Timestamp};

use super::arn::Arn;
use super::moment;
use super::status::Status;
use super::tags::Tags;
use crate::edge_fence::Group;

/// An instance.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Instance {
    pub(crate) name: String,
    pub(crate) arn: Arn,
    pub(crate) status: Status,
    pub(crate) engine: String,
    pub(crate) class: String,
    pub(crate) groups: Vec<Group>,
    /// What it is a read replica of.
    pub(crate) source: Option<Arn>,
    /// Its read replicas, wherever they are; those that are clusters among them.
    pub(crate) replicas: Vec<Arn>,
    /// What RDS says of its replication: `replicating`, and whether that is normal.
    pub(crate) replication: Option<(String, bool)>,
    /// Days for which automated backups are kept; 0 is none.
    pub(crate) retention: Option<i32>,
    /// Changes that wait for a restart or a maintenance window, by name.
    pub(crate) pending: Vec<String>,
    pub(crate) multi_az: bool,
    /// Storage in GiB, and up to where it grows by itself.
    pub(crate) storage: Option<i32>,
    pub(crate) storage_limit: Option<i32>,
    /// Since when it exists; of two of one name the later is another.
    pub(crate) created: Option<Timestamp>,
    pub(crate) address: Option<String>,
    pub(crate) tags: Tags,
    pub(crate) shape: Shape,
}

/// What another instance of the same kind is made with.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Shape {
    pub(crate) class: Option<String>,
    pub(crate) subnet_group: Option<String>,
    pub(crate) parameter_group: Option<String>,
    pub(crate) option_group: Option<String>,
    pub(crate) kms_key: Option<String>,
    pub(crate) port: Option<i32>,
    pub(crate) public: Option<bool>,
    pub(crate) storage_type: Option<String>,
    pub(crate) iops: Option<i32>,
    pub(crate) ca: Option<String>,
    pub(crate) iam: Option<bool>,
    pub(crate) deletion_protection: Option<bool>,
    pub(crate) storage_limit: Option<i32>,
    pub(crate) multi_az: Option<bool>,
}

impl Instance {
    /// From RDS's description.
    ///
    /// # Errors
    /// `Unknown` if what everything else hangs on is missing.
    pub(crate) fn read(of: &DbInstance) -> Result<Self> {
        let missing = |what: &str| {
            Error::new(ErrorKind::Unknown, format!("RDS describes an instance without its {what}"))
        };
        let name = of.db_instance_identifier().ok_or_else(|| missing("name"))?.to_owned();
        let arn = of.db_instance_arn().and_then(Arn::parse).ok_or_else(|| missing("ARN"))?;
        let status = Status::new(of.db_instance_status().ok_or_else(|| missing("status"))?);
        let replicas = of
            .read_replica_db_instance_identifiers()
            .iter()
            .chain(of.read_replica_db_cluster_identifiers())
            .map(|replica| arn.beside(replica))
            .collect();
        let replication = of
            .status_infos()
            .iter()
            .find(|info| info.status_type() == Some("read replication"))
            .and_then(|info| Some((info.status()?.to_owned(), info.normal()?)));
        Ok(Self {
            source: of
                .read_replica_source_db_instance_identifier()
                .or(of.read_replica_source_db_cluster_identifier())
                .filter(|source| !source.is_empty())
                .map(|source| arn.beside(source)),
            replicas,
            replication,
            engine: of.engine().unwrap_or_default().to_owned(),
            class: of.db_instance_class().unwrap_or_default().to_owned(),
            groups: Group::read(of.vpc_security_groups()),
            retention: of.backup_retention_period(),
            pending: pending(of),
            multi_az: of.multi_az() == Some(true),
            storage: of.allocated_storage(),
            storage_limit: of.max_allocated_storage(),
            created: of.instance_create_time().and_then(moment),
            address: of
                .endpoint()
                .and_then(|endpoint| Some(format!("{}:{}", endpoint.address()?, endpoint.port()?))),
            tags: Tags::read(of.tag_list()),
            shape: shape(of),
            name,
            arn,
            status,
        })
    }

    /// Whether it is a replica, as RDS says now.
    pub(crate) fn is_replica(&self) -> bool {
        self.source.is_some()
    }

    /// Whether its engine dates commits by the primary's clock in `ReplicaLag`, which only PostgreSQL's does.
    pub(crate) fn is_postgres(&self) -> bool {
        self.engine == "postgres"
    }
}

fn pending(of: &DbInstance) -> Vec<String> {
    let Some(values) = of.pending_modified_values() else { return Vec::new() };
    let waits: BTreeMap<&str, bool> = BTreeMap::from([
        ("its class", values.db_instance_class().is_some()),
        ("its storage", values.allocated_storage().is_some() || values.storage_type().is_some()),
        ("its port", values.port().is_some()),
        ("its engine's version", values.engine_version().is_some()),
        ("its name", values.db_instance_identifier().is_some()),
        ("its subnet group", values.db_subnet_group_name().is_some()),
        ("its backups", values.backup_retention_period().is_some()),
        ("its second zone", values.multi_az().is_some()),
        ("its certificate", values.ca_certificate_identifier().is_some()),
    ]);
    waits.into_iter().filter(|(_, waits)| *waits).map(|(what, _)| what.to_owned()).collect()
}

fn shape(of: &DbInstance) -> Shape {
    let owned = |text: Option<&str>| text.filter(|text| !text.is_empty()).map(str::to_owned);
    Shape {
        class: owned(of.db_instance_class()),
        subnet_group: owned(of.db_subnet_group().and_then(|group| group.db_subnet_group_name())),
        parameter_group: owned(
            of.db_parameter_groups().first().and_then(|group| group.db_parameter_group_name()),
        ),
        option_group: owned(
            of.option_group_memberships().first().and_then(|group| group.option_group_name()),
        ),
        kms_key: owned(of.kms_key_id()),
        port: of
            .endpoint()
            .and_then(|endpoint| endpoint.port())
            .or(of.db_instance_port())
            .filter(|port| *port > 0),
        public: of.publicly_accessible(),
        storage_type: owned(of.storage_type()),
        iops: of
            .iops()
            .filter(|iops| *iops > 0 && of.storage_type().is_some_and(|kind| kind.starts_with("io"))),
        ca: owned(of.ca_certificate_identifier()),
        iam: of.iam_database_authentication_enabled(),
        deletion_protection: of.deletion_protection(),
        storage_limit: of.max_allocated_storage(),
        multi_az: of.multi_az(),
    }
}
