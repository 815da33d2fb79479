//! A key's versions, and which of them was current at a moment. Pure.

use aws_sdk_s3::types::{DeleteMarkerEntry, ObjectStorageClass, ObjectVersion, ObjectVersionStorageClass};
use dr_core::Timestamp;
use serde::{Deserialize, Serialize};

/// An object's version, or a delete marker's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) version: String,
    pub(super) at: Timestamp,
    pub(super) latest: bool,
    /// `None`: a delete marker.
    pub(super) object: Option<Content>,
}

/// What tells contents apart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Content {
    #[serde(rename = "e")]
    pub(super) etag: String,
    #[serde(rename = "s")]
    pub(super) size: u64,
    /// Whether it has to be brought back from an archive before it can be read.
    #[serde(skip)]
    pub(super) archived: bool,
}

impl Content {
    /// Whether its ETag says anything of its bytes as a whole: that of parts does not.
    pub(super) fn is_of_parts(&self) -> bool {
        self.etag.contains('-')
    }

    /// Whether both are proven to be the same.
    pub(super) fn is(&self, other: &Self) -> bool {
        (&self.etag, self.size) == (&other.etag, other.size)
    }
}

/// A key and all its versions, newest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Versions {
    pub(super) key: String,
    entries: Vec<Entry>,
}

impl Versions {
    /// From S3's two lists, each newest first. Their order between each other is that of their times; S3 gives those to
    /// the second. Within one second the newest is known by its flag; beyond that an object goes before a marker: in
    /// doubt it was there.
    pub(super) fn new(key: impl Into<String>, mut entries: Vec<Entry>) -> Self {
        entries.sort_by(|one, other| {
            let rank = |entry: &Entry| (entry.latest, entry.at, entry.object.is_some());
            rank(other).cmp(&rank(one))
        });
        Self { key: key.into(), entries }
    }

    /// All of them, newest first.
    pub(super) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// What is current now.
    pub(super) fn current(&self) -> Option<&Entry> {
        self.entries.first()
    }

    /// What was current at a moment. `None`: the key did not exist yet.
    pub(super) fn at(&self, moment: Timestamp) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.at <= moment)
    }
}

/// As S3 lists it.
pub(super) fn object(version: &ObjectVersion) -> Option<(String, Entry)> {
    let entry = Entry {
        version: version.version_id.clone()?,
        at: Timestamp::from_millis(version.last_modified?.to_millis().ok()?),
        latest: version.is_latest.unwrap_or(false),
        object: Some(Content {
            etag: version.e_tag.as_deref()?.trim_matches('"').to_owned(),
            size: u64::try_from(version.size?).ok()?,
            archived: archived(version),
        }),
    };
    Some((version.key.clone()?, entry))
}

/// Whether it lies in an archive and was not brought back. Listings name only `STANDARD` among the classes of versions;
/// others stand there by their name.
fn archived(version: &ObjectVersion) -> bool {
    let class = version.storage_class.as_ref().map(ObjectVersionStorageClass::as_str).unwrap_or_default();
    let deep = [ObjectStorageClass::Glacier.as_str(), ObjectStorageClass::DeepArchive.as_str()];
    let back = version.restore_status.as_ref().is_some_and(|status| status.restore_expiry_date.is_some());
    deep.contains(&class) && !back
}

/// As S3 lists it.
pub(super) fn marker(marker: &DeleteMarkerEntry) -> Option<(String, Entry)> {
    let entry = Entry {
        version: marker.version_id.clone()?,
        at: Timestamp::from_millis(marker.last_modified?.to_millis().ok()?),
        latest: marker.is_latest.unwrap_or(false),
        object: None,
    };
    Some((marker.key.clone()?, entry))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::s3) fn at(second: i64) -> Timestamp {
        Timestamp::from_millis(1_800_000_000_000 + second * 1_000)
    }

    /// An object's version, or a marker's if it has no content.
    pub(in crate::s3) fn entry(version: &str, second: i64, etag: Option<&str>) -> Entry {
        let object = etag.map(|etag| Content { etag: etag.to_owned(), size: 3, archived: false });
        Entry { version: version.to_owned(), at: at(second), latest: false, object }
    }

    #[test]
    fn what_was_current_is_the_newest_that_was_there() {
        let versions = Versions::new(
            "k",
            vec![entry("a", 10, Some("1")), entry("c", 30, Some("2")), entry("b", 20, None)],
        );
        let current = |second| versions.at(at(second)).map(|entry| entry.version.as_str());
        assert_eq!(
            [9, 10, 19, 20, 29, 30, 99].map(current),
            [None, Some("a"), Some("a"), Some("b"), Some("b"), Some("c"), Some("c")]
        );
        assert_eq!(versions.current().unwrap().version, "c");
    }

    #[test]
    fn within_one_second_the_flag_and_else_the_object_goes_first() {
        let marker = Entry { latest: true, ..entry("m", 10, None) };
        let deleted = Versions::new("k", vec![entry("a", 10, Some("1")), marker]);
        assert_eq!(deleted.current().unwrap().version, "m");
        let newer = Entry { latest: true, ..entry("z", 20, Some("3")) };
        let unclear = Versions::new("k", vec![newer, entry("m", 10, None), entry("a", 10, Some("1"))]);
        assert_eq!(unclear.at(at(10)).unwrap().version, "a");
    }

    #[test]
    fn the_etag_of_parts_says_nothing_of_the_whole() {
        let content = |etag: &str| Content { etag: etag.to_owned(), size: 1, archived: false };
        assert!(content("9b2cf5-2").is_of_parts() && !content("9b2cf5").is_of_parts());
        assert!(content("a").is(&content("a")) && !content("a").is(&content("b")));
    }
}
