//! The verbs `fence` and `unfence` of a model, and the word on whether a fence holds.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::change::Change;
use super::fault::Fault;
use super::node::{Node, Power};
use super::store::ModelStore;
use super::world::Inner;
use crate::error::{Error, ErrorKind, Result};
use crate::ids::{ResourceName, Side};
use crate::resource::{
    Before, Cx, Diff, Effect, Fence, FenceHow, FenceOutcome, FenceProof, Fencing, Holds, Prepared, Unfence,
    Unfenced,
};

/// What decides whether a node can write. Undo compares it.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Was {
    up: bool,
    barred: bool,
    no_login: bool,
    primary: bool,
    timeline: u64,
}

impl Was {
    fn of(node: &Node) -> Self {
        Self {
            up: node.is_up(),
            barred: node.barred,
            no_login: node.no_login,
            primary: node.primary,
            timeline: node.timeline,
        }
    }

    /// Whether a node is as this one would be once it is fenced.
    fn is_fenced_as(&self, node: &Node) -> bool {
        (self.primary, self.timeline) == (node.primary, node.timeline) && node.fence().is_some()
    }
}

impl Inner {
    fn proof(&self, store: &ResourceName, side: &Side) -> Result<Option<FenceProof>> {
        let node = self.node(store, side)?;
        Ok(node.fence().map(|how| {
            let since = self.wall(node.fenced_since.unwrap_or(self.begun));
            let fixed = matches!(node.power, Power::Down { clean: true });
            let stopped = how == FenceHow::StoppedAndBarred;
            FenceProof::new(side.clone(), how, since)
                .at(fixed.then(|| node.position()))
                .surviving(true, stopped)
        }))
    }
}

#[async_trait]
impl Effect<Fence> for ModelStore {
    async fn prepare(&self, cx: &Cx, call: &Fence) -> Result<Prepared> {
        let side = call.side.side()?;
        self.world.reach(cx, &self.name, side).await.map_err(Error::not_happened)?;
        self.world.with(|world| {
            let node = world.node(&self.name, side)?;
            let before = Before::of(&Was::of(node))?;
            Ok(match node.fence() {
                Some(_) => Prepared::already(before),
                None => Prepared::would(Diff::one(side.as_str(), "open", "fenced"), before),
            })
        })
    }

    async fn apply(&self, cx: &Cx, call: &Fence, _was: &Prepared) -> Result<FenceOutcome> {
        let side = call.side.side()?;
        self.world.reach(cx, &self.name, side).await.map_err(Error::not_happened)?;
        self.world.with(|world| {
            let state = world.stores.get(&self.name);
            if let Some(why) = state.and_then(|state| state.refuses_fence.clone()) {
                return Err(Error::refused(why));
            }
            let how = state.map_or(FenceHow::StoppedAndBarred, |state| state.how);
            let lag = state.map(|state| state.lag).unwrap_or_default();
            let node = world.node(&self.name, side)?;
            if node.fence().is_none() && !world.is_under_way(&self.name, side) {
                let change = Change::Fence { store: self.name.clone(), side: side.clone(), how };
                world.ask(change, world.pace.fence + lag);
            }
            Ok(())
        })?;
        let proof = self
            .world
            .until(cx, "fence", |world| {
                let proof = world.proof(&self.name, side)?;
                match proof {
                    Some(proof) => Ok(Some(proof)),
                    None if world.is_under_way(&self.name, side) => Ok(None),
                    None => Err(Error::new(ErrorKind::Unknown, format!("{side} is not fenced"))),
                }
            })
            .await?;
        self.world.reach(cx, &self.name, side).await?;
        Ok(FenceOutcome::Confirmed(proof))
    }

    async fn undo(&self, cx: &Cx, call: &Fence, was: &Before) -> Result<()> {
        let side = call.side.side()?;
        if was.data.is_null() {
            return Err(Error::refused(format!("what {side} was before is not known")));
        }
        let was: Was = was.read()?;
        self.world.reach(cx, &self.name, side).await?;
        // What was asked for is finished first: it would come after the undo else.
        self.world
            .until(cx, "fence", |world| Ok((!world.is_under_way(&self.name, side)).then_some(())))
            .await?;
        self.world.with(|world| {
            let node = world.node(&self.name, side)?;
            if Was::of(node) == was {
                return Ok(());
            }
            if !was.is_fenced_as(node) {
                return Err(Error::new(ErrorKind::Conflict, format!("{side} was changed by somebody else")));
            }
            let change = Change::Open { store: self.name.clone(), side: side.clone(), start: was.up };
            world.ask(change, world.pace.start);
            Ok(())
        })?;
        self.world
            .until(cx, "lift the fence", |world| {
                let open = Was::of(world.node(&self.name, side)?) == was;
                match (open, world.is_under_way(&self.name, side)) {
                    (true, _) => Ok(Some(())),
                    (false, true) => Ok(None),
                    (false, false) => {
                        Err(Error::new(ErrorKind::Conflict, format!("{side} is not as it was")))
                    }
                }
            })
            .await
    }
}

#[async_trait]
impl Holds for ModelStore {
    async fn holds(&self, cx: &Cx, side: &Side) -> Result<Fencing> {
        let fault = self.world.with(|world| world.fault(&self.name, side))?;
        let reached = self.world.reach(cx, &self.name, side).await;
        match (fault, reached) {
            (Some(Fault::Hung), _) => Ok(Fencing::Hung),
            (Some(Fault::BlackHole | Fault::Closed), _) => Ok(Fencing::Unreachable),
            (Some(Fault::Denied), _) => Ok(Fencing::Unknown { why: "it lets nobody in".to_owned() }),
            (None, Err(error)) => Ok(Fencing::Unknown { why: error.chain() }),
            (None, Ok(())) => self.world.with(|world| {
                Ok(match world.proof(&self.name, side)? {
                    Some(proof) => Fencing::Confirmed(proof),
                    None => Fencing::Open { why: "it is not barred from writing".to_owned() },
                })
            }),
        }
    }
}

#[async_trait]
impl Effect<Unfence> for ModelStore {
    async fn prepare(&self, cx: &Cx, call: &Unfence) -> Result<Prepared> {
        let side = call.side.side()?;
        self.world.reach(cx, &self.name, side).await.map_err(Error::not_happened)?;
        self.world.with(|world| {
            let node = world.node(&self.name, side)?;
            let before = Before::of(&Was::of(node))?;
            Ok(match node.is_writable() {
                true => Prepared::already(before),
                false => Prepared::would(Diff::one(side.as_str(), "fenced", "writable"), before),
            })
        })
    }

    async fn apply(&self, cx: &Cx, call: &Unfence, _was: &Prepared) -> Result<Unfenced> {
        let side = call.side.side()?;
        self.world.reach(cx, &self.name, side).await.map_err(Error::not_happened)?;
        self.world.with(|world| {
            let node = world.node(&self.name, side)?;
            if !node.primary {
                return Err(Error::refused(format!("{side} is no primary: nothing to let write")));
            }
            if !node.is_writable() && !world.is_under_way(&self.name, side) {
                let change = Change::Open { store: self.name.clone(), side: side.clone(), start: true };
                world.ask(change, world.pace.start);
            }
            Ok(())
        })?;
        self.world
            .until(cx, "unfence", |world| {
                let writable = world.node(&self.name, side)?.is_writable();
                Ok(writable.then(|| Unfenced { side: side.clone() }))
            })
            .await
    }

    /// Cancels: `Ok` proves that the side is fenced, and that nothing is under way that would open it.
    async fn undo(&self, cx: &Cx, call: &Unfence, _was: &Before) -> Result<()> {
        let side = call.side.side()?;
        self.world.reach(cx, &self.name, side).await?;
        self.world.with(|world| {
            let node = world.node(&self.name, side)?;
            if node.fence().is_some() && !world.is_under_way(&self.name, side) {
                return Ok(());
            }
            Err(Error::refused(format!("{side} takes writes, or will")))
        })
    }
}
