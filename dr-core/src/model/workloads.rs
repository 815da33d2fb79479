//! A fleet: workloads that run on each side.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use tokio::time::Instant;

use super::change::Change;
use super::world::{Inner, World};
use crate::error::{Error, ErrorKind, Result};
use crate::ids::{Identity, ResourceName, RunId, Side};
use crate::resource::{
    Before, Cx, Diff, Effect, Observe, Prepared, Replicas, Resource, Scale, Scaled, Staffing, WorkloadState,
};

#[derive(Debug)]
pub(super) struct Fleet {
    pub(super) sides: BTreeMap<Side, BTreeMap<String, WorkloadState>>,
    pub(super) broken: BTreeMap<Side, String>,
    /// What each side had when a run first scaled it, and which run.
    noted: BTreeMap<Side, (RunId, Counts)>,
}

impl Fleet {
    pub(super) fn new<'a>(sides: impl Iterator<Item = &'a Side>, workloads: &[&str], serving: u32) -> Self {
        let of = |count: u32| {
            workloads
                .iter()
                .map(|name| ((*name).to_owned(), WorkloadState::new(*name, count, count)))
                .collect()
        };
        let sides = sides
            .enumerate()
            .map(|(index, side)| (side.clone(), of(if index == 0 { serving } else { 0 })))
            .collect();
        Self { sides, broken: BTreeMap::new(), noted: BTreeMap::new() }
    }
}

/// Workloads on each side.
#[derive(Debug, Clone)]
pub struct ModelWorkloads {
    pub(super) world: World,
    pub(super) name: ResourceName,
}

type Counts = BTreeMap<String, u32>;

impl ModelWorkloads {
    /// The resource, with everything that it can do.
    pub fn resource(&self) -> Resource {
        let this = Arc::new(self.clone());
        Resource::new(Identity::new(format!("model:{}", self.name)))
            .observing::<Staffing>(this.clone())
            .with::<Scale>(this)
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

    fn set(&self, side: &Side, wanted: &Counts) {
        self.world.with(|world| {
            let takes = world.pace.scale;
            let mut asked = Vec::new();
            let states = world.fleets.get_mut(&self.name).and_then(|fleet| fleet.sides.get_mut(side));
            for (workload, state) in states.into_iter().flatten() {
                let Some(ready) = wanted.get(workload).copied() else { continue };
                if (state.desired, state.ready) == (ready, ready) {
                    continue;
                }
                state.desired = ready;
                let (fleet, side, workload) = (self.name.clone(), side.clone(), workload.clone());
                asked.push(Change::Ready { fleet, side, workload, ready });
            }
            // What was asked for before and is not done yet is superseded.
            world.pending.retain(|_, change| !asked.iter().any(|new| is_same_workload(new, change)));
            for change in asked {
                world.ask(change, takes);
            }
        });
    }

    async fn await_ready(&self, cx: &Cx, side: &Side, wanted: &Counts) -> Result<Scaled> {
        self.world
            .until(cx, "scale", |world| {
                let states = world.fleet(&self.name, side)?.values().cloned().collect::<Vec<_>>();
                let is =
                    |state: &WorkloadState| wanted.get(&state.name).is_none_or(|count| state.ready == *count);
                let under_way = world.pending.values().any(|change| change.readies(&self.name, side));
                if states.iter().all(is) && !under_way {
                    return Ok(Some(Scaled { side: side.clone(), workloads: states }));
                }
                let short = states
                    .iter()
                    .any(|state| wanted.get(&state.name).is_some_and(|count| state.ready < *count));
                let broken = world.fleets.get(&self.name).and_then(|fleet| fleet.broken.get(side));
                if let Some(why) = broken.filter(|_| short) {
                    return Err(Error::new(ErrorKind::Refused, why.clone()).on(side.as_str()));
                }
                Ok(None)
            })
            .await
    }
}

fn is_same_workload(new: &Change, old: &Change) -> bool {
    match (new, old) {
        (
            Change::Ready { fleet, side, workload, .. },
            Change::Ready { fleet: of, side: on, workload: what, .. },
        ) => (fleet, side, workload) == (of, on, what),
        _ => false,
    }
}

impl Inner {
    fn fleet(&self, name: &ResourceName, side: &Side) -> Result<&BTreeMap<String, WorkloadState>> {
        self.fleets
            .get(name)
            .and_then(|fleet| fleet.sides.get(side))
            .ok_or_else(|| Error::invalid(format!("{name} has no side {side}")))
    }

    /// How many of each a call wants.
    fn wanted(&self, name: &ResourceName, call: &Scale) -> Result<Counts> {
        let side = call.side.side()?;
        let names = self.fleet(name, side)?.keys().cloned();
        match &call.replicas {
            Replicas::Count(count) => Ok(names.map(|name| (name, *count)).collect()),
            Replicas::SameAs(at) => self.part(name, names, 100, at.side()?),
            Replicas::Percent { percent, of } => self.part(name, names, *percent, of.side()?),
            Replicas::Before => match self.fleets.get(name).and_then(|fleet| fleet.noted.get(side)) {
                Some((_, counts)) => Ok(counts.clone()),
                None => Err(Error::refused("nobody noted how many there were").on(side.as_str())),
            },
        }
    }

    /// A part of what another side wants.
    fn part(
        &self,
        name: &ResourceName,
        names: impl Iterator<Item = String>,
        percent: u32,
        from: &Side,
    ) -> Result<Counts> {
        if let Some(fault) = self.fault(name, from)? {
            return Err(fault.error(from.as_str()).not_happened());
        }
        let other = self.fleet(name, from)?;
        let part = |desired: u32| Replicas::part_of(percent, desired);
        Ok(names.filter_map(|name| other.get(&name).map(|state| (name, part(state.desired)))).collect())
    }

    /// Keeps what a side has, once a run, for a later `before`.
    fn note(&mut self, name: &ResourceName, side: &Side, run: &RunId) {
        let Some(fleet) = self.fleets.get_mut(name) else { return };
        if fleet.noted.get(side).is_some_and(|(by, _)| by == run) {
            return;
        }
        let counts = fleet.sides.get(side).into_iter().flatten();
        let counts = counts.map(|(name, state)| (name.clone(), state.desired)).collect();
        fleet.noted.insert(side.clone(), (run.clone(), counts));
    }
}

#[async_trait]
impl Observe<Staffing> for ModelWorkloads {
    async fn observe(&self, cx: &Cx) -> Result<Staffing> {
        let delay = self.world.with(|world| {
            let delays = world.sides.keys().map(|side| match world.fault(&self.name, side) {
                Ok(Some(fault)) => fault.delay(world.pace.patience),
                Ok(None) | Err(_) => world.pace.look,
            });
            delays.max().unwrap_or_default()
        });
        tokio::time::sleep(delay.min(cx.left().mul_f64(0.9))).await;
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

#[async_trait]
impl Effect<Scale> for ModelWorkloads {
    async fn prepare(&self, cx: &Cx, call: &Scale) -> Result<Prepared> {
        let side = call.side.side()?;
        self.world.reach(cx, &self.name, side).await.map_err(Error::not_happened)?;
        self.world.with(|world| {
            let wanted = world.wanted(&self.name, call)?;
            let states = world.fleet(&self.name, side)?;
            let was: Counts = states.iter().map(|(name, state)| (name.clone(), state.desired)).collect();
            let mut diff = Diff::default();
            for (name, count) in &wanted {
                let Some(state) = states.get(name) else { continue };
                if (state.desired, state.ready) != (*count, *count) {
                    let from = format!("{} of {}", state.ready, state.desired);
                    diff = diff.and(format!("{side} {name}"), from, count.to_string());
                }
            }
            let before = Before::of(&was)?;
            Ok(if diff.0.is_empty() { Prepared::already(before) } else { Prepared::would(diff, before) })
        })
    }

    async fn apply(&self, cx: &Cx, call: &Scale, _was: &Prepared) -> Result<Scaled> {
        let side = call.side.side()?;
        self.world.reach(cx, &self.name, side).await.map_err(Error::not_happened)?;
        let wanted = self.world.with(|world| {
            let wanted = world.wanted(&self.name, call)?;
            if call.replicas != Replicas::Before {
                world.note(&self.name, side, &cx.run);
            }
            Ok::<_, Error>(wanted)
        })?;
        self.set(side, &wanted);
        self.await_ready(cx, side, &wanted).await
    }

    async fn undo(&self, cx: &Cx, call: &Scale, was: &Before) -> Result<()> {
        let side = call.side.side()?;
        let was: Counts = was.read()?;
        self.world.reach(cx, &self.name, side).await?;
        self.world.with(|world| {
            let left = world.wanted(&self.name, call)?;
            for (name, state) in world.fleet(&self.name, side)? {
                let ours = [was.get(name), left.get(name)];
                if !ours.contains(&Some(&state.desired)) {
                    let text = format!("somebody scaled {name} to {} meanwhile", state.desired);
                    return Err(Error::new(ErrorKind::Conflict, text).on(side.as_str()).not_happened());
                }
            }
            Ok(())
        })?;
        self.set(side, &was);
        self.await_ready(cx, side, &was).await.map(drop)
    }
}
