//! The verbs `pause` and `unpause` of a model.

use async_trait::async_trait;

use super::store::ModelStore;
use crate::error::{Error, ErrorKind, Result};
use crate::ids::Side;
use crate::resource::{Before, Cx, Diff, Effect, Pause, Paused, Prepared, Unpause};

impl ModelStore {
    async fn look_paused(&self, cx: &Cx, side: &Side, wanted: bool) -> Result<Prepared> {
        self.world.reach(cx, &self.name, side).await.map_err(Error::not_happened)?;
        self.world.with(|world| {
            let node = world.node(&self.name, side)?;
            let before = Before::of(&node.paused)?;
            if !node.is_up() || node.primary {
                return Ok(Prepared::unknown(format!("{side} is no running standby"), before));
            }
            let word = |paused| if paused { "stands still" } else { "applies" };
            Ok(if node.paused == wanted {
                Prepared::already(before)
            } else {
                Prepared::would(Diff::one(side.as_str(), word(node.paused), word(wanted)), before)
            })
        })
    }

    async fn set_paused(&self, cx: &Cx, side: &Side, wanted: bool) -> Result<Paused> {
        self.world.reach(cx, &self.name, side).await.map_err(Error::not_happened)?;
        self.world.with(|world| {
            world.requests += 1;
            let node = world
                .node_mut(&self.name, side)
                .filter(|node| node.is_up() && !node.primary)
                .ok_or_else(|| Error::refused(format!("{side} is no running standby")))?;
            node.paused = wanted;
            Ok(Paused { side: side.clone(), paused: wanted, position: Some(node.position()) })
        })
    }

    async fn restore_paused(&self, cx: &Cx, side: &Side, was: &Before) -> Result<()> {
        let was: bool = was.read()?;
        self.world.reach(cx, &self.name, side).await?;
        self.world.with(|world| {
            world.requests += 1;
            let node = world
                .node_mut(&self.name, side)
                .filter(|node| node.is_up() && !node.primary)
                .ok_or_else(|| Error::new(ErrorKind::Conflict, format!("{side} is no standby any more")))?;
            node.paused = was;
            Ok(())
        })
    }
}

#[async_trait]
impl Effect<Pause> for ModelStore {
    async fn prepare(&self, cx: &Cx, call: &Pause) -> Result<Prepared> {
        self.look_paused(cx, call.side.side()?, true).await
    }

    async fn apply(&self, cx: &Cx, call: &Pause, _was: &Prepared) -> Result<Paused> {
        self.set_paused(cx, call.side.side()?, true).await
    }

    async fn undo(&self, cx: &Cx, call: &Pause, was: &Before) -> Result<()> {
        self.restore_paused(cx, call.side.side()?, was).await
    }
}

#[async_trait]
impl Effect<Unpause> for ModelStore {
    async fn prepare(&self, cx: &Cx, call: &Unpause) -> Result<Prepared> {
        self.look_paused(cx, call.side.side()?, false).await
    }

    async fn apply(&self, cx: &Cx, call: &Unpause, _was: &Prepared) -> Result<Paused> {
        self.set_paused(cx, call.side.side()?, false).await
    }

    async fn undo(&self, cx: &Cx, call: &Unpause, was: &Before) -> Result<()> {
        self.restore_paused(cx, call.side.side()?, was).await
    }
}
