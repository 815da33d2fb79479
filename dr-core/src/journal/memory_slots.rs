//! Slots without a disk, for tests and simulation.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;

use super::key;
use super::slots::{Created, Slots, Tag};
use crate::error::Result;

/// A store in memory. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct MemorySlots(Arc<Mutex<Values>>);

#[derive(Debug, Default)]
struct Values {
    values: BTreeMap<String, (u64, Bytes)>,
    version: u64,
}

impl MemorySlots {
    /// Empty.
    pub fn new() -> Self {
        Self::default()
    }

    fn values(&self) -> MutexGuard<'_, Values> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Values {
    fn put(&mut self, key: &str, bytes: Bytes) {
        self.version += 1;
        self.values.insert(key.to_owned(), (self.version, bytes));
    }

    fn tag(&self, key: &str) -> Option<Tag> {
        self.values.get(key).map(|(version, _)| Tag(version.to_string()))
    }
}

#[async_trait]
impl Slots for MemorySlots {
    async fn create(&self, key: &str, bytes: Bytes) -> Result<Created> {
        key::check(key)?;
        let mut values = self.values();
        Ok(match values.values.get(key) {
            None => {
                values.put(key, bytes);
                Created::Yes
            }
            Some((_, there)) if *there == bytes => Created::Mine,
            Some((_, there)) => Created::Other(there.clone()),
        })
    }

    async fn read(&self, key: &str) -> Result<Option<(Bytes, Tag)>> {
        key::check(key)?;
        Ok(self.values().values.get(key).map(|(version, bytes)| (bytes.clone(), Tag(version.to_string()))))
    }

    async fn replace_if(&self, key: &str, tag: &Tag, bytes: Bytes) -> Result<bool> {
        key::check(key)?;
        let mut values = self.values();
        let same = values.tag(key).as_ref() == Some(tag);
        if same {
            values.put(key, bytes);
        }
        Ok(same)
    }

    async fn remove_if(&self, key: &str, tag: &Tag) -> Result<bool> {
        key::check(key)?;
        let mut values = self.values();
        let removable = values.tag(key).is_none_or(|there| there == *tag);
        if removable {
            values.values.remove(key);
        }
        Ok(removable)
    }

    async fn list(&self, prefix: &str) -> Result<Vec<String>> {
        Ok(self.values().values.keys().filter(|key| key.starts_with(prefix)).cloned().collect())
    }
}
