//! Paging through a bucket's versions, key by key, without holding more than a page and one key.

use dr_core::resource::Cx;
use dr_core::{Error, Result};

use super::buckets::Place;
use super::versions::{Entry, Versions, marker, object};
use crate::asking::Op;

/// How often is said how far it is.
const SAY_EVERY: u64 = 10_000;

/// Calls `each` with every key below `prefix`, in the order of the keys.
pub(super) async fn versions(
    cx: &Cx,
    place: &Place<'_>,
    prefix: &str,
    mut each: impl FnMut(Versions) + Send,
) -> Result<()> {
    let s3 = place.s3();
    let (mut key_marker, mut version_marker): (Option<String>, Option<String>) = (None, None);
    let mut open: Vec<(String, Entry)> = Vec::new();
    let (mut keys, mut told) = (0_u64, 0_u64);
    loop {
        let page = Op::reads("s3:ListBucketVersions")
            .at(&place.bucket.region)
            .ask(cx, || {
                s3.list_object_versions()
                    .bucket(&place.bucket.name)
                    .prefix(prefix)
                    .set_key_marker(key_marker.clone())
                    .set_version_id_marker(version_marker.clone())
                    .send()
            })
            .await
            .map_err(|error| Error::from(error).on(place.shown()))?;
        let seen = page.versions().iter().map(object).chain(page.delete_markers().iter().map(marker));
        for entry in seen {
            open.push(entry.ok_or_else(|| {
                Error::new(dr_core::ErrorKind::Unknown, "S3 lists a version without key, time or content")
                    .on(place.shown())
                    .not_happened()
            })?);
        }
        let more = page.is_truncated.unwrap_or(false);
        // The last key of a page may go on in the next one.
        let last = if more { open.iter().map(|(key, _)| key.clone()).max() } else { None };
        open.sort_by(|(one, _), (other, _)| one.cmp(other));
        let kept = last.map_or(open.len(), |last| open.partition_point(|(key, _)| *key < last));
        let rest = open.split_off(kept);
        for group in open.chunk_by(|(one, _), (other, _)| one == other) {
            if let Some((key, _)) = group.first() {
                keys += 1;
                each(Versions::new(key.clone(), group.iter().map(|(_, entry)| entry.clone()).collect()));
            }
        }
        open = rest;
        if keys >= told + SAY_EVERY {
            told = keys;
            cx.progress.say(format!("{keys} keys of {} looked at", place.shown()));
        }
        if !more {
            return Ok(());
        }
        let before = (key_marker.take(), version_marker.take());
        (key_marker, version_marker) = (page.next_key_marker, page.next_version_id_marker);
        if key_marker.is_none() || before == (key_marker.clone(), version_marker.clone()) {
            return Err(Error::new(dr_core::ErrorKind::Unknown, "S3 says that there is more, and not where")
                .on(place.shown())
                .not_happened());
        }
    }
}
