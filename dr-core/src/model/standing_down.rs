//! The verb `fence` of a fleet: no writer runs on a side and none can start there.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::fault::Fault;
use super::workloads::{Counts, ModelWorkloads};
use super::world::Inner;
use crate::error::{Error, ErrorKind, Result};
use crate::ids::{ResourceName, Side};
use crate::resource::{
    Before, Call, Cx, Diff, Effect, Fence, FenceHow, FenceOutcome, FenceProof, Fencing, Holds, Prepared,
};

/// What decides whether anything there can write. Undo compares it.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Was {
    wanted: Counts,
    barred: bool,
}

impl Inner {
    fn writers(&self, name: &ResourceName, side: &Side) -> Result<Was> {
        let states = self.fleet(name, side)?;
        let wanted = states.iter().map(|(name, state)| (name.clone(), state.desired)).collect();
        let barred = self.fleets.get(name).is_some_and(|fleet| fleet.barred.contains_key(side));
        Ok(Was { wanted, barred })
    }

    /// Why somebody there may write, if somebody may.
    fn may_write(&self, name: &ResourceName, side: &Side) -> Result<Option<String>> {
        let states = self.fleet(name, side)?;
        if let Some(left) = states.values().find(|state| state.ready > 0 || state.desired > 0) {
            return Ok(Some(format!("{} of {} {} run", left.ready, left.desired, left.name)));
        }
        let barred = self.fleets.get(name).is_some_and(|fleet| fleet.barred.contains_key(side));
        Ok((!barred).then(|| "nothing runs, and nothing keeps it from starting".to_owned()))
    }

    fn no_writers(
        &self,
        name: &ResourceName,
        side: &Side,
    ) -> Result<std::result::Result<FenceProof, String>> {
        if let Some(why) = self.may_write(name, side)? {
            return Ok(Err(why));
        }
        let since = self.fleets.get(name).and_then(|fleet| fleet.barred.get(side)).copied();
        let since = self.wall(since.unwrap_or(self.begun));
        Ok(Ok(FenceProof::new(side.clone(), FenceHow::NoWriters, since).surviving(true, false)))
    }
}

#[async_trait]
impl Effect<Fence> for ModelWorkloads {
    async fn prepare(&self, cx: &Cx, call: &Fence) -> Result<Prepared> {
        let side = call.side.side()?;
        self.reach(cx, Fence::VERB, side).await.map_err(Error::not_happened)?;
        self.world.with(|world| {
            let before = Before::of(&world.writers(&self.name, side)?)?;
            Ok(match world.may_write(&self.name, side)? {
                None => Prepared::already(before),
                Some(why) => Prepared::would(Diff::one(side.as_str(), why, "no writer"), before),
            })
        })
    }

    async fn apply(&self, cx: &Cx, call: &Fence, _was: &Prepared) -> Result<FenceOutcome> {
        let side = call.side.side()?;
        self.reach(cx, Fence::VERB, side).await.map_err(Error::not_happened)?;
        let none: Counts = self.world.with(|world| {
            let none = world.fleet(&self.name, side)?.keys().map(|name| (name.clone(), 0)).collect();
            if let Some(fleet) = world.fleets.get_mut(&self.name) {
                fleet.barred.entry(side.clone()).or_insert_with(Instant::now);
            }
            Ok::<_, Error>(none)
        })?;
        self.set(side, &none);
        self.await_ready(cx, side, &none).await?;
        // Looked at again: whoever started something meanwhile is no part of a proof.
        self.reach(cx, Fence::VERB, side).await?;
        match self.world.with(|world| world.no_writers(&self.name, side))? {
            Ok(proof) => Ok(FenceOutcome::Confirmed(proof)),
            Err(why) => Err(Error::new(ErrorKind::Conflict, why).on(side.as_str())),
        }
    }

    async fn undo(&self, cx: &Cx, call: &Fence, was: &Before) -> Result<()> {
        let side = call.side.side()?;
        if was.data.is_null() {
            return Err(Error::refused(format!("what ran on {side} before is not known")));
        }
        let was: Was = was.read()?;
        self.reach(cx, Fence::VERB, side).await?;
        self.world.with(|world| {
            let now = world.writers(&self.name, side)?;
            let left = now.barred && now.wanted.values().all(|count| *count == 0);
            if now != was && !left {
                let text = "somebody else started or scaled something meanwhile";
                return Err(Error::new(ErrorKind::Conflict, text).on(side.as_str()).not_happened());
            }
            if let Some(fleet) = world.fleets.get_mut(&self.name).filter(|_| !was.barred) {
                fleet.barred.remove(side);
            }
            Ok(())
        })?;
        self.set(side, &was.wanted);
        self.await_ready(cx, side, &was.wanted).await.map(drop)
    }
}

#[async_trait]
impl Holds for ModelWorkloads {
    async fn holds(&self, cx: &Cx, side: &Side) -> Result<Fencing> {
        let fault = self.world.with(|world| world.fault(&self.name, side))?;
        let reached = self.world.reach(cx, &self.name, side).await;
        match (fault, reached) {
            (Some(Fault::Hung), _) => Ok(Fencing::Hung),
            (Some(Fault::BlackHole | Fault::Closed), _) => Ok(Fencing::Unreachable),
            (Some(Fault::Denied), _) => Ok(Fencing::Unknown { why: "it lets nobody in".to_owned() }),
            (None, Err(error)) => Ok(Fencing::Unknown { why: error.chain() }),
            (None, Ok(())) => self.world.with(|world| {
                Ok(match world.no_writers(&self.name, side)? {
                    Ok(proof) => Fencing::Confirmed(proof),
                    Err(why) => Fencing::Open { why },
                })
            }),
        }
    }
}
