//! What a caller remembers, and for how long.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use hickory_proto::rr::{Name, RData, RecordType};
use tokio::time::Instant;

/// The records behind a name; none at all is an answer too, and is remembered like one (RFC 2308).
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Known {
    pub(crate) data: Vec<RData>,
    /// Whether the name exists, where it has no such records.
    pub(crate) exists: bool,
}

/// Answers by question, each until its TTL is over on the monotonic clock and not an instant longer.
#[derive(Debug, Default)]
pub(crate) struct Cache(Mutex<BTreeMap<(Name, RecordType), (Known, Instant)>>);

impl Cache {
    pub(crate) fn get(&self, name: &Name, kind: RecordType) -> Option<Known> {
        let mut entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (name.clone(), kind);
        match entries.get(&key) {
            Some((known, until)) if Instant::now() < *until => Some(known.clone()),
            Some(_) => {
                entries.remove(&key);
                None
            }
            None => None,
        }
    }

    /// Remembers from now on: the moment at which the answer was received.
    pub(crate) fn put(&self, name: &Name, kind: RecordType, known: &Known, ttl: Duration) {
        if !ttl.is_zero() {
            let mut entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            entries.insert((name.clone(), kind), (known.clone(), Instant::now() + ttl));
        }
    }
}
