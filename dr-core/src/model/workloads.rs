//! A fleet: workloads that run on each side.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use async_trait::async_trait;
use tokio::time::Instant;

use super::configuring::Told;
use super::world::{Inner, World};
use crate::error::{Error, ErrorKind, Result};
use crate::ids::{Identity, ResourceName, RunId, Side};
use crate::resource::{
    Configure, Cx, Fence, Hazard, Observe, Resource, Scale, Setting, Staffing, WorkloadState,
};

#[derive(Debug)]
pub(super) struct Fleet {
    pub(super) sides: BTreeMap<Side, BTreeMap<String, WorkloadState>>,
    pub(super) broken: BTreeMap<Side, String>,
    /// What each side had when a run first scaled it, and which run.
    pub(super) noted: BTreeMap<Side, (RunId, Counts)>,
    /// For how many replicas of each workload there is room.
    pub(super) room: BTreeMap<Side, u32>,
    /// What else stands in the way of a scale, or seems to.
    pub(super) hazards: BTreeMap<Side, Vec<Hazard>>,
    /// Where each side is entered; empty while it has no address.
    pub(super) addresses: BTreeMap<Side, Vec<String>>,
    /// Sides on which nothing may start, and since when.
    pub(super) barred: BTreeMap<Side, Instant>,
    /// What each workload was told, and what those that run were started with.
    pub(super) told: BTreeMap<Side, Told>,
    pub(super) secrets: BTreeMap<String, String>,
    pub(super) forbidden: BTreeSet<String>,
}

impl Fleet {
    pub(super) fn new<'a>(sides: impl Iterator<Item = &'a Side>, workloads: &[&str], serving: u32) -> Self {
        let of = |count: u32| {
            workloads
                .iter()
                .map(|name| ((*name).to_owned(), WorkloadState::new(*name, count, count)))
                .collect()
        };
        let sides: BTreeMap<Side, _> = sides
            .enumerate()
            .map(|(index, side)| (side.clone(), of(if index == 0 { serving } else { 0 })))
            .collect();
        let addresses = sides.keys().enumerate().map(|(index, side)| (side.clone(), entered(index)));
        Self {
            addresses: addresses.collect(),
            sides,
            broken: BTreeMap::new(),
            noted: BTreeMap::new(),
            room: BTreeMap::new(),
            hazards: BTreeMap::new(),
            barred: BTreeMap::new(),
            told: BTreeMap::new(),
            secrets: BTreeMap::new(),
            forbidden: BTreeSet::new(),
        }
    }
}

/// The two addresses of a load balancer.
fn entered(index: usize) -> Vec<String> {
    vec![format!("198.51.100.{}", index * 10 + 1), format!("198.51.100.{}", index * 10 + 2)]
}

/// Workloads on each side, with the load balancer before them.
///
/// It offers every verb of workloads, a fence that leaves no writer, and the words on room, addresses and what a run
/// will need. A side that is fenced starts nothing: a scale there is refused, and one by hand is seen.
#[derive(Debug, Clone)]
pub struct ModelWorkloads {
    pub(super) world: World,
    pub(super) name: ResourceName,
}

pub(super) type Counts = BTreeMap<String, u32>;

impl ModelWorkloads {
    /// The resource, with everything that it can do.
    pub fn resource(&self) -> Resource {
        let this = Arc::new(self.clone());
        Resource::new(Identity::new(format!("model:{}", self.name)))
            .observing::<Staffing>(this.clone())
            .with::<Scale>(this.clone())
            .with::<Configure>(this.clone())
            .with::<Fence>(this.clone())
            .fencing(this.clone())
            .measuring_room(this.clone())
            .addressed(this.clone())
            .proving(this)
    }

    pub(super) fn fleet<T>(&self, look: impl FnOnce(&mut Fleet) -> T) -> Option<T> {
        self.world.with(|world| world.fleets.get_mut(&self.name).map(look))
    }

    /// Goes to a side as a verb does, which may not be allowed there.
    pub(super) async fn reach(&self, cx: &Cx, verb: &str, side: &Side) -> Result<()> {
        self.world.reach(cx, &self.name, side).await?;
        match self.fleet(|fleet| fleet.forbidden.contains(&permission(verb))) {
            Some(true) => {
                let text = format!("{} is not allowed", permission(verb));
                Err(Error::new(ErrorKind::Unauthorized, text).on(side.as_str()).not_happened())
            }
            Some(false) | None => Ok(()),
        }
    }

    /// New replicas on a side cannot start any more, or can again.
    pub fn break_rollouts(&self, side: impl Into<Side>, why: Option<&str>) {
        self.world.with(|world| {
            let Some(fleet) = world.fleets.get_mut(&self.name) else { return };
            match why {
                Some(why) => fleet.broken.insert(side.into(), why.to_owned()),
                None => fleet.broken.remove(&side.into()),
            };
        });
    }

    /// A side has room for that many replicas of each workload, or for any number.
    pub fn limit_room(&self, side: impl Into<Side>, replicas: Option<u32>) {
        self.fleet(|fleet| match replicas {
            Some(replicas) => fleet.room.insert(side.into(), replicas),
            None => fleet.room.remove(&side.into()),
        });
    }

    /// Something that seems to stand in the way of a scale of a side, and does not.
    pub fn endanger(&self, side: impl Into<Side>, hazard: Hazard) {
        self.fleet(|fleet| fleet.hazards.entry(side.into()).or_default().push(hazard));
    }

    /// A side's load balancer has no address yet.
    pub fn take_address(&self, side: impl Into<Side>) {
        self.fleet(|fleet| fleet.addresses.insert(side.into(), Vec::new()));
    }

    /// A side's load balancer is made anew: it has that one address from now on.
    pub fn readdress(&self, side: impl Into<Side>, address: &str) {
        self.fleet(|fleet| fleet.addresses.insert(side.into(), vec![address.to_owned()]));
    }

    /// A permission is taken away: `model:scale`, `model:configure`, `model:fence`.
    pub fn forbid(&self, permission: &str) {
        self.fleet(|fleet| fleet.forbidden.insert(permission.to_owned()));
    }

    /// A secret that settings can name, and its value.
    pub fn keep_secret(&self, name: &str, value: &str) {
        self.fleet(|fleet| fleet.secrets.insert(name.to_owned(), value.to_owned()));
    }

    /// Somebody else sets something for every workload of a side, which runs with it at once.
    pub fn set_by_hand(&self, side: impl Into<Side>, name: &str, is: Setting) {
        let side = side.into();
        self.world.with(|world| world.set_by_hand(&self.name, &side, name, &is));
    }

    /// What the running workloads of a side were started with under a setting's name, secrets in clear.
    pub fn runs_with(&self, side: impl Into<Side>, name: &str) -> BTreeMap<String, Option<String>> {
        self.world.with(|world| world.runs_with(&self.name, &side.into(), name))
    }

    /// Somebody else scales a side, at once.
    pub fn scale_by_hand(&self, side: impl Into<Side>, replicas: u32) {
        self.world.with(|world| {
            let side = world.fleets.get_mut(&self.name).and_then(|fleet| fleet.sides.get_mut(&side.into()));
            for state in side.into_iter().flat_map(BTreeMap::values_mut) {
                state.desired = replicas;
                state.ready = replicas;
            }
        });
    }

    /// How many replicas of each workload are ready on a side.
    pub fn ready(&self, side: impl Into<Side>) -> BTreeMap<String, u32> {
        let side = side.into();
        self.world.with(|world| {
            let states = world.fleets.get(&self.name).and_then(|fleet| fleet.sides.get(&side));
            states.into_iter().flatten().map(|(name, state)| (name.clone(), state.ready)).collect()
        })
    }
}

/// What a verb needs to be allowed.
pub(super) fn permission(verb: &str) -> String {
    format!("model:{verb}")
}

impl Inner {
    pub(super) fn fleet(&self, name: &ResourceName, side: &Side) -> Result<&BTreeMap<String, WorkloadState>> {
        self.fleets
            .get(name)
            .and_then(|fleet| fleet.sides.get(side))
            .ok_or_else(|| Error::invalid(format!("{name} has no side {side}")))
    }
}

#[async_trait]
impl Observe<Staffing> for ModelWorkloads {
    async fn observe(&self, cx: &Cx) -> Result<Staffing> {
        self.world.look_everywhere(cx, &self.name).await;
        self.world.with(|world| {
            let mut sides = BTreeMap::new();
            for side in world.sides.keys() {
                let seen = match world.fault(&self.name, side)? {
                    Some(_) => None,
                    None => Some(world.fleet(&self.name, side)?.values().cloned().collect()),
                };
                sides.insert(side.clone(), seen);
            }
            Ok(Staffing::new(world.wall(Instant::now()), sides))
        })
    }
}
