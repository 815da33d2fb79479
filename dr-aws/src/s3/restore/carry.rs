//! Carrying changes out: copies inside S3, many at once, and a look afterwards at what is there.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use aws_sdk_s3::types::ServerSideEncryption;
use dr_core::resource::Cx;
use dr_core::{Error, ErrorKind, Result};
use futures_util::stream::FuturesUnordered;
use futures_util::{StreamExt, TryStreamExt, stream};

use super::changes::{Change, Held, Stands};
use crate::s3::buckets::Place;
use crate::s3::listing;
use crate::s3::versions::{Content, Versions};
use crate::together::in_doubt;

const SAY_EVERY: u64 = 1_000;

/// Where changes come from and go to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Way<'a> {
    pub(super) from: Place<'a>,
    /// What the keys' prefix is called there.
    pub(super) from_prefix: &'a str,
    pub(super) to: Place<'a>,
    pub(super) to_prefix: &'a str,
    pub(super) at_once: usize,
}

impl Way<'_> {
    /// Makes each of these keys what its change wants.
    pub(super) async fn carry(&self, cx: &Cx, changes: &[Change]) -> Result<()> {
        let done = AtomicU64::new(0);
        let (mut waiting, mut open) = (changes.iter(), FuturesUnordered::new());
        loop {
            // Made one by one: a hundred thousand futures at once would weigh more than the objects' names.
            while open.len() < self.at_once
                && let Some(change) = waiting.next()
            {
                open.push(self.one(cx, change, &done, changes.len()));
            }
            match open.next().await {
                Some(carried) => carried.map_err(in_doubt)?,
                None => return Ok(()),
            }
        }
    }

    async fn one(&self, cx: &Cx, change: &Change, done: &AtomicU64, of: usize) -> Result<()> {
        match Held::object(change.wanted.as_ref()) {
            Some((version, content)) => self.copy(cx, &change.key, version, content).await?,
            None => self.cover(cx, &change.key).await?,
        }
        let done = done.fetch_add(1, Ordering::Relaxed) + 1;
        if done.is_multiple_of(SAY_EVERY) {
            cx.progress.say(format!("{done} of {of} objects"));
        }
        Ok(())
    }

    async fn copy(&self, cx: &Cx, key: &str, version: &str, content: &Content) -> Result<()> {
        let s3 = self.to.s3();
        let rest = key.strip_prefix(self.to_prefix).unwrap_or(key);
        let source = format!(
            "{}/{}?versionId={}",
            self.from.bucket.name,
            encoded(&format!("{}{rest}", self.from_prefix)),
            encoded(version)
        );
        let copied = self
            .to
            .changes("s3:PutObject")
            .ask(cx, || {
                s3.copy_object()
                    .bucket(&self.to.bucket.name)
                    .key(key)
                    .copy_source(&source)
                    .copy_source_if_match(format!("\"{}\"", content.etag))
                    .send()
            })
            .await
            .map_err(|error| Error::from(error).on(self.to.object(key)))?;
        match copied.copy_object_result {
            Some(_) => Ok(()),
            None => {
                Err(Error::new(ErrorKind::Unknown, "S3 does not say that it was copied")
                    .on(self.to.object(key)))
            }
        }
    }

    /// Puts a delete marker on top.
    async fn cover(&self, cx: &Cx, key: &str) -> Result<()> {
        let s3 = self.to.s3();
        self.to
            .changes("s3:DeleteObject")
            .ask(cx, || s3.delete_object().bucket(&self.to.bucket.name).key(key).send())
            .await
            .map_err(|error| Error::from(error).on(self.to.object(key)))?;
        Ok(())
    }

    /// How each of these keys stands to its change.
    pub(super) async fn stand(&self, cx: &Cx, changes: &[Change]) -> Result<Vec<Stands>> {
        let by_key: BTreeMap<&str, usize> =
            changes.iter().enumerate().map(|(index, change)| (change.key.as_str(), index)).collect();
        let mut stands: Vec<Stands> = changes.iter().map(|change| change.stands(None)).collect();
        let mut tops: BTreeMap<usize, (String, Content)> = BTreeMap::new();
        listing::versions(cx, &self.to, self.to_prefix, |versions: Versions| {
            let Some(index) = by_key.get(versions.key.as_str()).copied() else { return };
            let (Some(change), Some(slot)) = (changes.get(index), stands.get_mut(index)) else { return };
            *slot = change.stands(Some(&versions));
            if let (Stands::Perhaps, Some(top)) = (*slot, versions.current())
                && let Some(content) = &top.object
            {
                tops.insert(index, (top.version.clone(), content.clone()));
            }
        })
        .await?;
        let looking = tops.into_iter().filter_map(|(index, (version, content))| {
            let change = changes.get(index)?;
            let (_, wanted) = Held::object(change.wanted.as_ref())?;
            let of_parts = content.is_of_parts() || wanted.is_of_parts();
            Some(async move {
                let same = of_parts || self.says_nothing_by_etag(cx, &change.key, &version).await?;
                Ok::<_, Error>((index, if same { Stands::Changed } else { Stands::Otherwise }))
            })
        });
        let looking: Vec<_> = looking.collect();
        let looked: Vec<(usize, Stands)> =
            stream::iter(looking).buffer_unordered(self.at_once).try_collect().await?;
        for (index, found) in looked {
            if let Some(slot) = stands.get_mut(index) {
                *slot = found;
            }
        }
        Ok(stands)
    }

    /// Whether a version is encrypted with a key of KMS: its ETag then tells no bytes, and the size has to do.
    async fn says_nothing_by_etag(&self, cx: &Cx, key: &str, version: &str) -> Result<bool> {
        let s3 = self.to.s3();
        let head = self
            .to
            .reads("s3:GetObjectVersion")
            .ask(cx, || s3.head_object().bucket(&self.to.bucket.name).key(key).version_id(version).send())
            .await
            .map_err(|error| Error::from(error).on(self.to.object(key)))?;
        Ok(matches!(
            head.server_side_encryption,
            Some(ServerSideEncryption::AwsKms | ServerSideEncryption::AwsKmsDsse)
        ))
    }
}

/// As the header takes it: every byte but the plain ones, and the slashes of a key.
fn encoded(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~/".contains(&byte);
    text.bytes()
        .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_survives_the_header() {
        assert_eq!(encoded("orders/2026 11/ü+&.json"), "orders/2026%2011/%C3%BC%2B%26.json");
    }
}
