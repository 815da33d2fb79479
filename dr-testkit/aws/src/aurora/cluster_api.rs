//! The API of clusters.

use std::collections::BTreeMap;
use std::time::Duration;

use super::cluster::{Cluster, ClusterStatus, not_found};
use super::switch::Due;
use crate::place::{Arn, Place};
use crate::rds::{self, Follow, GroupState, Instance, Status, Store};
use crate::wire::{Answer, ApiError, Request};
use crate::world::World;

/// How long a cluster takes to come up; AWS gives no figure.
const CREATING: Duration = Duration::from_secs(240);
/// Until a security group is in force.
const GROUPS: Duration = Duration::from_secs(30);
/// A secondary is usually less than a second behind.
///
/// <https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/aurora-global-database.html#aurora-global-database-advantages>
pub(super) const LAG: Duration = Duration::from_millis(20);

/// By identifier or ARN, or all of a region.
///
/// <https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DescribeDBClusters.html>
pub(super) fn describe(world: &mut World, request: &Request) -> Result<Answer, ApiError> {
    let input = request.input();
    let here = rds::place(request);
    let wanted = match input.text("DBClusterIdentifier") {
        Some(arn) if arn.starts_with("arn:") => {
            let (place, id) = Arn::of_kind(arn, "cluster")?;
            if place != here {
                return Err(not_found(arn));
            }
            Some(id)
        }
        Some(id) => Some(id.to_lowercase()),
        None => None,
    };
    let found: Vec<Cluster> = match wanted {
        Some(id) => vec![world.cluster(&here, &id)?.clone()],
        None => world.rds(&here).clusters.values().cloned().collect(),
    };
    let (page, marker) = rds::page(&input, &found, |cluster| cluster.id.clone())?;
    let nodes: Vec<_> = page.iter().map(|cluster| cluster.node(world)).collect();
    let node = crate::wire::Node::map()
        .maybe("Marker", marker)
        .put("DBClusters", crate::wire::Node::list("DBCluster", nodes));
    Ok(Answer::of(node))
}

/// A cluster by itself, or a global database's first or further one.
///
/// <https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_CreateDBCluster.html>
pub(super) fn create(world: &mut World, request: &Request) -> Result<Answer, ApiError> {
    let input = request.input();
    let here = rds::place(request);
    let id = rds::identifier("DBClusterIdentifier", input.need("DBClusterIdentifier")?)?;
    if world.rds(&here).clusters.contains_key(&id) {
        return Err(ApiError::new(400, "DBClusterAlreadyExistsFault", "DB Cluster already exists"));
    }
    let engine = input.need("Engine")?;
    if !["aurora-postgresql", "aurora-mysql"].contains(&engine) {
        return Err(ApiError::invalid(format!("Invalid DB engine: {engine}")));
    }
    let global = input.text("GlobalClusterIdentifier").map(str::to_lowercase);
    let secondary = match &global {
        Some(global) => !world.global(&here.account, global)?.members.is_empty(),
        None => false,
    };
    let mut cluster = blank(world, &here, &id);
    cluster.engine = engine.to_owned();
    cluster.status = ClusterStatus::Creating;
    match (secondary, input.text("MasterUsername")) {
        (true, Some(_)) => {
            return Err(ApiError::combination(
                "Cannot specify user name for cross region replication cluster",
            ));
        }
        (false, None) => return Err(ApiError::invalid("The parameter MasterUsername must be provided")),
        (false, Some(user)) => cluster.user = user.to_owned(),
        (true, None) => {}
    }
    if let Some(groups) = input.texts("VpcSecurityGroupIds") {
        cluster.groups = groups.into_iter().map(|group| (group, GroupState::Active)).collect();
    }
    cluster.database = input.text("DatabaseName").map(str::to_owned);
    cluster.retention = rds::retention(&input)?.unwrap_or(1);
    cluster.protected = input.flag("DeletionProtection")?.unwrap_or(false);
    cluster.forwards_writes = input.flag("EnableGlobalWriteForwarding")?.unwrap_or(false);
    cluster.tags = rds::read_tags(&input)?;
    insert(world, cluster.clone());
    if let Some(global) = global {
        world.join_global(&here.account, &global, &cluster)?;
    }
    let due = Due::ClusterStatus { place: here.clone(), id: id.clone(), status: ClusterStatus::Available };
    let after = world.clock.takes(CREATING);
    world.later(after, due);
    let shown = world.cluster(&here, &id)?.clone();
    Ok(one(world, &shown))
}

/// Security groups are those of all the cluster's instances.
///
/// <https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_ModifyDBCluster.html>
pub(super) fn modify(world: &mut World, request: &Request) -> Result<Answer, ApiError> {
    let input = request.input();
    let here = rds::place(request);
    let id = input.need("DBClusterIdentifier")?.to_lowercase();
    let groups = input.texts("VpcSecurityGroupIds");
    let retention = rds::retention(&input)?;
    let (protected, forwards) =
        (input.flag("DeletionProtection")?, input.flag("EnableGlobalWriteForwarding")?);
    let cluster = world.cluster(&here, &id)?;
    cluster.must_be_available()?;
    if let Some(days) = retention {
        cluster.retention = days;
    }
    if let Some(protected) = protected {
        cluster.protected = protected;
    }
    if let Some(forwards) = forwards {
        cluster.forwards_writes = forwards;
    }
    if let Some(groups) = groups {
        if groups.is_empty() {
            return Err(ApiError::combination("A cluster must have at least one security group"));
        }
        rds::regroup(&mut cluster.groups, &groups);
        let mirrored = cluster.groups.clone();
        for instance in world.rds(&here).instances.values_mut() {
            if instance.cluster.as_deref() == Some(&id) {
                instance.groups = mirrored.clone();
            }
        }
        let after = world.clock.takes(GROUPS);
        world.later(after, Due::ClusterGroups { place: here.clone(), id: id.clone() });
    }
    let shown = world.cluster(&here, &id)?.clone();
    Ok(one(world, &shown))
}

/// An instance of a cluster; the first is its writer.
pub(crate) fn add_instance(
    world: &mut World,
    request: &Request,
    id: &str,
    cluster: &str,
    class: &str,
    engine: &str,
) -> Result<Answer, ApiError> {
    let here = rds::place(request);
    let found = world.cluster(&here, cluster)?.clone();
    if found.engine != engine {
        return Err(ApiError::combination("The engine of the instance must be that of its cluster"));
    }
    let mut instance = member(world, &found, id);
    instance.class = class.to_owned();
    instance.status = Status::Creating;
    let answer = rds::insert(world, instance, CREATING)?;
    let cluster = world.cluster(&here, cluster)?;
    if cluster.writer.is_none() {
        cluster.writer = Some(id.to_owned());
    }
    Ok(answer)
}

/// Puts a cluster with one instance there that has been running for long.
pub(crate) fn seed(world: &mut World, place: &Place, id: &str) -> Result<Cluster, ApiError> {
    let id = rds::identifier("DBClusterIdentifier", id)?;
    if world.rds(place).clusters.contains_key(&id) {
        return Err(ApiError::new(400, "DBClusterAlreadyExistsFault", "DB Cluster already exists"));
    }
    let mut cluster = blank(world, place, &id);
    let name = format!("{id}-1");
    cluster.writer = Some(name.clone());
    let instance = member(world, &cluster, &name);
    world.rds(place).instances.insert(name, instance);
    insert(world, cluster.clone());
    Ok(cluster)
}

fn insert(world: &mut World, cluster: Cluster) {
    let now = world.clock.now();
    world.stores.insert(cluster.store(), Store::new(now));
    let place = cluster.place.clone();
    world.rds(&place).clusters.insert(cluster.id.clone(), cluster);
}

fn blank(world: &mut World, place: &Place, id: &str) -> Cluster {
    Cluster {
        place: place.clone(),
        id: id.to_owned(),
        resource_id: world.ids.upper("cluster-", 26),
        engine: "aurora-postgresql".to_owned(),
        version: "16.4".to_owned(),
        user: "postgres".to_owned(),
        database: None,
        status: ClusterStatus::Available,
        created: world.clock.wall(),
        groups: BTreeMap::from([("sg-default".to_owned(), GroupState::Active)]),
        retention: 7,
        protected: false,
        writer: None,
        global: None,
        forwards_writes: false,
        tags: BTreeMap::new(),
        orphans: Vec::new(),
    }
}

fn member(world: &mut World, cluster: &Cluster, id: &str) -> Instance {
    let fresh = rds::blank(world, &cluster.place, id);
    Instance {
        engine: cluster.engine.clone(),
        version: cluster.version.clone(),
        user: cluster.user.clone(),
        database: cluster.database.clone(),
        status: Status::Available,
        groups: cluster.groups.clone(),
        retention: 0,
        cluster: Some(cluster.id.clone()),
        ..fresh
    }
}

fn one(world: &World, cluster: &Cluster) -> Answer {
    Answer::of(crate::wire::Node::map().put("DBCluster", cluster.node(world)))
}

/// Lets one cluster copy another.
pub(super) fn follow(world: &mut World, cluster: &Cluster, source: &Cluster) {
    if let Some(store) = world.stores.get_mut(&cluster.store()) {
        store.follow = Some(Follow::new(source.store(), LAG));
    }
}
