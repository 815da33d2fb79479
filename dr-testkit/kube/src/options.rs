//! What a region is to be like.

use std::time::Duration;

/// What a region is to be like.
#[derive(Debug, Clone)]
pub struct RegionOptions {
    pub(crate) name: String,
    pub(crate) watch_cache: bool,
    pub(crate) within: Duration,
}

impl RegionOptions {
    /// A region of that name: nodes and contexts are named after it.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), watch_cache: true, within: Duration::from_secs(90) }
    }

    /// Has watches served by etcd itself, not by the API server's cache. Then a compaction is seen at once by whoever
    /// resumes a watch, without a restart of the server.
    #[must_use]
    pub fn without_watch_cache(mut self) -> Self {
        self.watch_cache = false;
        self
    }

    /// How long the servers may take to come up.
    #[must_use]
    pub fn within(mut self, within: Duration) -> Self {
        self.within = within;
        self
    }
}
