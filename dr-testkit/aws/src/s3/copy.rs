//! Copying an object, or one of its versions.

use super::bucket::{Version, no_such_key};
use super::put::{failed, kept_headers, same, store, with_version};
use crate::server::percent_decode;
use crate::wire::{Answer, ApiError, Node, Request};
use crate::world::World;

/// What is copied is read where it is: a source in a region that is lost cannot be.
///
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html>
pub(super) fn object(world: &mut World, request: &Request) -> Result<Answer, ApiError> {
    let key = super::key(request);
    let invalid = || {
        ApiError::new(
            400,
            "InvalidArgument",
            "Copy Source must mention the source bucket and key: sourcebucket/sourcekey",
        )
    };
    let header = request.header("x-amz-copy-source").ok_or_else(invalid)?;
    for unmodelled in ["x-amz-copy-source-if-modified-since", "x-amz-copy-source-if-unmodified-since"] {
        if request.header(unmodelled).is_some() {
            return Err(ApiError::new(
                501,
                "NotImplemented",
                format!("the simulator does not model {unmodelled}"),
            ));
        }
    }
    let (path, id) = match header.split_once("?versionId=") {
        Some((path, id)) => (path, Some(id)),
        None => (header, None),
    };
    let path = percent_decode(path.trim_start_matches('/'));
    let (from, source_key) = path.split_once('/').ok_or_else(invalid)?;
    let replaces = request.header("x-amz-metadata-directive") == Some("REPLACE");
    if from == request.segment(0) && source_key == key && id.is_none() && !replaces {
        return Err(ApiError::new(
            400,
            "InvalidRequest",
            "This copy request is illegal because it is trying to copy an object to itself without changing the object's metadata, storage class, website redirect location or encryption attributes.",
        ));
    }
    let region = world.bucket(from)?.region.clone();
    if world.is_lost(&region) {
        return Err(ApiError::new(503, "ServiceUnavailable", "Reduce your request rate."));
    }
    let bucket = world.bucket(from)?;
    if bucket.account != request.account {
        return Err(ApiError::new(403, "AccessDenied", "Access Denied"));
    }
    let source = bucket.find(source_key, id)?.clone();
    if source.marker {
        return Err(match id {
            Some(_) => ApiError::new(
                400,
                "InvalidRequest",
                "The source of a copy request may not specifically refer to a delete marker by version id.",
            ),
            None => no_such_key(source_key),
        });
    }
    if request.header("x-amz-copy-source-if-match").is_some_and(|wanted| !same(wanted, &source.etag)) {
        return Err(failed("x-amz-copy-source-If-Match"));
    }
    if request.header("x-amz-copy-source-if-none-match").is_some_and(|wanted| same(wanted, &source.etag)) {
        return Err(failed("x-amz-copy-source-If-None-Match"));
    }
    let headers = if replaces { kept_headers(request) } else { source.headers.clone() };
    let source_id = source.id.clone();
    let copied = Version { headers, progress: None, replicated: None, ..source };
    let stored = store(world, request, &key, copied)?;
    let node = Node::map().put("LastModified", stored.modified).put("ETag", &stored.etag);
    let answer = Answer::tree("CopyObjectResult", node).header("x-amz-copy-source-version-id", source_id);
    Ok(with_version(answer, &stored))
}
