//! A bucket and the versions in it.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use dr_core::Timestamp;

use super::replication_api::Replication;
use crate::wire::ApiError;

/// Whether a bucket keeps versions: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/Versioning.html>.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Versioning {
    Never,
    Enabled,
    Suspended,
}

/// How far the replication of a version has come.
///
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/replication-status.html>
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Progress {
    Pending,
    Completed,
    Failed,
    Replica,
}

impl Progress {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "PENDING",
            Self::Completed => "COMPLETED",
            Self::Failed => "FAILED",
            Self::Replica => "REPLICA",
        }
    }
}

/// A bucket.
#[derive(Debug, Clone)]
pub(crate) struct Bucket {
    pub(crate) name: String,
    pub(crate) account: String,
    pub(crate) region: String,
    pub(crate) created: Timestamp,
    pub(crate) versioning: Versioning,
    pub(crate) replication: Option<Replication>,
    /// Lifecycle rules, as they were put.
    pub(crate) lifecycle: Option<Bytes>,
    /// How long replication takes, by prefix; the longest prefix that fits wins.
    pub(crate) latency: BTreeMap<String, Duration>,
    /// The versions of each key, the oldest first.
    pub(crate) objects: BTreeMap<String, Vec<Version>>,
}

/// A version of an object, or a delete marker.
#[derive(Debug, Clone)]
pub(crate) struct Version {
    pub(crate) id: String,
    pub(crate) marker: bool,
    pub(crate) body: Bytes,
    pub(crate) etag: String,
    pub(crate) modified: Timestamp,
    /// Headers that are given back: type, metadata.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) checksums: Vec<(String, String)>,
    pub(crate) progress: Option<Progress>,
    /// When it was replicated.
    pub(crate) replicated: Option<Timestamp>,
}

/// The id of what was put without versioning.
pub(crate) const NULL: &str = "null";

impl Bucket {
    pub(crate) fn new(name: &str, account: &str, region: &str, created: Timestamp) -> Self {
        Self {
            name: name.to_owned(),
            account: account.to_owned(),
            region: region.to_owned(),
            created,
            versioning: Versioning::Never,
            replication: None,
            lifecycle: None,
            latency: BTreeMap::new(),
            objects: BTreeMap::new(),
        }
    }

    /// The current version of a key, unless it is deleted.
    pub(crate) fn current(&self, key: &str) -> Option<&Version> {
        self.objects.get(key)?.last().filter(|version| !version.marker)
    }

    /// The version that a request means.
    pub(super) fn find(&self, key: &str, id: Option<&str>) -> Result<&Version, ApiError> {
        let versions = self.objects.get(key).map(Vec::as_slice).unwrap_or_default();
        match id {
            Some(id) => versions.iter().find(|version| version.id == id).ok_or_else(|| {
                ApiError::new(404, "NoSuchVersion", "The specified version does not exist.")
                    .with("Key", key)
                    .with("VersionId", id)
            }),
            None => versions.last().ok_or_else(|| no_such_key(key)),
        }
    }

    /// Puts a version on top; without versioning it takes the place of the one there.
    pub(crate) fn push(&mut self, key: &str, version: Version) {
        let versions = self.objects.entry(key.to_owned()).or_default();
        if version.id == NULL {
            versions.retain(|other| other.id != NULL);
        }
        versions.push(version);
    }

    /// Removes a version for good.
    pub(super) fn remove(&mut self, key: &str, id: &str) -> Option<Version> {
        let versions = self.objects.get_mut(key)?;
        let index = versions.iter().position(|version| version.id == id)?;
        let gone = versions.remove(index);
        if versions.is_empty() {
            self.objects.remove(key);
        }
        Some(gone)
    }
}

pub(super) fn no_such_key(key: &str) -> ApiError {
    ApiError::new(404, "NoSuchKey", "The specified key does not exist.").with("Key", key)
}
