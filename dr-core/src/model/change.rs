//! Changes that take time: a due date in the world, carried out when somebody looks, whether or not whoever asked
//! for it still waits.

use tokio::time::Instant;

use super::node::{Power, What, position};
use super::world::Inner;
use super::zone::Word;
use crate::ids::{ResourceName, Side};
use crate::resource::{FenceHow, TimelineSwitch};

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Change {
    Fence {
        store: ResourceName,
        side: Side,
        how: FenceHow,
    },
    /// Lifts whatever fence there is and starts the node as what it was.
    Open {
        store: ResourceName,
        side: Side,
        /// Whether the server is started with it.
        start: bool,
    },
    Promote {
        store: ResourceName,
        side: Side,
    },
    /// Stops a node and starts it again as a standby, which ends every promotion that was asked of it.
    Cancel {
        store: ResourceName,
        side: Side,
    },
    Follow {
        store: ResourceName,
        side: Side,
        of: Side,
    },
    Ready {
        fleet: ResourceName,
        side: Side,
        workload: String,
        ready: u32,
    },
    Answer {
        zone: ResourceName,
        server: usize,
        word: Word,
    },
    /// A workload's replicas are replaced by new ones.
    Restart {
        fleet: ResourceName,
        side: Side,
        workload: String,
    },
    /// Roles change places in one step: the writer is fenced, its copy gets all of its log and is promoted, the old one
    /// follows it.
    Switch {
        store: ResourceName,
        side: Side,
    },
    /// A copy can be restored.
    Copied {
        store: ResourceName,
        side: Side,
        id: String,
    },
    /// What is restored can be used.
    Restored {
        store: ResourceName,
        side: Side,
        into: String,
    },
    /// An alarm has gone off.
    Rang {
        alarm: ResourceName,
        side: Side,
    },
}

impl Change {
    /// The store and side whose node it is about, if it is about one.
    pub(super) fn on(&self) -> Option<(&ResourceName, &Side)> {
        match self {
            Self::Fence { store, side, .. }
            | Self::Open { store, side, .. }
            | Self::Promote { store, side }
            | Self::Cancel { store, side }
            | Self::Switch { store, side }
            | Self::Follow { store, side, .. } => Some((store, side)),
            Self::Ready { .. }
            | Self::Answer { .. }
            | Self::Restart { .. }
            | Self::Copied { .. }
            | Self::Restored { .. }
            | Self::Rang { .. } => None,
        }
    }

    /// Whether it makes a side's node the writer.
    pub(super) fn promotes(&self, name: &ResourceName, on: &Side) -> bool {
        matches!(self, Self::Promote { store, side } | Self::Switch { store, side } if (store, side) == (name, on))
    }

    pub(super) fn answers_for(&self, name: &ResourceName) -> bool {
        matches!(self, Self::Answer { zone, .. } if zone == name)
    }

    pub(super) fn restarts(&self, name: &ResourceName, on: &Side) -> bool {
        matches!(self, Self::Restart { fleet, side, .. } if (fleet, side) == (name, on))
    }

    pub(super) fn readies(&self, name: &ResourceName, on: &Side) -> bool {
        matches!(self, Self::Ready { fleet, side, .. } if (fleet, side) == (name, on))
    }
}

impl Inner {
    pub(super) fn carry_out(&mut self, change: &Change, at: Instant) {
        match change {
            Change::Fence { store, side, how } => self.fence_now(store, side, *how, at),
            Change::Open { store, side, start } => {
                if let Some(node) = self.node_mut(store, side) {
                    if *start {
                        node.power = Power::Up;
                    }
                    node.barred = false;
                    node.no_login = false;
                    node.fenced_since = None;
                }
            }
            Change::Promote { store, side } => self.promote_now(store, side, at),
            Change::Cancel { store, side } => {
                let standby = self.node_mut(store, side).is_some_and(|node| !node.primary);
                if standby {
                    self.pending.retain(|_, other| !other.promotes(store, side));
                }
            }
            Change::Follow { store, side, of } => self.follow_now(store, side, of, at),
            Change::Ready { fleet, side, workload, ready } => self.ready_now(fleet, side, workload, *ready),
            Change::Answer { zone, server, word } => {
                let zone = self.zones.get_mut(zone);
                if let Some(answer) = zone.and_then(|zone| zone.servers.get_mut(*server)) {
                    answer.clone_from(word);
                }
            }
            Change::Restart { fleet, side, workload } => {
                if self.fleets.get(fleet).is_some_and(|fleet| !fleet.broken.contains_key(side)) {
                    self.restarted(fleet, side, workload);
                }
            }
            Change::Switch { store, side } => self.switch_now(store, side, at),
            Change::Copied { store, side, id } => {
                if let Some(copy) = self.copy_mut(store, side, id) {
                    copy.usable = true;
                }
            }
            Change::Restored { store, side, into } => {
                if let Some(restored) = self.restored_mut(store, side, into) {
                    restored.usable = true;
                }
            }
            Change::Rang { alarm, side } => self.rang(alarm, side),
        }
    }

    fn ready_now(&mut self, fleet: &ResourceName, side: &Side, workload: &str, ready: u32) {
        let Some(of) = self.fleets.get_mut(fleet) else { return };
        let broken = of.broken.contains_key(side);
        let ready = of.room.get(side).map_or(ready, |room| ready.min(*room));
        let state = of.sides.get_mut(side).and_then(|side| side.get_mut(workload));
        let Some(state) = state.filter(|state| !broken || state.ready > ready) else { return };
        let first = state.ready == 0;
        state.ready = ready;
        if first {
            self.restarted(fleet, side, workload);
        }
    }

    /// A switchover loses nothing however far the copy lags: the writer takes no more, and what it has is awaited.
    fn switch_now(&mut self, store: &ResourceName, side: &Side, at: Instant) {
        if self.can_switch(store, side).is_err() {
            // The service gives it up where it was: the writer goes on.
            return;
        }
        let Some(from) = self.node_mut(store, side).and_then(|node| node.follows.clone()) else { return };
        self.fence_now(store, &from, FenceHow::NoLogin, at);
        let Some(writer) = self.stores.get(store).and_then(|state| state.nodes.get(&from)).cloned() else {
            return;
        };
        if let Some(node) = self.node_mut(store, side) {
            node.replay(&writer, at, std::time::Duration::ZERO);
            if !node.covers(&writer) {
                return;
            }
        }
        self.promote_now(store, side, at);
        self.follow_now(store, &from, side, at);
    }

    fn fence_now(&mut self, store: &ResourceName, side: &Side, how: FenceHow, at: Instant) {
        let id = self.next_id();
        let Some(state) = self.stores.get_mut(store) else { return };
        let cut = state.link_cut;
        let Some(node) = state.nodes.get_mut(side) else { return };
        if node.fence().is_none() {
            node.fenced_since = Some(at);
        }
        match how {
            FenceHow::StoppedAndBarred => {
                if node.is_up() {
                    node.power = Power::Down { clean: true };
                    if node.primary {
                        node.log.push(super::node::Record { id, at, what: What::Shutdown });
                    }
                }
                node.barred = true;
            }
            FenceHow::NoLogin | FenceHow::CutOff | FenceHow::Lease | FenceHow::NoWriters => {
                node.no_login = true;
            }
        }
        // A clean stop ends when its copies have everything.
        let source = node.clone();
        if source.power == (Power::Down { clean: true }) && !cut {
            for (name, copy) in &mut state.nodes {
                if name != side && copy.is_up() && copy.follows.as_ref() == Some(side) {
                    copy.replay(&source, at, std::time::Duration::ZERO);
                }
            }
        }
    }

    fn promote_now(&mut self, store: &ResourceName, side: &Side, at: Instant) {
        let id = self.next_id();
        let Some(node) = self.node_mut(store, side).filter(|node| node.is_up() && !node.primary) else {
            return;
        };
        node.primary = true;
        node.paused = false;
        node.follows = None;
        node.no_login = false;
        node.history.push(TimelineSwitch { timeline: node.timeline, at: position(node.log.len()) });
        node.timeline += 1;
        node.log.push(super::node::Record { id, at, what: What::FirstWrite });
        node.first_write = Some(at);
    }

    fn follow_now(&mut self, store: &ResourceName, side: &Side, of: &Side, at: Instant) {
        let Some(state) = self.stores.get_mut(store) else { return };
        let Some(writer) = state.nodes.get(of).cloned() else { return };
        let Some(node) = state.nodes.get_mut(side) else { return };
        let shared = node.shares(&writer);
        node.log.truncate(shared);
        node.log.extend(writer.log[shared..].iter().take_while(|record| record.at <= at).cloned());
        node.power = Power::Up;
        node.primary = false;
        node.barred = false;
        node.paused = false;
        node.fenced_since = None;
        node.first_write = None;
        node.follows = Some(of.clone());
        node.timeline = writer.timeline;
        node.history.clone_from(&writer.history);
        node.no_login = writer.no_login;
    }
}
