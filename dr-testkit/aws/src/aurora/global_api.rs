//! The API of global databases.

use std::time::Duration;

use super::cluster::ClusterStatus;
use super::global::{GlobalCluster, GlobalStatus, Member, invalid_state};
use super::switch::Due;
use crate::place::{Arn, Place};
use crate::rds;
use crate::wire::{Answer, ApiError, Node, Request};
use crate::world::World;

/// How long a secondary takes to become a cluster of its own; AWS gives no figure.
const PROMOTING: Duration = Duration::from_secs(60);

/// <https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DescribeGlobalClusters.html>
pub(super) fn describe(world: &mut World, request: &Request) -> Result<Answer, ApiError> {
    let input = request.input();
    let found: Vec<GlobalCluster> = match input.text("GlobalClusterIdentifier") {
        Some(id) => vec![world.global(&request.account, id)?.clone()],
        None => world.globals.values().filter(|global| global.account == request.account).cloned().collect(),
    };
    let (page, marker) = rds::page(&input, &found, |global| global.id.clone())?;
    let nodes: Vec<Node> = page.iter().map(|global| global.node(world)).collect();
    let node =
        Node::map().maybe("Marker", marker).put("GlobalClusters", Node::list("GlobalClusterMember", nodes));
    Ok(Answer::of(node))
}

/// Empty, or around a cluster that is there.
///
/// <https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_CreateGlobalCluster.html>
pub(super) fn create(world: &mut World, request: &Request) -> Result<Answer, ApiError> {
    let input = request.input();
    let id = rds::identifier("GlobalClusterIdentifier", input.need("GlobalClusterIdentifier")?)?;
    let source = match input.text("SourceDBClusterIdentifier") {
        Some(arn) => {
            let (place, name) = Arn::of_kind(arn, "cluster")?;
            let cluster = world.cluster(&place, &name)?.clone();
            cluster.must_be_available()?;
            if cluster.global.is_some() {
                return Err(super::cluster::invalid_state(format!("{name} is in a global cluster already.")));
            }
            Some(cluster)
        }
        None => None,
    };
    let engine = match (&source, input.text("Engine")) {
        (Some(cluster), _) => cluster.engine.clone(),
        (None, Some(engine)) => engine.to_owned(),
        (None, None) => return Err(ApiError::missing("Engine")),
    };
    let protected = input.flag("DeletionProtection")?.unwrap_or(false);
    insert(world, &request.account, &id, &engine, protected)?;
    if let Some(cluster) = source {
        world.join_global(&request.account, &id, &cluster)?;
    }
    let global = world.global(&request.account, &id)?.clone();
    Ok(one(world, &global))
}

fn insert(world: &mut World, account: &str, id: &str, engine: &str, protected: bool) -> Result<(), ApiError> {
    let key = (account.to_owned(), id.to_owned());
    if world.globals.contains_key(&key) {
        return Err(ApiError::new(400, "GlobalClusterAlreadyExistsFault", "Global cluster already exists"));
    }
    let global = GlobalCluster {
        account: account.to_owned(),
        id: id.to_owned(),
        resource_id: world.ids.lower("cluster-", 16),
        engine: engine.to_owned(),
        version: "16.4".to_owned(),
        status: GlobalStatus::Available,
        protected,
        members: Vec::new(),
        failover: None,
    };
    world.globals.insert(key, global);
    Ok(())
}

/// Puts a global database there whose first cluster writes.
pub(crate) fn seed(
    world: &mut World,
    account: &str,
    id: &str,
    clusters: &[(Place, String)],
) -> Result<(), ApiError> {
    insert(world, account, id, "aurora-postgresql", false)?;
    for (place, name) in clusters {
        let cluster = world.cluster(place, name)?.clone();
        world.join_global(account, id, &cluster)?;
    }
    Ok(())
}

/// A secondary becomes a cluster of its own that takes writes, with what it had; the primary goes last.
///
/// <https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_RemoveFromGlobalCluster.html>
pub(super) fn remove(world: &mut World, request: &Request) -> Result<Answer, ApiError> {
    let input = request.input();
    let id = input.need("GlobalClusterIdentifier")?.to_lowercase();
    let (place, name) = Arn::of_kind(input.need("DbClusterIdentifier")?, "cluster")?;
    let global = world.global(&request.account, &id)?;
    global.must_be_available()?;
    let member = global
        .members
        .iter()
        .find(|member| member.place == place && member.id == name)
        .cloned()
        .ok_or_else(|| super::cluster::not_found(&name))?;
    if member.writer && global.members.len() > 1 {
        return Err(invalid_state(
            "The primary cluster cannot be removed while the global cluster has others",
        ));
    }
    global.members.retain(|other| *other != member);
    let shown = global.clone();
    detach(world, &member);
    Ok(one(world, &shown))
}

/// The cluster follows nobody from now on, and takes writes a while later.
fn detach(world: &mut World, member: &Member) {
    if let Ok(cluster) = world.cluster(&member.place, &member.id) {
        cluster.global = None;
        if !member.writer {
            cluster.status = ClusterStatus::Promoting;
        }
    }
    if let Some(follow) = world.stores.get_mut(&member.store()).and_then(|store| store.follow.as_mut()) {
        follow.cut = true;
    }
    if !member.writer {
        let after = world.clock.takes(PROMOTING);
        world.later(after, Due::Alone { place: member.place.clone(), id: member.id.clone() });
    }
}

pub(super) fn one(world: &World, global: &GlobalCluster) -> Answer {
    Answer::of(Node::map().put("GlobalCluster", global.node(world)))
}
