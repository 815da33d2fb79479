//! One database server of a model: its log, its role, and what keeps it from writing.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::time::Instant;

use crate::ids::Side;
use crate::resource::{FenceHow, LedgerRow, Position, TimelineSwitch};

/// One line of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Record {
    /// Unique in the world: two logs part where these differ.
    pub(super) id: u64,
    pub(super) at: Instant,
    pub(super) what: What,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum What {
    /// The cluster was made.
    Created,
    /// A book of ledger rows was opened or removed.
    Opened(String),
    Closed(String),
    Row(String, LedgerRow),
    /// The row that shows that a promotion is over.
    FirstWrite,
    /// The last record of a clean stop.
    Shutdown,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Power {
    Up,
    /// Down; `clean` as its control file says.
    Down {
        clean: bool,
    },
}

#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) name: String,
    pub(super) power: Power,
    pub(super) primary: bool,
    pub(super) follows: Option<Side>,
    /// The start gate: it does not start as a writer.
    pub(super) barred: bool,
    /// The fence in the catalog, which replicates.
    pub(super) no_login: bool,
    pub(super) fenced_since: Option<Instant>,
    pub(super) paused: bool,
    pub(super) system: u64,
    pub(super) timeline: u64,
    pub(super) history: Vec<TimelineSwitch>,
    pub(super) log: Vec<Record>,
    pub(super) first_write: Option<Instant>,
}

pub(super) fn position(records: usize) -> Position {
    let ordinal = records as u64;
    Position { ordinal, text: format!("0/{ordinal:X}") }
}

impl Node {
    pub(super) fn is_up(&self) -> bool {
        self.power == Power::Up
    }

    /// Whether a plain session could write, if it got there.
    pub(super) fn is_writable(&self) -> bool {
        self.is_up() && self.primary && !self.no_login
    }

    pub(super) fn position(&self) -> Position {
        position(self.log.len())
    }

    /// How it is fenced, if it is. A standby that is up takes no writes, but is not fenced: it can be promoted.
    pub(super) fn fence(&self) -> Option<FenceHow> {
        match (self.power, self.barred, self.no_login) {
            (Power::Down { .. }, true, _) => Some(FenceHow::StoppedAndBarred),
            (Power::Up, _, true) if self.primary => Some(FenceHow::NoLogin),
            (Power::Down { .. }, false, _) | (Power::Up, _, _) => None,
        }
    }

    /// Where its log and another's part: the length of what they share.
    pub(super) fn shares(&self, other: &Self) -> usize {
        self.log.iter().zip(&other.log).take_while(|(one, other)| one.id == other.id).count()
    }

    /// Whether it has everything that another has.
    pub(super) fn covers(&self, other: &Self) -> bool {
        self.shares(other) == other.log.len()
    }

    pub(super) fn has_book(&self, book: &str) -> bool {
        self.log.iter().rev().find_map(|record| match &record.what {
            What::Opened(name) if name == book => Some(true),
            What::Closed(name) if name == book => Some(false),
            What::Created
            | What::Opened(_)
            | What::Closed(_)
            | What::Row(..)
            | What::FirstWrite
            | What::Shutdown => None,
        }) == Some(true)
    }

    pub(super) fn rows(&self, book: &str) -> BTreeSet<LedgerRow> {
        if !self.has_book(book) {
            return BTreeSet::new();
        }
        self.log
            .iter()
            .filter_map(|record| match &record.what {
                What::Row(name, row) if name == book => Some(*row),
                What::Created
                | What::Opened(_)
                | What::Closed(_)
                | What::Row(..)
                | What::FirstWrite
                | What::Shutdown => None,
            })
            .collect()
    }

    /// Takes over what `from` wrote up to a moment.
    pub(super) fn replay(&mut self, from: &Self, until: Instant, lag: Duration) {
        if self.paused || self.shares(from) < self.log.len() {
            return;
        }
        let new: Vec<Record> = from.log[self.log.len()..]
            .iter()
            .take_while(|record| record.at + lag <= until)
            .cloned()
            .collect();
        self.log.extend(new);
        self.timeline = from.timeline;
        self.history.clone_from(&from.history);
        self.no_login = from.no_login;
    }
}
