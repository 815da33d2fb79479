//! Connections to a database, as its clients have them.

use super::instance::{GroupState, Instance};
use super::store::{Entry, StoreKey};
use crate::world::World;

/// A session with a database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct SessionId(u64);

/// What comes of connecting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Admission {
    Session(SessionId),
    /// Nothing answers: the region is gone, or no security group lets the client through.
    Silence,
    /// The database does not run.
    Refused,
}

/// What comes of a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wrote {
    Committed,
    /// The session is gone; the row is not there.
    Cut,
    /// The database is a copy: `cannot execute INSERT in a read-only transaction`.
    ReadOnly,
}

impl World {
    /// Connects. Security groups are asked here, and only here: a connection that is tracked lives on when a rule goes.
    ///
    /// <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/security-group-connection-tracking.html>
    pub(crate) fn connect(&mut self, key: &StoreKey) -> Admission {
        if self.is_lost(&key.place.region) {
            return Admission::Silence;
        }
        if !self.runs(key) {
            return Admission::Refused;
        }
        if !self.admits(key) {
            return Admission::Silence;
        }
        let id = self.chance.number();
        match self.stores.get_mut(key) {
            Some(store) => {
                store.sessions.insert(id);
                Admission::Session(SessionId(id))
            }
            None => Admission::Refused,
        }
    }

    /// Whether a session is still there.
    pub(crate) fn is_open(&self, key: &StoreKey, session: SessionId) -> bool {
        self.runs(key) && self.stores.get(key).is_some_and(|store| store.sessions.contains(&session.0))
    }

    /// Whether the database takes writes; `None` if it has no rows at all.
    pub(crate) fn is_writable(&self, key: &StoreKey) -> Option<bool> {
        self.stores.get(key).map(|store| store.follow.is_none() && !store.frozen)
    }

    /// Commits a row. Writing it twice is one row.
    pub(crate) fn write(&mut self, key: &StoreKey, session: SessionId, book: &str, row: i64) -> Wrote {
        if !self.is_open(key, session) {
            return Wrote::Cut;
        }
        let now = self.clock.now();
        match self.stores.get_mut(key) {
            Some(store) if store.follow.is_some() || store.frozen => Wrote::ReadOnly,
            Some(store) => {
                if !store.has(book, row) {
                    store.log.push(Entry { book: book.to_owned(), row, at: now, replayed: now });
                }
                Wrote::Committed
            }
            None => Wrote::Cut,
        }
    }

    /// Ends every session, as a restart does.
    pub(crate) fn cut_sessions(&mut self, key: &StoreKey) {
        if let Some(store) = self.stores.get_mut(key) {
            store.sessions.clear();
        }
    }

    /// Whether any group in force lets a client through.
    fn admits(&self, key: &StoreKey) -> bool {
        let Some(rds) = self.rds.get(&key.place) else { return false };
        let open = |(group, state): (&String, &GroupState)| {
            *state != GroupState::Adding && !rds.closed_groups.contains(group)
        };
        let mine = |instance: &&Instance| instance.store() == *key;
        rds.instances.values().filter(mine).any(|instance| instance.groups.iter().any(open))
    }
}

impl World {
    /// Commits a row from inside the database, without a session.
    pub(crate) fn write_inside(&mut self, key: &StoreKey, book: &str, row: i64) -> bool {
        let runs = self.runs(key);
        let now = self.clock.now();
        match self.stores.get_mut(key) {
            Some(store) if runs && store.follow.is_none() && !store.frozen => {
                if !store.has(book, row) {
                    store.log.push(Entry { book: book.to_owned(), row, at: now, replayed: now });
                }
                true
            }
            Some(_) | None => false,
        }
    }

    /// Whether a new connection would be taken.
    pub(crate) fn would_admit(&self, key: &StoreKey) -> bool {
        self.runs(key) && self.admits(key)
    }
}
