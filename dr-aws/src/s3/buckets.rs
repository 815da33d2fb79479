//! The buckets of each side: how they are reached, and what is read of their configuration.

use std::sync::Arc;

use aws_sdk_s3::types::{BucketVersioningStatus, ReplicationConfiguration};
use dr_core::resource::Cx;
use dr_core::{Error, Result, Side};

use super::config::{Bucket, S3Plan};
use crate::asking::Op;
use crate::client::Aws;

/// Buckets that are replicated.
#[derive(Debug)]
pub(super) struct Buckets {
    pub(super) plan: Arc<S3Plan>,
    pub(super) aws: Aws,
}

/// One side's bucket, and the way there.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) side: &'a Side,
    pub(super) bucket: &'a Bucket,
    pub(super) aws: &'a Aws,
}

impl Buckets {
    pub(super) fn place(&self, side: &Side) -> Result<Place<'_>> {
        let (side, bucket) = self
            .plan
            .sides
            .get_key_value(side)
            .ok_or_else(|| Error::invalid(format!("there is no bucket on a side `{side}`")))?;
        Ok(Place { side, bucket, aws: &self.aws })
    }

    pub(super) fn places(&self) -> Vec<Place<'_>> {
        self.plan.sides.iter().map(|(side, bucket)| Place { side, bucket, aws: &self.aws }).collect()
    }
}

impl Place<'_> {
    pub(super) fn s3(&self) -> aws_sdk_s3::Client {
        self.aws.s3(&self.bucket.region)
    }

    pub(super) fn reads(&self, permission: &'static str) -> Op {
        Op::reads(permission).at(&self.bucket.region)
    }

    pub(super) fn changes(&self, permission: &'static str) -> Op {
        Op::changes(permission).at(&self.bucket.region)
    }

    /// For people: `s3://orders-eu`.
    pub(super) fn shown(&self) -> String {
        format!("s3://{}", self.bucket.name)
    }

    pub(super) fn object(&self, key: &str) -> String {
        format!("s3://{}/{key}", self.bucket.name)
    }

    /// Whether the bucket keeps versions.
    pub(super) async fn keeps_versions(&self, cx: &Cx) -> Result<bool> {
        let s3 = self.s3();
        let answered = self
            .reads("s3:GetBucketVersioning")
            .ask(cx, || s3.get_bucket_versioning().bucket(&self.bucket.name).send())
            .await
            .map_err(|error| Error::from(error).on(self.shown()))?;
        Ok(answered.status == Some(BucketVersioningStatus::Enabled))
    }

    /// Its replication rules; `None` if it has none.
    pub(super) async fn rules(&self, cx: &Cx) -> Result<Option<ReplicationConfiguration>> {
        let s3 = self.s3();
        let answered = self
            .reads("s3:GetReplicationConfiguration")
            .ask(cx, || s3.get_bucket_replication().bucket(&self.bucket.name).send())
            .await;
        match answered {
            Ok(answered) => Ok(answered.replication_configuration),
            Err(error) if error.code() == Some("ReplicationConfigurationNotFoundError") => Ok(None),
            Err(error) => Err(Error::from(error).on(self.shown())),
        }
    }

    /// After how many days an old version of something below `prefix` may be removed by the bucket's own rules.
    pub(super) async fn forgets_after(&self, cx: &Cx, prefix: &str) -> Result<Option<i32>> {
        use aws_sdk_s3::types::{ExpirationStatus, LifecycleRule};
        let s3 = self.s3();
        let answered = self
            .reads("s3:GetLifecycleConfiguration")
            .ask(cx, || s3.get_bucket_lifecycle_configuration().bucket(&self.bucket.name).send())
            .await;
        let rules = match answered {
            Ok(answered) => answered.rules.unwrap_or_default(),
            Err(error) if error.code() == Some("NoSuchLifecycleConfiguration") => Vec::new(),
            Err(error) => return Err(Error::from(error).on(self.shown())),
        };
        // A filter by tags or size takes some objects of its prefix: those are enough.
        let touches = |rule: &&LifecycleRule| {
            #[expect(deprecated, reason = "rules of the first version have their prefix there")]
            let first = rule.prefix.as_deref();
            let filter = rule.filter.as_ref();
            let and = filter.and_then(|filter| filter.and.as_ref()).and_then(|and| and.prefix.as_deref());
            let of_it =
                filter.and_then(|filter| filter.prefix.as_deref()).or(and).or(first).unwrap_or_default();
            rule.status == ExpirationStatus::Enabled
                && (of_it.starts_with(prefix) || prefix.starts_with(of_it))
        };
        let days = rules.iter().filter(touches).filter_map(|rule| {
            rule.noncurrent_version_expiration.as_ref().map(|expires| expires.noncurrent_days.unwrap_or(0))
        });
        Ok(days.min())
    }
}
