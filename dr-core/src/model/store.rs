//! A replicated store: what it is made of, and the levers on it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::backups::Copy;
use super::fault::Fault;
use super::node::{Node, Power, Record, What};
use super::restoring::Restoration;
use super::world::World;
use crate::ids::{Identity, ResourceName, Side};
use crate::resource::{
    Backup, Copies, Fence, FenceHow, Follow, Hazard, LedgerRow, Pause, Promote, Replication, Resource,
    Restore, Unfence, Unpause,
};

#[derive(Debug)]
pub(super) struct StoreState {
    pub(super) nodes: BTreeMap<Side, Node>,
    pub(super) faults: BTreeMap<Side, Fault>,
    pub(super) lag: Duration,
    pub(super) link_cut: bool,
    pub(super) how: FenceHow,
    pub(super) refuses_fence: Option<String>,
    pub(super) stalled: Duration,
    pub(super) out_of_control: bool,
    pub(super) hides_receiving: bool,
    pub(super) hazards: BTreeMap<Side, Vec<Hazard>>,
    pub(super) strangers: BTreeMap<Side, Vec<String>>,
    pub(super) acked: BTreeMap<String, Vec<LedgerRow>>,
    pub(super) two_noted: bool,
    pub(super) fences_itself: bool,
    pub(super) copies: BTreeMap<Side, Vec<Copy>>,
    pub(super) restored: BTreeMap<Side, BTreeMap<String, Restoration>>,
}

impl StoreState {
    pub(super) fn new<'a>(sides: impl Iterator<Item = &'a Side>, system: u64, created: &Record) -> Self {
        let sides: Vec<&Side> = sides.collect();
        let nodes = sides
            .iter()
            .enumerate()
            .map(|(index, side)| {
                let node = Node {
                    name: format!("db.{side}"),
                    power: Power::Up,
                    primary: index == 0,
                    follows: if index == 0 { None } else { sides.first().map(|side| (*side).clone()) },
                    barred: false,
                    no_login: false,
                    fenced_since: None,
                    paused: false,
                    system,
                    timeline: 1,
                    history: Vec::new(),
                    log: vec![created.clone()],
                    first_write: None,
                };
                ((*side).clone(), node)
            })
            .collect();
        Self {
            nodes,
            faults: BTreeMap::new(),
            lag: Duration::ZERO,
            link_cut: false,
            how: FenceHow::StoppedAndBarred,
            refuses_fence: None,
            stalled: Duration::ZERO,
            out_of_control: false,
            hides_receiving: false,
            hazards: BTreeMap::new(),
            strangers: BTreeMap::new(),
            acked: BTreeMap::new(),
            two_noted: false,
            fences_itself: false,
            copies: BTreeMap::new(),
            restored: BTreeMap::new(),
        }
    }
}

/// A database with one writer and copies of it, one node a side.
///
/// It offers every verb of a replicated store, of a fence and of backups, and a write ledger. Its levers stand for what happens
/// to a real one: none of them asks whether a run would like it.
#[derive(Debug, Clone)]
pub struct ModelStore {
    pub(super) world: World,
    pub(super) name: ResourceName,
}

impl ModelStore {
    /// The resource, with everything that it can do.
    pub fn resource(&self) -> Resource {
        let this = Arc::new(self.clone());
        let resource = Resource::new(Identity::new(format!("model:{}", self.name)))
            .observing::<Replication>(this.clone())
            .observing::<Copies>(this.clone())
            .with::<Backup>(this.clone())
            .with::<Restore>(this.clone())
            .with::<Promote>(this.clone())
            .with::<Fence>(this.clone())
            .with::<Unfence>(this.clone())
            .with::<Follow>(this.clone())
            .with::<Pause>(this.clone())
            .with::<Unpause>(this.clone())
            .fencing(this.clone())
            .keeping(this);
        match self.change(|state| state.fences_itself) {
            Some(true) => resource.fencing_itself_when_planned(),
            Some(false) | None => resource,
        }
    }

    /// Its world.
    pub fn world(&self) -> &World {
        &self.world
    }

    pub(super) fn change<T>(&self, change: impl FnOnce(&mut StoreState) -> T) -> Option<T> {
        self.world.with(|world| world.stores.get_mut(&self.name).map(change))
    }

    fn at(&self, side: &Side, change: impl FnOnce(&mut Node)) {
        self.change(|state| state.nodes.get_mut(side).map(change));
    }

    /// The standbys are this far behind.
    pub fn lags(&self, by: Duration) {
        self.change(|state| state.lag = by);
    }

    /// Replication between the sides is cut, or whole again.
    pub fn cut_replication(&self, cut: bool) {
        self.change(|state| state.link_cut = cut);
    }

    /// The node of a side fails; nothing else there does.
    pub fn fail(&self, side: impl Into<Side>, fault: Fault) {
        self.change(|state| state.faults.insert(side.into(), fault));
    }

    /// The node of a side can be reached again.
    pub fn heal(&self, side: impl Into<Side>) {
        self.change(|state| state.faults.remove(&side.into()));
    }

    /// The node of a side is killed: its log ends where it ends.
    pub fn kill(&self, side: impl Into<Side>) {
        self.at(&side.into(), |node| {
            if node.is_up() {
                node.power = Power::Down { clean: false };
            }
        });
    }

    /// Somebody starts the node of a side. A start gate keeps a barred one down.
    pub fn start(&self, side: impl Into<Side>) {
        self.at(&side.into(), |node| {
            if !node.barred {
                node.power = Power::Up;
            }
        });
    }

    /// Somebody starts the node of a side past its start gate.
    pub fn start_by_force(&self, side: impl Into<Side>) {
        self.at(&side.into(), |node| {
            node.barred = false;
            node.no_login = false;
            node.power = Power::Up;
        });
    }

    /// Somebody promotes the node of a side by hand.
    pub fn promote_by_hand(&self, side: impl Into<Side>) {
        let change = super::change::Change::Promote { store: self.name.clone(), side: side.into() };
        self.world.with(|world| world.carry_out(&change, Instant::now()));
    }

    /// Somebody starts the node of a side past its fence and promotes it: it is on a history of its own.
    pub fn promote_by_hand_past_its_fence(&self, side: impl Into<Side>) {
        let side = side.into();
        self.start_by_force(side.clone());
        self.at(&side, |node| node.primary = false);
        self.promote_by_hand(side);
    }

    /// A promotion takes that much longer, and is pending meanwhile whether or not anybody waits for it.
    pub fn stall_promotions(&self, by: Duration) {
        self.change(|state| state.stalled = by);
    }

    /// Nodes can no longer be stopped and started from outside: a promotion cannot be cancelled.
    pub fn lose_control(&self) {
        self.change(|state| state.out_of_control = true);
    }

    /// It does not say whether a copy receives, as RDS until the first sample of a new replica.
    pub fn hide_receiving(&self) {
        self.change(|state| state.hides_receiving = true);
    }

    /// How it is fenced. Default: stopped and barred.
    pub fn fence_by(&self, how: FenceHow) {
        self.change(|state| state.how = how);
    }

    /// Its planned promotion is a switchover that fences the old writer in the same step and loses nothing, as Aurora's.
    /// The unplanned one is as any other's.
    pub fn fence_itself(&self) {
        self.change(|state| state.fences_itself = true);
    }

    /// A fence is refused from now on, or no longer.
    pub fn refuse_fence(&self, why: Option<&str>) {
        self.change(|state| state.refuses_fence = why.map(str::to_owned));
    }

    /// Something that would hinder a promotion of a side.
    pub fn endanger(&self, side: impl Into<Side>, hazard: Hazard) {
        self.change(|state| state.hazards.entry(side.into()).or_default().push(hazard));
    }

    /// A node that no plan knows replicates from a side.
    pub fn add_stranger(&self, side: impl Into<Side>, node: &str) {
        self.change(|state| state.strangers.entry(side.into()).or_default().push(node.to_owned()));
    }

    /// An application writes a row where it can. Whether it was acknowledged.
    pub fn write(&self, book: &str, row: LedgerRow) -> bool {
        self.world.with(|world| world.write(&self.name, None, book, row))
    }

    /// The acknowledged rows of a book that no writable side has.
    pub fn lost(&self, book: &str) -> Vec<LedgerRow> {
        self.change(|state| {
            let kept: Vec<_> =
                state.nodes.values().filter(|node| node.is_writable()).map(|node| node.rows(book)).collect();
            let acked = state.acked.get(book).cloned().unwrap_or_default();
            acked.into_iter().filter(|row| !kept.iter().any(|rows| rows.contains(row))).collect()
        })
        .unwrap_or_default()
    }

    /// The sides that take writes now.
    pub fn writable(&self) -> Vec<Side> {
        self.change(|state| {
            let writable = state.nodes.iter().filter(|(_, node)| node.is_writable());
            writable.map(|(side, _)| side.clone()).collect()
        })
        .unwrap_or_default()
    }
}

impl super::world::Inner {
    /// Writes one row to a side, or to whichever takes writes.
    pub(super) fn write(
        &mut self,
        store: &ResourceName,
        side: Option<&Side>,
        book: &str,
        row: LedgerRow,
    ) -> bool {
        self.append(store, side, What::Row(book.to_owned(), row)) && {
            if let Some(state) = self.stores.get_mut(store) {
                let acked = state.acked.entry(book.to_owned()).or_default();
                if !acked.contains(&row) {
                    acked.push(row);
                }
            }
            true
        }
    }

    pub(super) fn append(&mut self, store: &ResourceName, side: Option<&Side>, what: What) -> bool {
        let id = self.next_id();
        let at = Instant::now();
        let down: Vec<Side> =
            self.sides.keys().filter(|side| !matches!(self.fault(store, side), Ok(None))).cloned().collect();
        let Some(state) = self.stores.get_mut(store) else { return false };
        let writer = state.nodes.iter_mut().find(|(name, node)| {
            node.is_writable() && !down.contains(name) && side.is_none_or(|side| side == *name)
        });
        match writer {
            Some((_, node)) => {
                node.log.push(Record { id, at, what });
                true
            }
            None => false,
        }
    }
}
