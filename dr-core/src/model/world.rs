//! Everything there is, shared by the handles on it.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::alarm::{Bell, ModelAlarm};
use super::change::Change;
use super::fault::Fault;
use super::node::{Node, Record, What};
use super::service::{ModelService, ServiceState};
use super::store::{ModelStore, StoreState};
use super::traffic::ModelTraffic;
use super::workloads::{Fleet, ModelWorkloads};
use super::zone::Zone;
use crate::env::Env;
use crate::error::{Error, Result};
use crate::ids::{ResourceName, Side};
use crate::resource::{Cx, Resource};
use crate::time::Timestamp;

/// How long things take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// One question and its answer.
    pub look: Duration,
    /// How long a caller waits on silence before it says so.
    pub patience: Duration,
    /// A fence.
    pub fence: Duration,
    /// A promotion.
    pub promote: Duration,
    /// Making a standby.
    pub follow: Duration,
    /// Starting a database.
    pub start: Duration,
    /// Starting or ending a workload's replicas.
    pub scale: Duration,
    /// From one authoritative server to the next.
    pub propagate: Duration,
    /// Taking a copy, or sending it to another side.
    pub backup: Duration,
    /// Restoring one.
    pub restore: Duration,
    /// An alarm that goes off.
    pub alarm: Duration,
}

impl Default for Pace {
    /// As a small PostgreSQL and a small fleet behave.
    fn default() -> Self {
        Self {
            look: Duration::from_millis(1),
            patience: Duration::from_secs(2),
            fence: Duration::from_millis(60),
            promote: Duration::from_millis(120),
            follow: Duration::from_secs(1),
            start: Duration::from_millis(200),
            scale: Duration::from_millis(500),
            propagate: Duration::from_millis(20),
            backup: Duration::from_millis(300),
            restore: Duration::from_millis(400),
            alarm: Duration::from_millis(100),
        }
    }
}

/// Something that must never be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// When it began.
    pub at: Timestamp,
    /// The store.
    pub store: ResourceName,
    /// The sides that both take writes.
    pub writable: Vec<Side>,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sides: Vec<&str> = self.writable.iter().map(Side::as_str).collect();
        write!(f, "{}: {} both take writes since {}", self.store, sides.join(" and "), self.at)
    }
}

/// A world of resources on a few sides. Clones share it.
#[derive(Debug, Clone)]
pub struct World(Arc<Mutex<Inner>>);

#[derive(Debug)]
pub(super) struct Inner {
    pub(super) origin: Timestamp,
    pub(super) begun: Instant,
    pub(super) pace: Pace,
    pub(super) sides: BTreeMap<Side, Option<Fault>>,
    pub(super) stores: BTreeMap<ResourceName, StoreState>,
    pub(super) fleets: BTreeMap<ResourceName, Fleet>,
    pub(super) zones: BTreeMap<ResourceName, Zone>,
    pub(super) services: BTreeMap<ResourceName, ServiceState>,
    pub(super) alarms: BTreeMap<ResourceName, BTreeMap<Side, Bell>>,
    pub(super) pending: BTreeMap<(Instant, u64), Change>,
    pub(super) violations: Vec<Violation>,
    pub(super) requests: u64,
    ids: u64,
}

impl World {
    /// A world with these sides. The first is the one that serves.
    pub fn new(sides: impl IntoIterator<Item = impl Into<Side>>) -> Self {
        let sides: Vec<Side> = sides.into_iter().map(Into::into).collect();
        Self(Arc::new(Mutex::new(Inner {
            origin: Timestamp::from_millis(1_800_000_000_000),
            begun: Instant::now(),
            pace: Pace::default(),
            sides: sides.into_iter().map(|side| (side, None)).collect(),
            stores: BTreeMap::new(),
            fleets: BTreeMap::new(),
            zones: BTreeMap::new(),
            services: BTreeMap::new(),
            alarms: BTreeMap::new(),
            pending: BTreeMap::new(),
            violations: Vec::new(),
            requests: 0,
            ids: 0,
        })))
    }

    /// The same world at another pace.
    #[must_use]
    pub fn at_pace(self, pace: Pace) -> Self {
        self.with(|world| world.pace = pace);
        self
    }

    /// Clock and chance that go with this world's time.
    pub fn env(&self, seed: u64) -> Env {
        Env::repeatable(self.with(|world| world.wall(Instant::now())), seed)
    }

    /// A replicated store of that name: the first side's node is the primary, the others copy it.
    pub fn store(&self, name: impl Into<ResourceName>) -> ModelStore {
        let name = name.into();
        self.with(|world| {
            if !world.stores.contains_key(&name) {
                let id = world.next_id();
                let created = Record { id, at: world.begun, what: What::Created };
                let state = StoreState::new(world.sides.keys(), id, &created);
                world.stores.insert(name.clone(), state);
            }
        });
        ModelStore { world: self.clone(), name }
    }

    /// A fleet of that name: each workload has `serving` replicas on the first side and none elsewhere.
    pub fn workloads(
        &self,
        name: impl Into<ResourceName>,
        workloads: &[&str],
        serving: u32,
    ) -> ModelWorkloads {
        let name = name.into();
        self.with(|world| {
            let fleet = Fleet::new(world.sides.keys(), workloads, serving);
            world.fleets.entry(name.clone()).or_insert(fleet);
        });
        ModelWorkloads { world: self.clone(), name }
    }

    /// A name of that name: two authoritative servers that send callers to the first side.
    pub fn traffic(&self, name: impl Into<ResourceName>, ttl: Duration) -> ModelTraffic {
        let name = name.into();
        self.with(|world| {
            let zone = Zone::new(world.sides.keys(), ttl);
            world.zones.entry(name.clone()).or_insert(zone);
        });
        ModelTraffic { world: self.clone(), name }
    }

    /// A service behind a name, run by a fleet, that reads and writes a store.
    pub fn service(
        &self,
        name: impl Into<ResourceName>,
        behind: &ModelTraffic,
        run_by: Option<&ModelWorkloads>,
        on: Option<&ModelStore>,
    ) -> ModelService {
        let name = name.into();
        let state = ServiceState {
            zone: behind.name.clone(),
            fleet: run_by.map(|fleet| fleet.name.clone()),
            store: on.map(|store| store.name.clone()),
        };
        self.with(|world| world.services.entry(name.clone()).or_insert(state).clone());
        ModelService { world: self.clone(), name }
    }

    /// An alarm of that name on each side: quiet, armed, and heard by these.
    pub fn alarm(&self, name: impl Into<ResourceName>, reaches: &[&str]) -> ModelAlarm {
        let name = name.into();
        self.with(|world| {
            let bells = world.sides.keys().map(|side| (side.clone(), Bell::reaching(reaches))).collect();
            world.alarms.entry(name.clone()).or_insert(bells);
        });
        ModelAlarm { world: self.clone(), name }
    }

    /// Everything in it, ready to be bound to a script.
    pub fn resources(&self) -> BTreeMap<ResourceName, Resource> {
        let names = self.with(|world| {
            let stores: Vec<_> = world.stores.keys().cloned().collect();
            let fleets: Vec<_> = world.fleets.keys().cloned().collect();
            let zones: Vec<_> = world.zones.keys().cloned().collect();
            let services: Vec<_> = world.services.keys().cloned().collect();
            let alarms: Vec<_> = world.alarms.keys().cloned().collect();
            (stores, fleets, zones, services, alarms)
        });
        let world = || self.clone();
        let mut all = BTreeMap::new();
        for name in names.0 {
            all.insert(name.clone(), ModelStore { world: world(), name }.resource());
        }
        for name in names.1 {
            all.insert(name.clone(), ModelWorkloads { world: world(), name }.resource());
        }
        for name in names.2 {
            all.insert(name.clone(), ModelTraffic { world: world(), name }.resource());
        }
        for name in names.3 {
            all.insert(name.clone(), ModelService { world: world(), name }.resource());
        }
        for name in names.4 {
            all.insert(name.clone(), ModelAlarm { world: world(), name }.resource());
        }
        all
    }

    /// Lets a whole side fail: everything on it.
    pub fn fail(&self, side: impl Into<Side>, fault: Fault) {
        self.with(|world| world.sides.insert(side.into(), Some(fault)));
    }

    /// The side's network is whole again.
    pub fn heal(&self, side: impl Into<Side>) {
        self.with(|world| world.sides.insert(side.into(), None));
    }

    /// What must never be, and was.
    pub fn violations(&self) -> Vec<Violation> {
        self.with(|world| world.violations.clone())
    }

    /// How many changes were asked of it through its resources, whether or not they changed anything.
    pub fn requests(&self) -> u64 {
        self.with(|world| world.requests)
    }

    /// Looks at, or changes, the world as it is now.
    pub(super) fn with<T>(&self, look: impl FnOnce(&mut Inner) -> T) -> T {
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        inner.catch_up(Instant::now());
        let seen = look(&mut inner);
        inner.watch(Instant::now());
        seen
    }

    /// Goes to a side and back, as a call does.
    pub(super) async fn reach(&self, cx: &Cx, name: &ResourceName, side: &Side) -> Result<()> {
        let (fault, pace) = self.with(|world| (world.fault(name, side), world.pace));
        match fault? {
            None => {
                cx.bound("look", async {
                    tokio::time::sleep(pace.look).await;
                    Ok(())
                })
                .await
            }
            Some(fault) => {
                tokio::time::sleep(fault.delay(pace.patience).min(cx.left().mul_f64(0.9))).await;
                Err(fault.error(side.as_str()))
            }
        }
    }

    /// Looks at every side at once, and waits for the slowest.
    pub(super) async fn look_everywhere(&self, cx: &Cx, name: &ResourceName) {
        let delay = self.with(|world| {
            let delays = world.sides.keys().map(|side| match world.fault(name, side) {
                Ok(Some(fault)) => fault.delay(world.pace.patience),
                Ok(None) | Err(_) => world.pace.look,
            });
            delays.max().unwrap_or_default()
        });
        tokio::time::sleep(delay.min(cx.left().mul_f64(0.9))).await;
    }

    /// Waits until `is` has an answer, looking whenever something is due.
    pub(super) async fn until<T>(
        &self,
        cx: &Cx,
        what: &str,
        is: impl Fn(&mut Inner) -> Result<Option<T>> + Send,
    ) -> Result<T> {
        cx.bound(what, async {
            loop {
                let (answer, due) = self.with(|world| (is(world), world.next_due()));
                match (answer?, due) {
                    (Some(answer), _) => return Ok(answer),
                    (None, Some(due)) => tokio::time::sleep_until(due).await,
                    (None, None) => {
                        return Err(Error::new(crate::ErrorKind::Unknown, "nothing more will happen"));
                    }
                }
            }
        })
        .await
    }
}

impl Inner {
    pub(super) fn next_id(&mut self) -> u64 {
        self.ids += 1;
        self.ids
    }

    pub(super) fn wall(&self, at: Instant) -> Timestamp {
        self.origin.plus(at.saturating_duration_since(self.begun))
    }

    fn next_due(&self) -> Option<Instant> {
        self.pending.keys().next().map(|(at, _)| *at)
    }

    /// Asks for a change that is done after a while.
    pub(super) fn ask(&mut self, change: Change, takes: Duration) {
        let id = self.next_id();
        self.requests += 1;
        self.pending.insert((Instant::now() + takes, id), change);
    }

    /// Whether something is still under way on a store's side.
    pub(super) fn is_under_way(&self, store: &ResourceName, side: &Side) -> bool {
        self.pending.values().any(|change| change.on() == Some((store, side)))
    }

    pub(super) fn fault(&self, name: &ResourceName, side: &Side) -> Result<Option<Fault>> {
        let of_side = side.of(&self.sides).map_err(|error| error.on(name.as_str()))?;
        let own = self.stores.get(name).and_then(|store| store.faults.get(side));
        Ok(own.copied().or(*of_side))
    }

    pub(super) fn node_mut(&mut self, store: &ResourceName, side: &Side) -> Option<&mut Node> {
        self.stores.get_mut(store)?.nodes.get_mut(side)
    }

    pub(super) fn node(&self, store: &ResourceName, side: &Side) -> Result<&Node> {
        self.stores
            .get(store)
            .and_then(|state| state.nodes.get(side))
            .ok_or_else(|| Error::invalid(format!("{store} has no side {side}")))
    }

    /// Carries out what is due, in order, with the copying in between.
    fn catch_up(&mut self, now: Instant) {
        while let Some(due) = self.pending.first_entry().filter(|due| due.key().0 <= now) {
            let ((at, _), change) = due.remove_entry();
            self.copy(at);
            self.carry_out(&change, at);
            self.watch(at);
        }
        self.copy(now);
    }

    /// Lets every standby take what its primary wrote.
    fn copy(&mut self, until: Instant) {
        let faults = self.sides.clone();
        for state in self.stores.values_mut() {
            let nodes = state.nodes.clone();
            for (side, node) in &mut state.nodes {
                let Some(of) = node.follows.clone() else { continue };
                let down = |side: &Side| {
                    faults.get(side).copied().flatten().is_some() || state.faults.contains_key(side)
                };
                let linked = !state.link_cut && !down(side) && !down(&of);
                if let Some(from) = nodes.get(&of).filter(|from| from.is_up() && from.primary)
                    && linked
                    && node.is_up()
                {
                    node.replay(from, until, state.lag);
                }
            }
        }
    }

    /// Notes what must never be.
    fn watch(&mut self, now: Instant) {
        let at = self.wall(now);
        for (name, state) in &mut self.stores {
            let writable: Vec<Side> = state
                .nodes
                .iter()
                .filter(|(_, node)| node.is_writable())
                .map(|(side, _)| side.clone())
                .collect();
            let two = writable.len() > 1;
            if two && !state.two_noted {
                self.violations.push(Violation { at, store: name.clone(), writable });
            }
            state.two_noted = two;
        }
    }
}
