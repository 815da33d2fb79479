//! How long things take, and until when an instance can be restored.
//!
//! AWS gives few figures; where it gives none these are usual ones of a small instance.

use std::time::Duration;

use dr_core::Timestamp;

use super::instance::Instance;
use crate::world::World;

/// Making a new instance, a replica, or one out of a snapshot.
pub(super) const CREATING: Duration = Duration::from_secs(300);
/// The first backup of a new instance.
pub(super) const BACKING_UP: Duration = Duration::from_secs(60);
/// Until a change that was asked for shows in the status.
pub(super) const ASKED: Duration = Duration::from_secs(5);
/// "The promotion process takes a few minutes":
/// <https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_ReadRepl.Promote.html>.
pub(super) const PROMOTING: Duration = Duration::from_secs(90);
/// The restart within a promotion, or by itself.
pub(super) const REBOOTING: Duration = Duration::from_secs(60);
/// Until a security group is in force.
pub(super) const GROUPS: Duration = Duration::from_secs(30);
/// Any other modification.
pub(super) const MODIFYING: Duration = Duration::from_secs(60);
/// Renaming, with the restart within it.
///
/// <https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_RenameInstance.html>
pub(super) const RENAMING: Duration = Duration::from_secs(60);
/// Stopping, with its snapshot.
pub(super) const STOPPING: Duration = Duration::from_secs(180);
/// Starting what was stopped.
pub(super) const STARTING: Duration = Duration::from_secs(240);
/// Deleting.
pub(super) const DELETING: Duration = Duration::from_secs(120);
/// A snapshot, or a copy of one.
pub(super) const SNAPSHOT: Duration = Duration::from_secs(120);

/// Logs are uploaded every five minutes; RDS for PostgreSQL also switches WAL files as often.
///
/// <https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_PIT.html>
pub(super) const LOG_UPLOAD: Duration = Duration::from_secs(300);

/// The end of the last upload; `None` without automated backups.
pub(super) fn latest_restorable(world: &World, instance: &Instance) -> Option<Timestamp> {
    if instance.retention == 0 || instance.source.is_some() || !instance.status.is_up() {
        return None;
    }
    let created = world.stores.get(&instance.store())?.created;
    let every = world.clock.takes(LOG_UPLOAD).max(Duration::from_micros(1));
    let age = world.clock.now().saturating_duration_since(created);
    let uploads = age.as_micros() / every.as_micros();
    let since = every.mul_f64(uploads as f64);
    Some(world.clock.wall_at(created + since))
}
