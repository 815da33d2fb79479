//! RDS: instances, read replicas, snapshots, and the rows behind them.
//!
//! <https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_Operations.html>

mod access;
mod create;
mod delete;
mod describe;
mod event;
mod instance;
mod lag;
mod lifecycle;
mod modify;
mod moves;
mod power;
mod promote;
mod rename;
mod restore;
mod snapshot;
mod snapshot_api;
mod store;
mod tags;

pub(crate) use access::{Admission, SessionId, Wrote};
pub(crate) use create::{blank, insert, retention};
pub(crate) use describe::page;
pub(crate) use instance::identifier;
pub(crate) use instance::{GroupState, Instance, Status};
pub(crate) use modify::regroup;
pub(crate) use moves::{Due, carry_out};
pub(crate) use snapshot::Snapshot;
pub(crate) use store::{Entry, Follow, Store, StoreKey, replicate};
pub(crate) use tags::node as tags_node;
pub(crate) use tags::read as read_tags;
pub(crate) use {create::seed as seed_instance, create::seed_replica};

use std::collections::{BTreeMap, BTreeSet};

use crate::aurora::{self, Cluster};
use crate::place::Place;
use crate::server::unknown;
use crate::service::Service;
use crate::wire::{Answer, ApiError, Request};
use crate::world::World;

/// An account's RDS in a region.
#[derive(Debug)]
pub(crate) struct Rds {
    pub(crate) instances: BTreeMap<String, Instance>,
    pub(crate) clusters: BTreeMap<String, Cluster>,
    pub(crate) snapshots: BTreeMap<String, Snapshot>,
    pub(crate) events: Vec<event::Event>,
    pub(crate) instance_quota: usize,
    pub(crate) snapshot_quota: usize,
    /// Security groups through which nobody comes.
    pub(crate) closed_groups: BTreeSet<String>,
}

impl Default for Rds {
    /// Quotas: <https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/CHAP_Limits.html>.
    fn default() -> Self {
        Self {
            instances: BTreeMap::new(),
            clusters: BTreeMap::new(),
            snapshots: BTreeMap::new(),
            events: Vec::new(),
            instance_quota: 40,
            snapshot_quota: 100,
            closed_groups: BTreeSet::new(),
        }
    }
}

impl Rds {
    pub(crate) fn instance(&self, id: &str) -> Result<&Instance, ApiError> {
        self.instances
            .get(&id.to_lowercase())
            .ok_or_else(|| ApiError::new(404, "DBInstanceNotFound", format!("DBInstance {id} not found.")))
    }

    pub(crate) fn instance_mut(&mut self, id: &str) -> Result<&mut Instance, ApiError> {
        self.instances
            .get_mut(&id.to_lowercase())
            .ok_or_else(|| ApiError::new(404, "DBInstanceNotFound", format!("DBInstance {id} not found.")))
    }
}

/// Where a request was sent.
pub(crate) fn place(request: &Request) -> Place {
    Place::new(&request.account, &request.region)
}

/// Carries a call out.
pub(crate) fn perform(world: &mut World, request: &Request) -> Result<Answer, ApiError> {
    match request.action.as_str() {
        "DescribeDBInstances" => describe::instances(world, request),
        "DescribeEvents" => event::describe(world, request),
        "CreateDBInstance" => create::instance(world, request),
        "CreateDBInstanceReadReplica" => create::replica(world, request),
        "PromoteReadReplica" => promote::replica(world, request),
        "ModifyDBInstance" => modify::instance(world, request),
        "RebootDBInstance" => power::reboot(world, request),
        "StopDBInstance" => power::stop(world, request),
        "StartDBInstance" => power::start(world, request),
        "DeleteDBInstance" => delete::instance(world, request),
        "CreateDBSnapshot" => snapshot_api::create(world, request),
        "CopyDBSnapshot" => snapshot_api::copy(world, request),
        "DescribeDBSnapshots" => snapshot_api::describe(world, request),
        "DeleteDBSnapshot" => snapshot_api::delete(world, request),
        "RestoreDBInstanceFromDBSnapshot" => restore::from_snapshot(world, request),
        "RestoreDBInstanceToPointInTime" => restore::to_point_in_time(world, request),
        "AddTagsToResource" => tags::add(world, request),
        "RemoveTagsFromResource" => tags::remove(world, request),
        "ListTagsForResource" => tags::list(world, request),
        other => aurora::perform(world, request).unwrap_or_else(|| Err(unknown(Service::Rds, other))),
    }
}
