//! Lifecycle rules: kept and shown. They act after days, and no world here lives for one.

use bytes::Bytes;

use crate::wire::{Answer, ApiError, Element, Request};
use crate::world::World;

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketLifecycleConfiguration.html>
pub(super) fn get(world: &mut World, request: &Request) -> Result<Answer, ApiError> {
    let bucket = super::bucket(world, request)?;
    let rules: Bytes = bucket.lifecycle.clone().ok_or_else(|| {
        ApiError::new(404, "NoSuchLifecycleConfiguration", "The lifecycle configuration does not exist")
    })?;
    Ok(Answer::raw(rules).header("content-type", "application/xml"))
}

/// Every rule has a status; one with none is malformed.
///
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketLifecycleConfiguration.html>
pub(super) fn put(world: &mut World, request: &Request) -> Result<Answer, ApiError> {
    let (body, _) = super::body(request)?;
    let xml = Element::parse(&body)?;
    let mut rules = xml.children("Rule").peekable();
    let known = |status: Option<&str>| matches!(status, Some("Enabled" | "Disabled"));
    if rules.peek().is_none() || !rules.all(|rule| known(rule.text("Status"))) {
        return Err(ApiError::new(
            400,
            "MalformedXML",
            "The XML you provided was not well-formed or did not validate against our published schema",
        ));
    }
    super::bucket(world, request)?.lifecycle = Some(body);
    Ok(Answer::empty(200))
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteBucketLifecycle.html>
pub(super) fn delete(world: &mut World, request: &Request) -> Result<Answer, ApiError> {
    super::bucket(world, request)?.lifecycle = None;
    Ok(Answer::empty(204))
}
