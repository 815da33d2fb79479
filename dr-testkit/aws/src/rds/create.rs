//! New instances and read replicas.

use std::collections::BTreeMap;
use std::time::Duration;

use super::instance::{GroupState, Instance, Status, identifier, invalid_state};
use super::lifecycle::{BACKING_UP, CREATING};
use super::moves::{self, Move};
use super::store::{Follow, Store};
use super::{describe, place, tags};
use crate::place::{Arn, Place};
use crate::wire::{Answer, ApiError, Input, Request};
use crate::world::World;

/// How far a copy is behind unless told otherwise.
const LAG: Duration = Duration::from_millis(20);

/// <https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_CreateDBInstance.html>
pub(super) fn instance(world: &mut World, request: &Request) -> Result<Answer, ApiError> {
    let input = request.input();
    let here = place(request);
    let id = free_name(world, &here, &input)?;
    let engine = input.need("Engine")?.to_owned();
    let class = input.need("DBInstanceClass")?.to_owned();
    let cluster = input.text("DBClusterIdentifier").map(str::to_lowercase);
    if let Some(cluster) = &cluster {
        return crate::aurora::add_instance(world, request, &id, cluster, &class, &engine);
    }
    let user = input.need("MasterUsername")?.to_owned();
    if input.text("MasterUserPassword").is_none() && input.flag("ManageMasterUserPassword")? != Some(true) {
        return Err(ApiError::invalid("Invalid master password"));
    }
    let mut instance = blank(world, &here, &id);
    instance.engine = engine;
    instance.class = class;
    instance.user = user;
    instance.storage = input
        .int("AllocatedStorage")?
        .ok_or_else(|| ApiError::invalid("Invalid storage size for engine name"))?;
    instance.database = input.text("DBName").map(str::to_owned);
    apply_common(&mut instance, &input)?;
    instance.retention = retention(&input)?.unwrap_or(1);
    let answer = insert(world, instance, CREATING)?;
    Ok(answer)
}

/// A copy of an instance, in its own region or another one's by ARN.
///
/// <https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_CreateDBInstanceReadReplica.html>
pub(super) fn replica(world: &mut World, request: &Request) -> Result<Answer, ApiError> {
    let input = request.input();
    let here = place(request);
    let id = free_name(world, &here, &input)?;
    let named = input.need("SourceDBInstanceIdentifier")?;
    let (source_place, source_id) = if named.starts_with("arn:") {
        Arn::of_kind(named, "db")?
    } else {
        (here.clone(), named.to_lowercase())
    };
    if world.is_lost(&source_place.region) {
        return Err(ApiError::new(
            503,
            "ServiceUnavailable",
            format!("The source region {} cannot be reached.", source_place.region),
        ));
    }
    let source = world.rds(&source_place).instance(&source_id)?.clone();
    if source.status != Status::Available {
        return Err(invalid_state(format!("Source DB instance {source_id} is not in available state.")));
    }
    if source.retention == 0 {
        return Err(invalid_state(
            "Automated backups are not enabled for this database instance. To enable automated backups, use ModifyDBInstance to set the backup retention period to a non-zero value.",
        ));
    }
    // One copy of a copy, and no more, for PostgreSQL: three levels.
    if source.replicas.len() >= 15 {
        return Err(ApiError::new(400, "InstanceQuotaExceeded", "Read replica limit exceeded"));
    }
    let mut instance = copy_of(world, &source, &here, &id);
    apply_common(&mut instance, &input)?;
    instance.source = Some((source_place.clone(), source_id.clone()));
    if let Some(class) = input.text("DBInstanceClass") {
        instance.class = class.to_owned();
    }
    let answer = insert(world, instance, CREATING)?;
    follow(world, &here, &id, &source, LAG);
    Ok(answer)
}

/// Puts an instance there that has been running for long.
pub(crate) fn seed(world: &mut World, place: &Place, id: &str) -> Result<(), ApiError> {
    let id = identifier("DBInstanceIdentifier", id)?;
    if world.rds(place).instances.contains_key(&id) {
        return Err(exists());
    }
    let mut instance = blank(world, place, &id);
    instance.retention = 7;
    instance.status = Status::Available;
    let key = instance.store();
    let now = world.clock.now();
    world.stores.insert(key, Store::new(now));
    world.rds(place).instances.insert(id.clone(), instance);
    super::snapshot::automated(world, place, &id);
    Ok(())
}

/// Puts a replica there that has been following for long.
pub(crate) fn seed_replica(
    world: &mut World,
    place: &Place,
    id: &str,
    source: (&Place, &str),
    lag: Duration,
) -> Result<(), ApiError> {
    let id = identifier("DBInstanceIdentifier", id)?;
    if world.rds(place).instances.contains_key(&id) {
        return Err(exists());
    }
    let of = world.rds(source.0).instance(source.1)?.clone();
    let mut instance = copy_of(world, &of, place, &id);
    instance.source = Some((source.0.clone(), of.id.clone()));
    instance.status = Status::Available;
    let key = instance.store();
    let now = world.clock.now();
    world.stores.insert(key, Store::new(now));
    world.rds(place).instances.insert(id.clone(), instance);
    follow(world, place, &id, &of, lag);
    Ok(())
}

fn follow(world: &mut World, place: &Place, id: &str, source: &Instance, lag: Duration) {
    if let Ok(source) = world.rds(&source.place).instance_mut(&source.id) {
        source.replicas.push((place.clone(), id.to_owned()));
    }
    let key = super::StoreKey::instance(place, id);
    if let Some(store) = world.stores.get_mut(&key) {
        store.follow = Some(Follow::new(source.store(), lag));
    }
}

/// An instance with everything at its default.
pub(crate) fn blank(world: &mut World, place: &Place, id: &str) -> Instance {
    Instance {
        place: place.clone(),
        id: id.to_owned(),
        resource_id: world.ids.upper("db-", 26),
        class: "db.r6g.large".to_owned(),
        engine: "postgres".to_owned(),
        version: "16.4".to_owned(),
        user: "postgres".to_owned(),
        database: None,
        storage: 100,
        port: 5_432,
        multi_az: false,
        public: false,
        created: world.clock.wall(),
        status: Status::Creating,
        groups: BTreeMap::from([("sg-default".to_owned(), GroupState::Active)]),
        retention: 1,
        pending_retention: None,
        window: "03:00-04:00".to_owned(),
        protected: false,
        tags: BTreeMap::new(),
        source: None,
        replicas: Vec::new(),
        promoting: false,
        cluster: None,
    }
}

/// An instance with another one's engine and size. Its groups are the region's default; it keeps no backups.
pub(super) fn copy_of(world: &mut World, source: &Instance, place: &Place, id: &str) -> Instance {
    let fresh = blank(world, place, id);
    Instance {
        class: source.class.clone(),
        engine: source.engine.clone(),
        version: source.version.clone(),
        user: source.user.clone(),
        database: source.database.clone(),
        storage: source.storage,
        port: source.port,
        retention: 0,
        ..fresh
    }
}

/// Takes in what every way of making an instance may say.
pub(super) fn apply_common(instance: &mut Instance, input: &Input<'_>) -> Result<(), ApiError> {
    if let Some(groups) = input.texts("VpcSecurityGroupIds") {
        instance.groups = groups.into_iter().map(|group| (group, GroupState::Active)).collect();
    }
    if let Some(port) = input.int("Port")? {
        instance.port = port;
    }
    if let Some(multi_az) = input.flag("MultiAZ")? {
        instance.multi_az = multi_az;
    }
    if let Some(public) = input.flag("PubliclyAccessible")? {
        instance.public = public;
    }
    if let Some(protected) = input.flag("DeletionProtection")? {
        instance.protected = protected;
    }
    if let Some(version) = input.text("EngineVersion") {
        instance.version = version.to_owned();
    }
    instance.tags.extend(tags::read(input)?);
    Ok(())
}

pub(crate) fn retention(input: &Input<'_>) -> Result<Option<i64>, ApiError> {
    let days = input.int("BackupRetentionPeriod")?;
    match days {
        Some(days) if !(0..=35).contains(&days) => Err(ApiError::invalid(format!(
            "Invalid backup retention period: {days}. Retention period must be between 0 and 35"
        ))),
        days => Ok(days),
    }
}

/// A name that no instance here has, if the quota allows one more.
pub(super) fn free_name(world: &mut World, here: &Place, input: &Input<'_>) -> Result<String, ApiError> {
    name_for(world, here, input.need("DBInstanceIdentifier")?)
}

pub(super) fn name_for(world: &mut World, here: &Place, text: &str) -> Result<String, ApiError> {
    let id = identifier("DBInstanceIdentifier", text)?;
    let rds = world.rds(here);
    if rds.instances.contains_key(&id) {
        return Err(exists());
    }
    if rds.instances.len() >= rds.instance_quota {
        return Err(ApiError::new(400, "InstanceQuotaExceeded", "Instance quota exceeded"));
    }
    Ok(id)
}

fn exists() -> ApiError {
    ApiError::new(400, "DBInstanceAlreadyExists", "DB instance already exists")
}

/// Puts a new instance there and lets it come up.
pub(crate) fn insert(world: &mut World, instance: Instance, takes: Duration) -> Result<Answer, ApiError> {
    let (here, id, backs_up) = (instance.place.clone(), instance.id.clone(), instance.retention > 0);
    let now = world.clock.now();
    world.stores.entry(instance.store()).or_insert_with(|| Store::new(now));
    world.rds(&here).instances.insert(id.clone(), instance.clone());
    let mut moves = vec![(takes, Move::Tell("creation", "DB instance created"))];
    if backs_up {
        moves.extend([(Duration::ZERO, Move::Status(Status::BackingUp)), (BACKING_UP, Move::Backup)]);
    }
    moves.push((Duration::ZERO, Move::Status(Status::Available)));
    moves::begin(world, &here, &id, moves);
    Ok(describe::one(world, &instance))
}
