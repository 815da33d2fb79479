//! Changes that take time: a due date in the world, carried out when somebody looks, whether or not whoever asked
//! for it still waits.

use tokio::time::Instant;

use super::node::{Power, What, position};
use super::world::Inner;
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
        values: Vec<String>,
    },
}

impl Change {
    /// The store and side it is about, if it is about one.
    pub(super) fn on(&self) -> Option<(&ResourceName, &Side)> {
        match self {
            Self::Fence { store, side, .. }
            | Self::Open { store, side }
            | Self::Promote { store, side }
            | Self::Cancel { store, side }
            | Self::Follow { store, side, .. } => Some((store, side)),
            Self::Ready { .. } | Self::Answer { .. } => None,
        }
    }
}

impl Change {
    pub(super) fn answers_for(&self, name: &ResourceName) -> bool {
        match self {
            Self::Answer { zone, .. } => zone == name,
            Self::Fence { .. }
            | Self::Open { .. }
            | Self::Promote { .. }
            | Self::Cancel { .. }
            | Self::Follow { .. }
            | Self::Ready { .. } => false,
        }
    }

    pub(super) fn readies(&self, name: &ResourceName, on: &Side) -> bool {
        match self {
            Self::Ready { fleet, side, .. } => (fleet, side) == (name, on),
            Self::Fence { .. }
            | Self::Open { .. }
            | Self::Promote { .. }
            | Self::Cancel { .. }
            | Self::Follow { .. }
            | Self::Answer { .. } => false,
        }
    }
}

impl Inner {
    pub(super) fn carry_out(&mut self, change: &Change, at: Instant) {
        match change {
            Change::Fence { store, side, how } => self.fence_now(store, side, *how, at),
            Change::Open { store, side } => {
                if let Some(node) = self.node_mut(store, side) {
                    node.power = Power::Up;
                    node.barred = false;
                    node.no_login = false;
                    node.fenced_since = None;
                }
            }
            Change::Promote { store, side } => self.promote_now(store, side, at),
            Change::Cancel { store, side } => {
                let standby = self.node_mut(store, side).is_some_and(|node| !node.primary);
                if standby {
                    self.pending.retain(|_, other| {
                        !matches!(other, Change::Promote { store: of, side: on } if of == store && on == side)
                    });
                }
            }
            Change::Follow { store, side, of } => self.follow_now(store, side, of, at),
            Change::Ready { fleet, side, workload, ready } => {
                let Some(fleet) = self.fleets.get_mut(fleet) else { return };
                let broken = fleet.broken.contains_key(side);
                let state = fleet.sides.get_mut(side).and_then(|side| side.get_mut(workload));
                if let Some(state) = state.filter(|state| !broken || state.ready > *ready) {
                    state.ready = *ready;
                }
            }
            Change::Answer { zone, server, values } => {
                let zone = self.zones.get_mut(zone);
                if let Some(answer) = zone.and_then(|zone| zone.servers.get_mut(*server)) {
                    answer.clone_from(values);
                }
            }
        }
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
