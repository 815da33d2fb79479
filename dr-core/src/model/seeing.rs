//! How a store looks.

use std::collections::BTreeMap;

use async_trait::async_trait;
use tokio::time::Instant;

use super::node::{Node, Power, position};
use super::store::{ModelStore, StoreState};
use super::world::Inner;
use crate::error::{Error, ErrorKind, Result};
use crate::ids::{ResourceName, Side};
use crate::resource::{Cx, NodeState, Observe, Reach, Replication, Role, SideState};

#[async_trait]
impl Observe<Replication> for ModelStore {
    async fn observe(&self, cx: &Cx) -> Result<Replication> {
        self.world.look_everywhere(cx, &self.name).await;
        self.world.with(|world| world.replication(&self.name))
    }
}

impl Inner {
    fn replication(&self, name: &ResourceName) -> Result<Replication> {
        let state = self
            .stores
            .get(name)
            .ok_or_else(|| Error::new(ErrorKind::NotFound, "there is no such store").on(name.as_str()))?;
        let mut sides = BTreeMap::new();
        for (side, node) in &state.nodes {
            let seen = match self.fault(name, side)? {
                Some(fault) => NodeState::new(&node.name, fault.reach()),
                None => self.seen(name, state, side, node),
            };
            let strangers = state.strangers.get(side).cloned().unwrap_or_default();
            sides.insert(side.clone(), SideState::new(vec![seen]).with_strangers(strangers));
        }
        Ok(Replication::new(self.wall(Instant::now()), sides))
    }

    fn seen(&self, name: &ResourceName, state: &StoreState, side: &Side, node: &Node) -> NodeState {
        let answers = if node.is_up() { Reach::Answers } else { Reach::Closed };
        let mut seen = NodeState::new(&node.name, answers);
        seen.system = Some(format!("{}", node.system));
        seen.timeline = Some(node.timeline);
        seen.history.clone_from(&node.history);
        seen.position = Some(node.position());
        seen.writable = Some(node.is_writable());
        seen.role = match (node.power, node.primary) {
            (Power::Down { .. }, _) => Role::Stopped,
            (Power::Up, true) => Role::Primary,
            (Power::Up, false) => Role::Standby,
        };
        if seen.role == Role::Standby {
            let writer = node.follows.as_ref().and_then(|of| {
                let reachable = matches!(self.fault(name, of), Ok(None));
                state.nodes.get(of).filter(|from| reachable && from.is_up() && from.primary)
            });
            let receiving = writer.is_some_and(|from| !state.link_cut && node.shares(from) == node.log.len());
            seen.receiving = (!state.hides_receiving).then_some(receiving);
            seen.received = Some(match writer {
                Some(from) if receiving => position(from.log.len()),
                Some(_) | None => node.position(),
            });
            let missing = writer.and_then(|from| from.log.get(node.log.len()));
            seen.lag = match missing {
                Some(record) => Some(record.at.elapsed()),
                None if receiving => Some(std::time::Duration::ZERO),
                None => None,
            };
            // As RDS, whose replica tells no lag any more while it becomes an instance of its own.
            let told = node.log.last().filter(|_| !self.is_being_promoted(name, side));
            seen.last_commit = told.map(|record| self.wall(record.at));
        }
        seen.hazards = state.hazards.get(side).cloned().unwrap_or_default();
        seen
    }
}
