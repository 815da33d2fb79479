//! Writing objects, also only on a condition.

use dr_core::Timestamp;

use super::bucket::{Bucket, NULL, Version, Versioning, no_such_key};
use super::checksum::etag;
use super::replicate;
use crate::wire::{Answer, ApiError, Request};
use crate::world::World;

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html>
pub(super) fn object(world: &mut World, request: &Request) -> Result<Answer, ApiError> {
    let key = super::key(request);
    let (body, checksums) = super::body(request)?;
    let version = Version {
        id: String::new(),
        marker: false,
        etag: etag(&body),
        body,
        modified: Timestamp::from_millis(0),
        headers: kept_headers(request),
        checksums,
        progress: None,
        replicated: None,
    };
    let stored = store(world, request, &key, version)?;
    let mut answer = Answer::empty(200).header("etag", &stored.etag);
    for (name, value) in &stored.checksums {
        answer = answer.header(name, value);
    }
    Ok(with_version(answer, &stored))
}

/// Stores a version under its conditions, and lets it be replicated.
pub(super) fn store(
    world: &mut World,
    request: &Request,
    key: &str,
    mut version: Version,
) -> Result<Version, ApiError> {
    if key.len() > 1_024 {
        return Err(ApiError::new(400, "KeyTooLongError", "Your key is too long"));
    }
    let (now, fresh) = (world.clock.wall(), world.chance.lower("", 32));
    let bucket = super::bucket(world, request)?;
    hold(bucket, request, key)?;
    version.modified = now;
    version.id = match bucket.versioning {
        Versioning::Enabled => fresh,
        Versioning::Never | Versioning::Suspended => NULL.to_owned(),
    };
    let name = bucket.name.clone();
    bucket.push(key, version.clone());
    replicate::begin(world, &name, key, &version.id);
    Ok(version)
}

/// `If-None-Match: *` and `If-Match`.
///
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html>
pub(super) fn hold(bucket: &Bucket, request: &Request, key: &str) -> Result<(), ApiError> {
    let current = bucket.current(key);
    match request.header("if-none-match") {
        None => {}
        Some("*") if current.is_some() => return Err(failed("If-None-Match")),
        Some("*") => {}
        Some(_) => {
            return Err(ApiError::new(
                501,
                "NotImplemented",
                "A header you provided implies functionality that is not implemented",
            )
            .with("Header", "If-None-Match"));
        }
    }
    match (request.header("if-match"), current) {
        (None, _) => Ok(()),
        (Some(_), None) => Err(no_such_key(key)),
        (Some(wanted), Some(current)) if same(wanted, &current.etag) => Ok(()),
        (Some(_), Some(_)) => Err(failed("If-Match")),
    }
}

/// ETags with or without their quotation marks.
pub(super) fn same(wanted: &str, etag: &str) -> bool {
    wanted == "*" || wanted.trim_matches('"') == etag.trim_matches('"')
}

pub(super) fn failed(condition: &'static str) -> ApiError {
    ApiError::new(412, "PreconditionFailed", "At least one of the pre-conditions you specified did not hold")
        .with("Condition", condition)
}

/// The headers that S3 gives back as they came.
pub(super) fn kept_headers(request: &Request) -> Vec<(String, String)> {
    let kept = ["content-type", "cache-control", "content-disposition", "content-language", "expires"];
    let mut headers: Vec<(String, String)> = request
        .headers
        .iter()
        .filter(|(name, _)| kept.contains(&name.as_str()) || name.as_str().starts_with("x-amz-meta-"))
        .filter_map(|(name, value)| Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned())))
        .collect();
    if !headers.iter().any(|(name, _)| name == "content-type") {
        headers.push(("content-type".to_owned(), "binary/octet-stream".to_owned()));
    }
    headers
}

/// Names the version where there are versions.
pub(super) fn with_version(answer: Answer, version: &Version) -> Answer {
    if version.id == NULL { answer } else { answer.header("x-amz-version-id", &version.id) }
}
