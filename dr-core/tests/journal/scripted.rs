//! A store with which things go wrong to order.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use dr_core::journal::{Created, MemorySlots, Slots, Tag};
use dr_core::{Error, Result, async_trait};

/// What a write meets. As it is by default: nothing.
#[derive(Debug, Default)]
pub(crate) struct Wrong {
    /// Somebody puts this in the same place just before.
    pub(crate) overtaken_by: Option<Bytes>,
    /// Nothing is written.
    pub(crate) fails: Option<Error>,
}

/// Keeps what it is asked, and lets each next write under `prefix` meet the next of what it was told to.
#[derive(Debug)]
pub(crate) struct Scripted {
    inner: MemorySlots,
    prefix: &'static str,
    script: Mutex<VecDeque<Wrong>>,
    calls: Mutex<Vec<String>>,
}

impl Scripted {
    pub(crate) fn under(prefix: &'static str) -> Arc<Self> {
        let (inner, script, calls) = Default::default();
        Arc::new(Self { inner, prefix, script, calls })
    }

    pub(crate) fn overtaken(&self, bytes: impl Into<Bytes>) {
        self.meets(Wrong { overtaken_by: Some(bytes.into()), fails: None });
    }

    pub(crate) fn fails(&self, error: Error) {
        self.meets(Wrong { overtaken_by: None, fails: Some(error) });
    }

    pub(crate) fn meets(&self, wrong: Wrong) {
        self.script.lock().unwrap().push_back(wrong);
    }

    /// How many calls there were that begin so: `read leases/`.
    pub(crate) fn count(&self, call: &str) -> usize {
        self.calls.lock().unwrap().iter().filter(|asked| asked.starts_with(call)).count()
    }

    fn asked(&self, call: &str, key: &str) {
        let mut calls = self.calls.lock().unwrap();
        calls.push(format!("{call} {key}"));
        assert!(calls.len() < 1000, "it asks for ever");
    }

    async fn goes_wrong(&self, key: &str) -> Result<()> {
        let next = || self.script.lock().unwrap().pop_front();
        let Some(wrong) = key.starts_with(self.prefix).then(next).flatten() else { return Ok(()) };
        if let Some(bytes) = wrong.overtaken_by {
            match self.inner.read(key).await? {
                None => assert_eq!(self.inner.create(key, bytes).await?, Created::Yes),
                Some((_, tag)) => assert!(self.inner.replace_if(key, &tag, bytes).await?),
            }
        }
        wrong.fails.map_or(Ok(()), Err)
    }
}

#[async_trait]
impl Slots for Scripted {
    async fn create(&self, key: &str, bytes: Bytes) -> Result<Created> {
        self.asked("create", key);
        self.goes_wrong(key).await?;
        self.inner.create(key, bytes).await
    }
    async fn read(&self, key: &str) -> Result<Option<(Bytes, Tag)>> {
        self.asked("read", key);
        self.inner.read(key).await
    }
    async fn replace_if(&self, key: &str, tag: &Tag, bytes: Bytes) -> Result<bool> {
        self.asked("replace", key);
        self.goes_wrong(key).await?;
        self.inner.replace_if(key, tag, bytes).await
    }
    async fn remove_if(&self, key: &str, tag: &Tag) -> Result<bool> {
        self.asked("remove", key);
        self.inner.remove_if(key, tag).await
    }
    async fn list(&self, prefix: &str) -> Result<Vec<String>> {
        self.asked("list", prefix);
        self.inner.list(prefix).await
    }
}
