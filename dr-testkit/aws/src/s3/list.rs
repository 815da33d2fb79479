//! Listing objects and versions, in pages.

use std::borrow::Cow;
use std::collections::BTreeSet;

use data_encoding::BASE64URL_NOPAD;

use super::bucket::Version;
use crate::wire::{Answer, ApiError, Node, Request};
use crate::world::World;

/// What of a bucket is asked for.
struct Asked<'a> {
    prefix: &'a str,
    delimiter: Option<&'a str>,
    most: usize,
    encoded: bool,
}

impl<'a> Asked<'a> {
    fn read(request: &'a Request) -> Result<Self, ApiError> {
        let most = match request.filled("max-keys") {
            None => 1_000,
            Some(text) => text.parse::<usize>().map_err(|_| {
                ApiError::new(
                    400,
                    "InvalidArgument",
                    "Provided max-keys not an integer or within integer range",
                )
            })?,
        };
        Ok(Self {
            prefix: request.param("prefix").unwrap_or_default(),
            delimiter: request.filled("delimiter"),
            most: most.min(1_000),
            encoded: request.param("encoding-type") == Some("url"),
        })
    }

    /// The common prefix that stands for a key, if one does.
    fn common(&self, key: &str) -> Option<String> {
        let delimiter = self.delimiter?;
        let rest = key.strip_prefix(self.prefix)?;
        let end = rest.find(delimiter)? + delimiter.len();
        Some(format!("{}{}", self.prefix, rest.get(..end)?))
    }

    fn shown(&self, key: &str) -> String {
        if !self.encoded {
            return key.to_owned();
        }
        url::form_urlencoded::byte_serialize(key.as_bytes()).collect::<String>().replace("%2F", "/")
    }

    fn head(&self, bucket: &str) -> Node {
        Node::map()
            .put("Name", bucket)
            .put("Prefix", self.shown(self.prefix))
            .maybe("Delimiter", self.delimiter.map(|delimiter| self.shown(delimiter)))
            .put("MaxKeys", self.most)
            .maybe("EncodingType", self.encoded.then_some("url"))
    }
}

fn prefixes(asked: &Asked<'_>, prefixes: &BTreeSet<String>) -> Node {
    Node::Flat(prefixes.iter().map(|prefix| Node::map().put("Prefix", asked.shown(prefix))).collect())
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html>
pub(super) fn objects(world: &mut World, request: &Request) -> Result<Answer, ApiError> {
    let asked = Asked::read(request)?;
    let token = request.filled("continuation-token");
    let after: Option<Cow<'_, str>> = match (token, request.filled("start-after")) {
        (Some(token), _) => Some(Cow::Owned(decode(token)?)),
        (None, Some(after)) => Some(Cow::Borrowed(after)),
        (None, None) => None,
    };
    let bucket = super::bucket(world, request)?;
    let (mut contents, mut common) = (Vec::new(), BTreeSet::new());
    let mut last = None;
    let mut truncated = false;
    for (key, versions) in &bucket.objects {
        let Some(current) = versions.last().filter(|version| !version.marker) else { continue };
        let group = asked.common(key);
        // A prefix that was listed stands for all that is below it.
        let passed = after.as_deref().is_some_and(|after| {
            key.as_str() <= after || group.as_deref().is_some_and(|group| group <= after)
        });
        if !key.starts_with(asked.prefix) || passed {
            continue;
        }
        if group.as_ref().is_some_and(|group| common.contains(group)) {
            continue;
        }
        if contents.len() + common.len() >= asked.most {
            truncated = true;
            break;
        }
        match group {
            Some(group) => {
                last = Some(group.clone());
                common.insert(group);
            }
            None => {
                last = Some(key.clone());
                contents.push(object_node(&asked, key, current));
            }
        }
    }
    let next = last.filter(|_| truncated).map(|last| BASE64URL_NOPAD.encode(last.as_bytes()));
    let node = asked
        .head(&bucket.name)
        .put("KeyCount", contents.len() + common.len())
        .put("IsTruncated", truncated)
        .maybe("ContinuationToken", token)
        .maybe("NextContinuationToken", next)
        .maybe("StartAfter", request.filled("start-after"))
        .put("Contents", Node::Flat(contents))
        .put("CommonPrefixes", prefixes(&asked, &common));
    Ok(Answer::tree("ListBucketResult", node))
}

fn decode(token: &str) -> Result<String, ApiError> {
    BASE64URL_NOPAD
        .decode(token.as_bytes())
        .ok()
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .ok_or_else(|| ApiError::new(400, "InvalidArgument", "The continuation token provided is incorrect"))
}

fn object_node(asked: &Asked<'_>, key: &str, version: &Version) -> Node {
    Node::map()
        .put("Key", asked.shown(key))
        .put("LastModified", version.modified)
        .put("ETag", &version.etag)
        .put("Size", version.body.len())
        .put("StorageClass", "STANDARD")
}

/// By key, the newest version first.
///
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectVersions.html>
pub(super) fn versions(world: &mut World, request: &Request) -> Result<Answer, ApiError> {
    let asked = Asked::read(request)?;
    let (key_marker, id_marker) = (request.filled("key-marker"), request.filled("version-id-marker"));
    if id_marker.is_some() && key_marker.is_none() {
        return Err(ApiError::new(
            400,
            "InvalidArgument",
            "A version-id marker cannot be specified without a key marker.",
        ));
    }
    let bucket = super::bucket(world, request)?;
    let (mut entries, mut common) = (Vec::new(), BTreeSet::new());
    let mut last: Option<(String, Option<String>)> = None;
    let mut truncated = false;
    // With a version marker the key itself goes on behind that version.
    let mut behind = id_marker.is_none();
    'keys: for (key, versions) in bucket.objects.iter().filter(|(key, _)| key.starts_with(asked.prefix)) {
        let group = asked.common(key);
        let skipped = key_marker.is_some_and(|marker| {
            let end = group.as_deref().unwrap_or(key);
            if id_marker.is_some() { key.as_str() < marker } else { key.as_str() <= marker || end <= marker }
        });
        if skipped || group.as_ref().is_some_and(|group| common.contains(group)) {
            continue;
        }
        if let Some(group) = group {
            if entries.len() + common.len() >= asked.most {
                truncated = true;
                break;
            }
            last = Some((group.clone(), None));
            common.insert(group);
            continue;
        }
        let at_marker = key_marker == Some(key.as_str());
        for (index, version) in versions.iter().rev().enumerate() {
            if at_marker && !behind {
                behind = id_marker == Some(version.id.as_str());
                continue;
            }
            if entries.len() + common.len() >= asked.most {
                truncated = true;
                break 'keys;
            }
            last = Some((key.clone(), Some(version.id.clone())));
            entries.push(version_entry(&asked, key, version, index == 0));
        }
    }
    let next = last.filter(|_| truncated);
    let mut node = asked
        .head(&bucket.name)
        .put("KeyMarker", key_marker.unwrap_or_default())
        .put("VersionIdMarker", id_marker.unwrap_or_default())
        .put("IsTruncated", truncated);
    if let Some((key, id)) = next {
        node = node.put("NextKeyMarker", asked.shown(&key)).maybe("NextVersionIdMarker", id);
    }
    for (name, entry) in entries {
        node = node.put(name, entry);
    }
    Ok(Answer::tree("ListVersionsResult", node.put("CommonPrefixes", prefixes(&asked, &common))))
}

fn version_entry(asked: &Asked<'_>, key: &str, version: &Version, latest: bool) -> (&'static str, Node) {
    let node = Node::map().put("Key", asked.shown(key)).put("VersionId", &version.id).put("IsLatest", latest);
    if version.marker {
        return ("DeleteMarker", node.put("LastModified", version.modified));
    }
    let node = node
        .put("LastModified", version.modified)
        .put("ETag", &version.etag)
        .put("Size", version.body.len())
        .put("StorageClass", "STANDARD");
    ("Version", node)
}
