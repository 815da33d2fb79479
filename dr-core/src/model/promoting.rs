//! The verb `promote` of a model.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::change::Change;
use super::node::Power;
use super::store::ModelStore;
use super::world::Inner;
use crate::error::{Error, ErrorKind, Result};
use crate::ids::{ResourceName, Side};
use crate::resource::{Basis, Before, Cx, Diff, Effect, Prepared, Promote, Promotion};

#[derive(Debug, Serialize, Deserialize)]
struct Was {
    timeline: u64,
}

impl Inner {
    pub(super) fn is_being_promoted(&self, store: &ResourceName, side: &Side) -> bool {
        self.pending.values().any(|change| change.promotes(store, side))
    }

    /// The planned proof: the source is cleanly stopped or locked, and the target has all of its log.
    fn nothing_is_missing(&self, store: &ResourceName, side: &Side) -> Result<()> {
        let target = self.node(store, side)?;
        let not_yet = |text: String| Error::new(ErrorKind::NotReady, text).not_happened();
        let Some(source) = target.follows.as_ref() else {
            return Err(not_yet(format!("{side} follows nobody")).permanent());
        };
        if self.fault(store, source)?.is_some() {
            return Err(not_yet(format!("{source} cannot be read")));
        }
        let from = self.node(store, source)?;
        if from.power == (Power::Down { clean: false }) {
            return Err(not_yet(format!("{source} was not stopped cleanly")).permanent());
        }
        if from.is_writable() {
            return Err(not_yet(format!("{source} still takes writes")));
        }
        if from.system != target.system || !target.covers(from) {
            return Err(not_yet(format!("{side} has not replayed the end of the log of {source}")));
        }
        Ok(())
    }
}

impl Inner {
    /// Whether a switchover can begin: the writer is there, and the copy follows it.
    pub(super) fn can_switch(&self, store: &ResourceName, side: &Side) -> Result<()> {
        let not_yet = |text: String| Err(Error::new(ErrorKind::NotReady, text).not_happened());
        let target = self.node(store, side)?;
        let Some(source) = target.follows.as_ref() else { return not_yet(format!("{side} follows nobody")) };
        if self.fault(store, source)?.is_some() {
            return not_yet(format!("{source} cannot be read"));
        }
        let from = self.node(store, source)?;
        let cut = self.stores.get(store).is_some_and(|state| state.link_cut);
        if cut || !from.is_up() || !from.primary || target.shares(from) < target.log.len() {
            return not_yet(format!("{side} does not replicate from {source}"));
        }
        Ok(())
    }
}

/// A planned promotion of a store that fences by itself needs no fence; an unplanned one does, as any other's.
fn grounded(call: &Promote, fences_itself: bool) -> Result<Basis> {
    let basis = call.basis.clone().ok_or_else(|| Error::refused("no basis for this promotion"))?;
    let empty = match &basis {
        Basis::Planned { fences } => fences.is_empty() && !fences_itself,
        Basis::Forced { fences, risk, .. } => fences.is_empty() && risk.is_none(),
    };
    if empty {
        return Err(Error::refused("the basis of this promotion is empty: no fence and no accepted risk"));
    }
    Ok(basis)
}

#[async_trait]
impl Effect<Promote> for ModelStore {
    async fn prepare(&self, cx: &Cx, call: &Promote) -> Result<Prepared> {
        let side = call.side.side()?;
        self.world.reach(cx, &self.name, side).await.map_err(Error::not_happened)?;
        self.world.with(|world| {
            let node = world.node(&self.name, side)?;
            let before = Before::of(&Was { timeline: node.timeline })?;
            if !node.is_up() {
                return Ok(Prepared::unknown(format!("{side} is down"), before));
            }
            Ok(match node.primary {
                true if node.is_writable() => Prepared::already(before),
                true => Prepared::would(Diff::one(side.as_str(), "locked", "writable"), before),
                false => Prepared::would(Diff::one(side.as_str(), "standby", "primary"), before),
            })
        })
    }

    async fn apply(&self, cx: &Cx, call: &Promote, _was: &Prepared) -> Result<Promotion> {
        let side = call.side.side()?;
        let by_itself = self.change(|state| state.fences_itself).unwrap_or_default();
        let basis = grounded(call, by_itself)?;
        self.world.reach(cx, &self.name, side).await.map_err(Error::not_happened)?;
        let joined = self.world.with(|world| {
            let node = world.node(&self.name, side)?;
            if !node.is_up() {
                return Err(Error::new(ErrorKind::NotReady, format!("{side} is down")).not_happened());
            }
            if node.primary || world.is_being_promoted(&self.name, side) {
                return Ok(true);
            }
            let (store, side) = (self.name.clone(), side.clone());
            let unfenced = matches!(&basis, Basis::Planned { fences } if fences.is_empty());
            let change = match &basis {
                Basis::Planned { .. } if unfenced => {
                    world.can_switch(&store, &side)?;
                    Change::Switch { store, side }
                }
                Basis::Planned { .. } => {
                    world.nothing_is_missing(&store, &side)?;
                    Change::Promote { store, side }
                }
                Basis::Forced { .. } => Change::Promote { store, side },
            };
            let state = world.stores.get(&self.name);
            let slow = state.map(|state| state.stalled + state.lag).unwrap_or_default();
            let stalled = state.map(|state| state.stalled).unwrap_or_default();
            world.ask(change, world.pace.promote + if unfenced { slow } else { stalled });
            Ok(false)
        })?;
        let basis = if joined { basis.of_an_earlier_attempt(cx) } else { basis };
        let promoted = self
            .world
            .until(cx, "promote", |world| {
                if world.is_being_promoted(&self.name, side) {
                    return Ok(None);
                }
                let node = world.node(&self.name, side)?;
                if !node.is_writable() {
                    let text = format!("{side} was not promoted, or cannot be written");
                    return Err(Error::new(ErrorKind::Unknown, text));
                }
                let at = world.wall(node.first_write.unwrap_or(world.begun));
                let began = node.history.last().map(|switch| switch.at.clone());
                Ok(Some(Promotion::new(side.clone(), at, basis.clone()).on(Some(node.timeline), began)))
            })
            .await?;
        self.world.reach(cx, &self.name, side).await?;
        Ok(promoted)
    }

    /// Cancels: the node is stopped and started again as a standby, which ends every promotion asked of it.
    async fn undo(&self, cx: &Cx, call: &Promote, was: &Before) -> Result<()> {
        let side = call.side.side()?;
        let was: Was = was.read()?;
        self.world.reach(cx, &self.name, side).await?;
        self.world.with(|world| {
            if world.stores.get(&self.name).is_some_and(|state| state.out_of_control) {
                return Err(Error::refused(format!("{side} cannot be stopped from here: no proof")));
            }
            let change = Change::Cancel { store: self.name.clone(), side: side.clone() };
            world.ask(change, world.pace.start);
            Ok(())
        })?;
        self.world
            .until(cx, "cancel", |world| {
                let cancelling = world.pending.values().any(|change| {
                    matches!(change, Change::Cancel { store, side: on } if *store == self.name && on == side)
                });
                if cancelling {
                    return Ok(None);
                }
                let node = world.node(&self.name, side)?;
                if node.primary || world.is_being_promoted(&self.name, side) {
                    return Err(Error::refused(format!("{side} is the primary: too late to cancel")));
                }
                if node.timeline != was.timeline {
                    return Err(Error::new(
                        ErrorKind::Conflict,
                        format!("{side} is on another timeline by now"),
                    ));
                }
                Ok(Some(()))
            })
            .await
    }
}
