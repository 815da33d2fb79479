//! S3: buckets, versions, conditional writes, replication to another region.
//!
//! Path style (`/bucket/key`): <https://docs.aws.amazon.com/AmazonS3/latest/API/API_Operations_Amazon_Simple_Storage_Service.html>

mod bucket;
mod bucket_api;
mod checksum;
mod copy;
mod date;
mod delete;
mod get;
mod lifecycle_api;
mod list;
mod put;
mod replicate;
mod replication_api;

pub(crate) use bucket::{Bucket, Versioning};
pub(crate) use replicate::{Due, carry_out};
pub(crate) use replication_api::node as replication_node;

use std::collections::BTreeMap;

use bytes::Bytes;

use crate::server::unknown;
use crate::service::Service;
use crate::wire::{Answer, ApiError, Request, plain_body};
use crate::world::World;

/// All buckets: their names are everybody's.
#[derive(Debug, Default)]
pub(crate) struct S3 {
    pub(crate) buckets: BTreeMap<String, Bucket>,
}

/// The action of a method, a path and a query.
pub(crate) fn action(
    method: &str,
    path: &[String],
    query: &[(String, String)],
    copies: bool,
) -> Option<&'static str> {
    let has = |name: &str| query.iter().any(|(key, _)| key == name);
    let bucket = path.first().is_some_and(|bucket| !bucket.is_empty());
    let key = path.len() > 2 || path.get(1).is_some_and(|key| !key.is_empty());
    let unmodelled = [
        "acl",
        "tagging",
        "policy",
        "uploads",
        "uploadId",
        "object-lock",
        "retention",
        "legal-hold",
        "encryption",
        "notification",
    ];
    if unmodelled.iter().any(|name| has(name)) {
        return None;
    }
    Some(match (method, bucket, key) {
        ("GET", false, false) => "ListBuckets",
        ("PUT", true, false) if has("versioning") => "PutBucketVersioning",
        ("PUT", true, false) if has("replication") => "PutBucketReplication",
        ("PUT", true, false) if has("lifecycle") => "PutBucketLifecycleConfiguration",
        ("PUT", true, false) => "CreateBucket",
        ("HEAD", true, false) => "HeadBucket",
        ("DELETE", true, false) if has("replication") => "DeleteBucketReplication",
        ("DELETE", true, false) if has("lifecycle") => "DeleteBucketLifecycle",
        ("DELETE", true, false) => "DeleteBucket",
        ("GET", true, false) if has("location") => "GetBucketLocation",
        ("GET", true, false) if has("versioning") => "GetBucketVersioning",
        ("GET", true, false) if has("replication") => "GetBucketReplication",
        ("GET", true, false) if has("lifecycle") => "GetBucketLifecycleConfiguration",
        ("GET", true, false) if has("versions") => "ListObjectVersions",
        ("GET", true, false) if query.iter().any(|(key, value)| key == "list-type" && value == "2") => {
            "ListObjectsV2"
        }
        ("POST", true, false) if has("delete") => "DeleteObjects",
        ("PUT", true, true) if copies => "CopyObject",
        ("PUT", true, true) => "PutObject",
        ("GET", true, true) => "GetObject",
        ("HEAD", true, true) => "HeadObject",
        ("DELETE", true, true) => "DeleteObject",
        _ => return None,
    })
}

/// Carries a call out.
pub(crate) fn perform(world: &mut World, request: &Request) -> Result<Answer, ApiError> {
    match request.action.as_str() {
        "ListBuckets" => bucket_api::list(world, request),
        "CreateBucket" => bucket_api::create(world, request),
        "HeadBucket" => bucket_api::head(world, request),
        "DeleteBucket" => bucket_api::delete(world, request),
        "GetBucketLocation" => bucket_api::location(world, request),
        "GetBucketVersioning" => bucket_api::get_versioning(world, request),
        "PutBucketVersioning" => bucket_api::put_versioning(world, request),
        "GetBucketReplication" => replication_api::get(world, request),
        "PutBucketReplication" => replication_api::put(world, request),
        "DeleteBucketReplication" => replication_api::delete(world, request),
        "GetBucketLifecycleConfiguration" => lifecycle_api::get(world, request),
        "PutBucketLifecycleConfiguration" => lifecycle_api::put(world, request),
        "DeleteBucketLifecycle" => lifecycle_api::delete(world, request),
        "ListObjectsV2" => list::objects(world, request),
        "ListObjectVersions" => list::versions(world, request),
        "PutObject" => put::object(world, request),
        "CopyObject" => copy::object(world, request),
        "GetObject" => get::object(world, request, true),
        "HeadObject" => get::object(world, request, false),
        "DeleteObject" => delete::object(world, request),
        "DeleteObjects" => delete::objects(world, request),
        other => Err(unknown(Service::S3, other)),
    }
}

/// The key of an object request.
fn key(request: &Request) -> String {
    request.path.get(1..).unwrap_or_default().join("/")
}

/// The bucket of a request, which has to be signed for the bucket's region.
fn bucket<'a>(world: &'a mut World, request: &Request) -> Result<&'a mut Bucket, ApiError> {
    let name = request.segment(0);
    let bucket = world.bucket(name)?;
    if bucket.account != request.account {
        return Err(ApiError::new(403, "AccessDenied", "Access Denied"));
    }
    if bucket.region != request.region {
        return Err(ApiError::new(
            400,
            "AuthorizationHeaderMalformed",
            format!(
                "The authorization header is malformed; the region '{}' is wrong; expecting '{}'",
                request.region, bucket.region
            ),
        )
        .with("Region", bucket.region.as_str()));
    }
    Ok(bucket)
}

/// The body as it was meant, with every checksum that came along held to it.
fn body(request: &Request) -> Result<(Bytes, Vec<(String, String)>), ApiError> {
    let (plain, trailers) = plain_body(&request.headers, request.body.clone())?;
    let sums = checksum::verify(request, &plain, &trailers)?;
    Ok((plain, sums))
}

impl World {
    /// A bucket.
    pub(crate) fn bucket(&mut self, name: &str) -> Result<&mut Bucket, ApiError> {
        self.s3.buckets.get_mut(name).ok_or_else(|| {
            ApiError::new(404, "NoSuchBucket", "The specified bucket does not exist").with("BucketName", name)
        })
    }
}
