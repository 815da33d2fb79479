//! The verb `follow` of a model.

use async_trait::async_trait;

use super::change::Change;
use super::node::{What, position};
use super::store::ModelStore;
use super::world::Inner;
use crate::error::{Error, ErrorKind, Result};
use crate::ids::{ResourceName, Side};
use crate::resource::{
    Before, Cx, Diff, Divergence, Effect, Follow, FollowHow, Following, LedgerRow, Prepared,
};

impl Inner {
    fn follows(&self, store: &ResourceName, side: &Side, of: &Side) -> Result<bool> {
        let (node, writer) = (self.node(store, side)?, self.node(store, of)?);
        Ok(node.is_up()
            && !node.primary
            && node.follows.as_ref() == Some(of)
            && node.shares(writer) == node.log.len())
    }

    /// What following would throw away, or why it may not.
    fn divergence(&self, store: &ResourceName, side: &Side, of: &Side) -> Result<Option<Divergence>> {
        let (node, writer) = (self.node(store, side)?, self.node(store, of)?);
        if node.system != writer.system {
            return Err(Error::refused(format!("{side} is no copy of {of}")));
        }
        if !writer.is_up() || !writer.primary {
            return Err(Error::new(ErrorKind::NotReady, format!("{of} is no primary")).not_happened());
        }
        let shared = node.shares(writer);
        if node.timeline >= writer.timeline && node.history != writer.history {
            return Err(Error::refused(format!(
                "{side} is on another history than {of}, forked at {}: nobody decided about it",
                position(shared)
            )));
        }
        let alone = &node.log[shared..];
        let rows: Vec<LedgerRow> = alone
            .iter()
            .filter_map(|record| match &record.what {
                What::Row(_, row) => Some(*row),
                What::Created | What::Opened(_) | What::Closed(_) | What::FirstWrite | What::Shutdown => None,
            })
            .collect();
        Ok((!alone.is_empty())
            .then(|| Divergence::new(Some(position(shared)), Some(alone.len() as u64), Some(rows))))
    }
}

#[async_trait]
impl Effect<Follow> for ModelStore {
    async fn prepare(&self, cx: &Cx, call: &Follow) -> Result<Prepared> {
        let (side, of) = (call.side.side()?, call.of.side()?);
        self.world.reach(cx, &self.name, side).await.map_err(Error::not_happened)?;
        self.world.with(|world| {
            Ok(if world.follows(&self.name, side, of)? {
                Prepared::already(Before::nothing())
            } else {
                Prepared::would(Diff::one(side.as_str(), "alone", format!("follows {of}")), Before::nothing())
            })
        })
    }

    async fn apply(&self, cx: &Cx, call: &Follow, _was: &Prepared) -> Result<Following> {
        let (side, of) = (call.side.side()?, call.of.side()?);
        if side == of {
            return Err(Error::invalid("a side cannot follow itself"));
        }
        self.world.reach(cx, &self.name, side).await.map_err(Error::not_happened)?;
        self.world.reach(cx, &self.name, of).await.map_err(Error::not_happened)?;
        let divergence = self.world.with(|world| {
            if world.follows(&self.name, side, of)? {
                return Ok(None);
            }
            let divergence = world.divergence(&self.name, side, of)?;
            if !world.is_under_way(&self.name, side) {
                let (store, side, of) = (self.name.clone(), side.clone(), of.clone());
                world.ask(Change::Follow { store, side, of }, world.pace.follow);
            }
            Ok(Some(divergence))
        })?;
        let Some(divergence) = divergence else {
            return Ok(Following::new(side.clone(), FollowHow::Already));
        };
        self.world
            .until(cx, "follow", |world| {
                match (world.follows(&self.name, side, of)?, world.is_under_way(&self.name, side)) {
                    (true, false) => Ok(Some(())),
                    (_, true) => Ok(None),
                    (false, false) => {
                        Err(Error::new(ErrorKind::Unknown, format!("{side} does not follow {of}")))
                    }
                }
            })
            .await?;
        Ok(match divergence {
            None => Following::new(side.clone(), FollowHow::Attached),
            Some(_) => Following::new(side.clone(), FollowHow::Rewound)
                .keeping(Some(format!("kept/{side}")), divergence),
        })
    }
}
