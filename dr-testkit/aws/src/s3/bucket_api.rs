//! Making buckets, and whether they keep versions.

use super::bucket::{Bucket, Versioning};
use crate::wire::{Answer, ApiError, Node, Request};
use crate::world::World;

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListBuckets.html>
pub(super) fn list(world: &mut World, request: &Request) -> Result<Answer, ApiError> {
    let buckets = world.s3.buckets.values().filter(|bucket| bucket.account == request.account);
    let buckets = buckets.map(|bucket| {
        Node::map()
            .put("Name", &bucket.name)
            .put("CreationDate", bucket.created)
            .put("BucketRegion", &bucket.region)
    });
    let node = Node::map()
        .put("Owner", Node::map().put("ID", &request.account))
        .put("Buckets", Node::list("Bucket", buckets));
    Ok(Answer::tree("ListAllMyBucketsResult", node))
}

/// In the region that the request is signed for, which the location constraint has to name outside us-east-1.
///
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateBucket.html>
pub(super) fn create(world: &mut World, request: &Request) -> Result<Answer, ApiError> {
    let name = request.segment(0);
    let valid = (3..=63).contains(&name.len())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-".contains(&byte))
        && !name.starts_with(['.', '-'])
        && !name.ends_with(['.', '-']);
    if !valid {
        return Err(ApiError::new(400, "InvalidBucketName", "The specified bucket is not valid."));
    }
    let asked = if request.body.is_empty() {
        None
    } else {
        request.xml()?.text("LocationConstraint").map(str::to_owned)
    };
    let wanted = asked.as_deref().unwrap_or("us-east-1");
    if wanted != request.region {
        return Err(ApiError::new(
            400,
            "IllegalLocationConstraintException",
            format!(
                "The {} location constraint is incompatible for the region specific endpoint this request was sent to.",
                asked.as_deref().unwrap_or("unspecified")
            ),
        ));
    }
    match world.s3.buckets.get(name) {
        Some(bucket) if bucket.account == request.account => {
            return Err(ApiError::new(
                409,
                "BucketAlreadyOwnedByYou",
                "Your previous request to create the named bucket succeeded and you already own it.",
            ));
        }
        Some(_) => {
            return Err(ApiError::new(
                409,
                "BucketAlreadyExists",
                "The requested bucket name is not available.",
            ));
        }
        None => {}
    }
    let bucket = Bucket::new(name, &request.account, &request.region, world.clock.wall());
    world.s3.buckets.insert(name.to_owned(), bucket);
    Ok(Answer::empty(200).header("location", format!("/{name}")))
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadBucket.html>
pub(super) fn head(world: &mut World, request: &Request) -> Result<Answer, ApiError> {
    let region = world.bucket(request.segment(0))?.region.clone();
    if region != request.region {
        return Ok(Answer::empty(301).header("x-amz-bucket-region", region));
    }
    super::bucket(world, request)?;
    Ok(Answer::empty(200).header("x-amz-bucket-region", region))
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteBucket.html>
pub(super) fn delete(world: &mut World, request: &Request) -> Result<Answer, ApiError> {
    let bucket = super::bucket(world, request)?;
    if !bucket.objects.is_empty() {
        return Err(ApiError::new(
            409,
            "BucketNotEmpty",
            "The bucket you tried to delete is not empty. You must delete all versions in the bucket.",
        ));
    }
    world.s3.buckets.remove(request.segment(0));
    Ok(Answer::empty(204))
}

/// Empty for us-east-1; asked in any region.
///
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketLocation.html>
pub(super) fn location(world: &mut World, request: &Request) -> Result<Answer, ApiError> {
    let bucket = world.bucket(request.segment(0))?;
    let region = if bucket.region == "us-east-1" { "" } else { &bucket.region };
    Ok(Answer::tree("LocationConstraint", Node::from(region)))
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketVersioning.html>
pub(super) fn get_versioning(world: &mut World, request: &Request) -> Result<Answer, ApiError> {
    let status = match super::bucket(world, request)?.versioning {
        Versioning::Never => None,
        Versioning::Enabled => Some("Enabled"),
        Versioning::Suspended => Some("Suspended"),
    };
    Ok(Answer::tree("VersioningConfiguration", Node::map().maybe("Status", status)))
}

/// It cannot be suspended while the bucket replicates.
///
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketVersioning.html>
pub(super) fn put_versioning(world: &mut World, request: &Request) -> Result<Answer, ApiError> {
    let wanted = match request.xml()?.text("Status") {
        Some("Enabled") => Versioning::Enabled,
        Some("Suspended") => Versioning::Suspended,
        _ => {
            return Err(ApiError::new(
                400,
                "IllegalVersioningConfigurationException",
                "The Versioning element must be specified",
            ));
        }
    };
    let bucket = super::bucket(world, request)?;
    if wanted == Versioning::Suspended && bucket.replication.is_some() {
        return Err(ApiError::new(
            409,
            "InvalidBucketState",
            "A replication configuration is present on this bucket, so the versioning state cannot be changed.",
        ));
    }
    bucket.versioning = wanted;
    Ok(Answer::empty(200))
}
