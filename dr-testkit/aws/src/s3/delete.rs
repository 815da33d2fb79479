//! Deleting objects and versions.

use bytes::Bytes;

use super::bucket::{NULL, Version, Versioning};
use super::put::{failed, same};
use super::replicate;
use crate::wire::{Answer, ApiError, Node, Request};
use crate::world::World;

/// What a deletion did.
struct Deleted {
    version: Option<String>,
    marker: Option<String>,
}

/// With versions a marker is put on top; naming a version removes it for good. What is not there is deleted all right.
///
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObject.html>
pub(super) fn object(world: &mut World, request: &Request) -> Result<Answer, ApiError> {
    let key = super::key(request);
    let id = request.filled("versionId");
    let bucket = super::bucket(world, request)?;
    if let Some(wanted) = request.header("if-match") {
        match bucket.current(&key) {
            Some(current) if same(wanted, &current.etag) => {}
            Some(_) | None => return Err(failed("If-Match")),
        }
    }
    let deleted = delete(world, request, &key, id)?;
    let mut answer = Answer::empty(204);
    if let Some(marker) = deleted.marker {
        answer = answer.header("x-amz-delete-marker", "true").header("x-amz-version-id", marker);
    } else if let Some(version) = deleted.version {
        answer = answer.header("x-amz-version-id", version);
    }
    Ok(answer)
}

/// Up to a thousand at once.
///
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html>
pub(super) fn objects(world: &mut World, request: &Request) -> Result<Answer, ApiError> {
    let (body, _) = super::body(request)?;
    let xml = crate::wire::Element::parse(&body)?;
    let quiet = xml.flag("Quiet").unwrap_or(false);
    let named: Vec<_> = xml.children("Object").collect();
    if named.is_empty() || named.len() > 1_000 {
        return Err(ApiError::new(
            400,
            "MalformedXML",
            "The XML you provided was not well-formed or did not validate against our published schema",
        ));
    }
    super::bucket(world, request)?;
    let mut done = Vec::new();
    for object in named {
        let (key, id) = (object.need("Key")?, object.text("VersionId"));
        let deleted = delete(world, request, key, id)?;
        let node = Node::map().put("Key", key).maybe("VersionId", id);
        done.push(match deleted.marker {
            Some(marker) => node.put("DeleteMarker", true).put("DeleteMarkerVersionId", marker),
            None => node,
        });
    }
    let shown = if quiet { Vec::new() } else { done };
    Ok(Answer::tree("DeleteResult", Node::map().put("Deleted", Node::Flat(shown))))
}

fn delete(world: &mut World, request: &Request, key: &str, id: Option<&str>) -> Result<Deleted, ApiError> {
    let (now, fresh) = (world.clock.wall(), world.chance.lower("", 32));
    let bucket = super::bucket(world, request)?;
    if let Some(id) = id {
        let gone = bucket.remove(key, id);
        let marker = gone.filter(|version| version.marker).map(|version| version.id);
        return Ok(Deleted { version: Some(id.to_owned()), marker });
    }
    let fresh = match bucket.versioning {
        Versioning::Never => {
            bucket.objects.remove(key);
            return Ok(Deleted { version: None, marker: None });
        }
        Versioning::Enabled => fresh,
        Versioning::Suspended => NULL.to_owned(),
    };
    let marker = Version {
        id: fresh.clone(),
        marker: true,
        body: Bytes::new(),
        etag: String::new(),
        modified: now,
        headers: Vec::new(),
        checksums: Vec::new(),
        progress: None,
        replicated: None,
    };
    let name = bucket.name.clone();
    bucket.push(key, marker);
    replicate::begin(world, &name, key, &fresh);
    Ok(Deleted { version: None, marker: Some(fresh) })
}
