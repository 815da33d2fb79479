//! One cluster as RDS describes it: what of the description matters here.

use aws_sdk_rds::types::DbCluster;
use dr_core::{Error, ErrorKind, Result};

use crate::database::arn::Arn;
use crate::database::status::Status;
use crate::database::tags::Tags;
use crate::edge_fence::Group;

/// A cluster.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Cluster {
    pub(super) arn: Arn,
    pub(super) status: Status,
    pub(super) version: String,
    /// Its instances, and which of them is the writer of the cluster.
    pub(super) instances: Vec<(String, bool)>,
    pub(super) groups: Vec<Group>,
    /// Whether statements are taken over HTTPS, past every security group.
    pub(super) data_api: bool,
    /// The address that writers use here.
    pub(super) endpoint: Option<String>,
    pub(super) tags: Tags,
}

impl Cluster {
    /// From RDS's description.
    ///
    /// # Errors
    /// `Unknown` if what everything else hangs on is missing.
    pub(super) fn read(of: &DbCluster) -> Result<Self> {
        let missing = |what: &str| {
            Error::new(ErrorKind::Unknown, format!("RDS describes a cluster without its {what}"))
        };
        let instances = of.db_cluster_members().iter().filter_map(|member| {
            Some((member.db_instance_identifier()?.to_owned(), member.is_cluster_writer() == Some(true)))
        });
        Ok(Self {
            arn: of.db_cluster_arn().and_then(Arn::parse).ok_or_else(|| missing("ARN"))?,
            status: Status::new(of.status().ok_or_else(|| missing("status"))?),
            version: of.engine_version().unwrap_or_default().to_owned(),
            instances: instances.collect(),
            groups: Group::read(of.vpc_security_groups()),
            data_api: of.http_endpoint_enabled() == Some(true),
            endpoint: of.endpoint().map(|host| match of.port() {
                Some(port) => format!("{host}:{port}"),
                None => host.to_owned(),
            }),
            tags: Tags::read(of.tag_list()),
        })
    }
}
