//! The verb `scale` of a model.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::change::Change;
use super::workloads::{Counts, Fleet, ModelWorkloads};
use super::world::Inner;
use crate::error::{Error, ErrorKind, Result};
use crate::ids::{ResourceName, RunId, Side};
use crate::resource::{Before, Call, Cx, Diff, Effect, Prepared, Replicas, Scale, Scaled, WorkloadState};

impl ModelWorkloads {
    pub(super) fn set(&self, side: &Side, wanted: &Counts) {
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

    pub(super) async fn await_ready(&self, cx: &Cx, side: &Side, wanted: &Counts) -> Result<Scaled> {
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
                let why = world.fleets.get(&self.name).and_then(|fleet| fleet.hinders(side, wanted));
                if let Some(why) = why.filter(|_| short) {
                    return Err(Error::new(ErrorKind::Refused, why).on(side.as_str()));
                }
                Ok(None)
            })
            .await
    }
}

impl Fleet {
    /// Why what is wanted there cannot become ready.
    fn hinders(&self, side: &Side, wanted: &Counts) -> Option<String> {
        let most = wanted.values().max().copied().unwrap_or_default();
        let full = self.room.get(side).filter(|room| most > **room);
        self.broken.get(side).cloned().or_else(|| {
            full.map(|room| format!("exceeded quota: {most} of each are wanted and {room} allowed"))
        })
    }
}

fn is_same_workload(new: &Change, old: &Change) -> bool {
    let of = |change: &Change| match change {
        Change::Ready { fleet, side, workload, .. } => Some((fleet.clone(), side.clone(), workload.clone())),
        _ => None,
    };
    of(new).is_some_and(|new| of(old) == Some(new))
}

/// What each workload had, and what the call wants of it as it was when the step began: the other side, of which it
/// may want a part, can be gone or scaled by then.
#[derive(Debug, Serialize, Deserialize)]
struct Was {
    counts: Counts,
    wanted: Counts,
}

impl Inner {
    /// How many of each a call wants.
    pub(super) fn wanted(&self, name: &ResourceName, call: &Scale) -> Result<Counts> {
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
impl Effect<Scale> for ModelWorkloads {
    async fn prepare(&self, cx: &Cx, call: &Scale) -> Result<Prepared> {
        let side = call.side.side()?;
        self.reach(cx, Scale::VERB, side).await.map_err(Error::not_happened)?;
        self.world.with(|world| {
            let wanted = world.wanted(&self.name, call)?;
            let states = world.fleet(&self.name, side)?;
            let counts: Counts = states.iter().map(|(name, state)| (name.clone(), state.desired)).collect();
            let mut diff = Diff::default();
            for (name, count) in &wanted {
                let Some(state) = states.get(name) else { continue };
                if (state.desired, state.ready) != (*count, *count) {
                    let from = format!("{} of {}", state.ready, state.desired);
                    diff = diff.and(format!("{side} {name}"), from, count.to_string());
                }
            }
            let before = Before::of(&Was { counts, wanted })?;
            Ok(if diff.0.is_empty() { Prepared::already(before) } else { Prepared::would(diff, before) })
        })
    }

    async fn apply(&self, cx: &Cx, call: &Scale, was: &Prepared) -> Result<Scaled> {
        let side = call.side.side()?;
        let Was { wanted, .. } = was.before.read()?;
        self.reach(cx, Scale::VERB, side).await.map_err(Error::not_happened)?;
        self.world.with(|world| {
            let barred = world.fleets.get(&self.name).is_some_and(|fleet| fleet.barred.contains_key(side));
            if barred && wanted.values().any(|count| *count > 0) {
                return Err(Error::refused("it is fenced: nothing may start there").on(side.as_str()));
            }
            if call.replicas != Replicas::Before {
                world.note(&self.name, side, &cx.run);
            }
            Ok(())
        })?;
        self.set(side, &wanted);
        self.await_ready(cx, side, &wanted).await
    }

    async fn undo(&self, cx: &Cx, call: &Scale, was: &Before) -> Result<()> {
        let side = call.side.side()?;
        let was: Was = was.read()?;
        self.reach(cx, Scale::VERB, side).await?;
        self.world.with(|world| {
            for (name, state) in world.fleet(&self.name, side)? {
                let ours = [was.counts.get(name), was.wanted.get(name)];
                if !ours.contains(&Some(&state.desired)) {
                    let text = format!("somebody scaled {name} to {} meanwhile", state.desired);
                    return Err(Error::new(ErrorKind::Conflict, text).on(side.as_str()).not_happened());
                }
            }
            Ok(())
        })?;
        self.set(side, &was.counts);
        self.await_ready(cx, side, &was.counts).await.map(drop)
    }
}
