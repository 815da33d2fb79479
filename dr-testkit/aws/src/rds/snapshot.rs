//! Snapshots.

use std::collections::BTreeMap;

use dr_core::Timestamp;
use tokio::time::Instant;

use super::instance::{Instance, Status};
use super::lifecycle::SNAPSHOT;
use super::moves::Due;
use super::store::Entry;
use crate::place::Place;
use crate::wire::{ApiError, Node};
use crate::world::World;

/// A snapshot: an instance's settings and rows as they were.
#[derive(Debug, Clone)]
pub(crate) struct Snapshot {
    pub(crate) place: Place,
    pub(crate) id: String,
    pub(crate) kind: &'static str,
    pub(crate) of: Instance,
    pub(crate) rows: Vec<Entry>,
    pub(crate) created: Timestamp,
    pub(crate) taken: Timestamp,
    pub(crate) begun: Instant,
    pub(crate) done: bool,
    pub(crate) source: Option<(String, String)>,
    pub(crate) tags: BTreeMap<String, String>,
}

impl Snapshot {
    pub(crate) fn arn(&self) -> String {
        self.place.arn("rds", &format!("snapshot:{}", self.id))
    }

    /// As the API shows it.
    pub(crate) fn node(&self, world: &World) -> Node {
        let takes = world.clock.takes(SNAPSHOT).as_secs_f64();
        let age = world.clock.now().saturating_duration_since(self.begun).as_secs_f64();
        let percent = if self.done { 100 } else { ((age / takes * 100.0) as i64).clamp(0, 99) };
        Node::map()
            .put("DBSnapshotIdentifier", &self.id)
            .put("DBInstanceIdentifier", &self.of.id)
            .put("SnapshotCreateTime", self.created)
            .put("OriginalSnapshotCreateTime", self.taken)
            .put("Engine", &self.of.engine)
            .put("EngineVersion", &self.of.version)
            .put("AllocatedStorage", self.of.storage)
            .put("Status", if self.done { "available" } else { "creating" })
            .put("Port", self.of.port)
            .put("AvailabilityZone", format!("{}a", self.place.region))
            .put("InstanceCreateTime", self.of.created)
            .put("MasterUsername", &self.of.user)
            .put("LicenseModel", "postgresql-license")
            .put("SnapshotType", self.kind)
            .put("PercentProgress", percent)
            .maybe("SourceRegion", self.source.as_ref().map(|(region, _)| region))
            .maybe("SourceDBSnapshotIdentifier", self.source.as_ref().map(|(_, arn)| arn))
            .put("StorageType", "gp3")
            .put("Encrypted", false)
            .put("DBSnapshotArn", self.arn())
            .put("DbiResourceId", &self.of.resource_id)
            .put("TagList", super::tags::node(&self.tags))
    }
}

/// Takes a snapshot, which is complete a while later.
pub(super) fn take(
    world: &mut World,
    here: &Place,
    id: &str,
    instance: &Instance,
    kind: &'static str,
) -> Result<Snapshot, ApiError> {
    must_be_free(world, here, id)?;
    let now = world.clock.wall();
    let rows = world.stores.get(&instance.store()).map(|store| store.log.clone()).unwrap_or_default();
    let snapshot = Snapshot {
        place: here.clone(),
        id: id.to_owned(),
        kind,
        of: instance.clone(),
        rows,
        created: now,
        taken: now,
        begun: world.clock.now(),
        done: false,
        source: None,
        tags: BTreeMap::new(),
    };
    world.rds(here).snapshots.insert(id.to_owned(), snapshot.clone());
    let after = world.clock.takes(SNAPSHOT);
    let due = Due::Snapshot { place: here.clone(), id: id.to_owned(), instance: Some(instance.id.clone()) };
    world.later(after, due);
    Ok(snapshot)
}

/// Refused when the name is taken or there are too many that were made by hand.
pub(super) fn must_be_free(world: &mut World, here: &Place, id: &str) -> Result<(), ApiError> {
    let rds = world.rds(here);
    if rds.snapshots.contains_key(id) {
        return Err(ApiError::new(
            400,
            "DBSnapshotAlreadyExists",
            format!("Cannot create the snapshot because a snapshot with the identifier {id} already exists."),
        ));
    }
    let manual = rds.snapshots.values().filter(|snapshot| snapshot.kind == "manual").count();
    if manual >= rds.snapshot_quota {
        return Err(ApiError::new(
            400,
            "SnapshotQuotaExceeded",
            "Cannot create more than the allowed number of manual snapshots",
        ));
    }
    Ok(())
}

/// A snapshot is complete.
pub(super) fn complete(world: &mut World, place: &Place, id: &str, instance: Option<&str>) {
    if let Some(snapshot) = world.rds(place).snapshots.get_mut(id) {
        snapshot.done = true;
    }
    if let Some(instance) = instance
        && let Ok(instance) = world.rds(place).instance_mut(instance)
        && instance.status == Status::BackingUp
    {
        instance.status = Status::Available;
    }
}

/// An automated backup is there at once: it was made before anybody looked.
pub(super) fn automated(world: &mut World, place: &Place, id: &str) {
    let Ok(instance) = world.rds(place).instance(id).cloned() else { return };
    let now = world.clock.wall();
    // `rds:orders-2026-11-25-03-10`
    let stamp = now.to_string();
    let stamp: String = stamp.chars().take(16).map(|c| if c == 'T' || c == ':' { '-' } else { c }).collect();
    let name = format!("rds:{id}-{stamp}");
    let rows = world.stores.get(&instance.store()).map(|store| store.log.clone()).unwrap_or_default();
    let begun = world.clock.now();
    let snapshot = Snapshot {
        place: place.clone(),
        id: name.clone(),
        kind: "automated",
        of: instance,
        rows,
        created: now,
        taken: now,
        begun,
        done: true,
        source: None,
        tags: BTreeMap::new(),
    };
    world.rds(place).snapshots.insert(name, snapshot);
}
