//! The little that a shared store has to be able to do.

use std::fmt;

use async_trait::async_trait;
use bytes::Bytes;

use crate::error::Result;

/// A store of small values under keys: a folder, an object store. `dr-store` adapts object stores to it.
///
/// Keys are `/`-separated, of letters, digits, `.`, `_` and `-`. What a call says is durable is durable.
#[async_trait]
pub trait Slots: fmt::Debug + Send + Sync {
    /// Puts a value where there is none. It reads back when it is unsure: `AlreadyExists` of a store that retries by
    /// itself does not mean that somebody else won.
    async fn create(&self, key: &str, bytes: Bytes) -> Result<Created>;

    /// The value and its tag.
    async fn read(&self, key: &str) -> Result<Option<(Bytes, Tag)>>;

    /// Replaces the value if its tag is still that one; `false` if it is not.
    async fn replace_if(&self, key: &str, tag: &Tag, bytes: Bytes) -> Result<bool>;

    /// Removes the value if its tag is still that one; `false` if it is not. Absent counts as removed.
    async fn remove_if(&self, key: &str, tag: &Tag) -> Result<bool>;

    /// The keys that begin with `prefix`, sorted.
    async fn list(&self, prefix: &str) -> Result<Vec<String>>;
}

/// What became of a put-if-absent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Created {
    /// It is there, by us.
    Yes,
    /// These very bytes were there already: an earlier try of ours, whose reply was lost.
    Mine,
    /// Something else is there.
    Other(Bytes),
}

/// A value's version, opaque.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tag(pub String);
