//! The backend of kind `s3-replication`.

use std::collections::BTreeMap;
use std::sync::Arc;

use dr_core::resource::{
    Call, Class, ConfigError, Connect, Copies, Needs, Replication, Restore, Roles, understood,
};
use dr_core::{Backend, Configured, Identity, Region, Resource, Result, Side, async_trait};
use serde_json::Value;

use super::buckets::Buckets;
use super::config::{S3Config, S3Plan};
use super::hand;
use super::marker::Marker;
use crate::client::Aws;
use crate::config::{read, schema};
use crate::service::Service;

/// Kind `s3-replication`: buckets that S3 keeps alike, restored from their versions.
///
/// Nothing is promoted: every bucket takes writes from whoever has the right. What `observe` says of a bucket is where
/// its rules lead, what is wrong with them, and how far behind it is. What a run writes itself stands below the prefix,
/// under `.dr-markers/` and `.dr-restores/`: a lifecycle rule may remove both after a while.
#[derive(Debug, Clone, Copy, Default)]
pub struct S3ReplicationBackend;

impl Backend for S3ReplicationBackend {
    fn kind(&self) -> &str {
        "s3-replication"
    }

    fn schema(&self) -> Value {
        schema::<S3Config>()
    }

    fn configure(&self, config: Value) -> Result<Box<dyn Configured>, Vec<ConfigError>> {
        let plan = read::<S3Config>(config)?.check()?;
        Ok(Box::new(S3Configured(Arc::new(plan))))
    }
}

#[derive(Debug)]
struct S3Configured(Arc<S3Plan>);

#[async_trait]
impl Configured for S3Configured {
    /// A bucket's name is its own in all of AWS. Two plans for two prefixes of it do not meet.
    fn identities(&self) -> Vec<Identity> {
        let name =
            |bucket: &super::config::Bucket| Identity::new(format!("s3://{}/{}", bucket.name, self.0.prefix));
        let mut identities: Vec<Identity> = self.0.sides.values().map(name).collect();
        identities.sort();
        identities
    }

    fn sides(&self) -> BTreeMap<Side, Region> {
        self.0.sides.iter().map(|(side, bucket)| (side.clone(), bucket.region.clone())).collect()
    }

    fn verbs(&self) -> Vec<&str> {
        vec![Restore::VERB, Marker::VERB]
    }

    fn own_call(
        &self,
        verb: &str,
        call: Value,
        roles: &Roles,
    ) -> Option<Result<(Value, Class), serde_json::Error>> {
        (verb == Marker::VERB).then(|| understood::<Marker>(call, roles))
    }

    /// Objects are a data plane in the bucket's own region; no bucket is configured, so us-east-1 is not needed.
    fn needs(&self, verb: &str, on: Option<&Side>) -> Needs {
        let reads = ["s3:GetBucketVersioning", "s3:GetReplicationConfiguration", "s3:ListBucketVersions"];
        let more: &[&str] = match verb {
            "observe" => &["s3:ListBucket", "s3:GetObject", "cloudwatch:GetMetricStatistics"],
            "restore" => &[
                "s3:GetLifecycleConfiguration",
                "s3:GetObject",
                "s3:GetObjectVersion",
                "s3:GetObjectTagging",
                "s3:GetObjectVersionTagging",
                "s3:PutObject",
                "s3:PutObjectTagging",
                "s3:DeleteObject",
                "s3:DeleteObjectVersion",
            ],
            "s3.marker" => &["s3:GetObject", "s3:PutObject", "s3:DeleteObjectVersion"],
            _ => return Needs::default(),
        };
        let needs = Needs::permissions(reads.iter().chain(more).copied());
        let there = self.0.sides.iter().filter(|(side, _)| on.is_none_or(|on| on == *side));
        there.fold(needs, |needs, (_, bucket)| needs.and_data("S3 objects", bucket.region.clone()))
    }

    fn connecting(&self) -> Needs {
        self.0.aws.connecting()
    }

    fn emulated(&self) -> Option<String> {
        self.0.aws.emulated(&[Service::S3, Service::Cloudwatch])
    }

    fn by_hand(&self, verb: &str, call: &Value) -> Vec<String> {
        hand::commands(&self.0, verb, call)
    }

    async fn connect(&self, connect: &Connect<'_>) -> Result<Resource> {
        let regions = self.0.sides.values().map(|bucket| bucket.region.clone());
        let aws = Aws::connect(&self.0.aws, regions, connect).await?;
        let buckets = Arc::new(Buckets { plan: Arc::clone(&self.0), aws });
        let shown: Vec<&str> = self.0.sides.values().map(|bucket| bucket.name.as_str()).collect();
        Ok(Resource::new(Identity::new(format!("s3://{}", shown.join(","))))
            .observing::<Replication>(Arc::clone(&buckets) as _)
            .observing::<Copies>(Arc::clone(&buckets) as _)
            .proving(Arc::clone(&buckets) as _)
            .with::<Restore>(Arc::clone(&buckets) as _)
            .with::<Marker>(buckets))
    }
}
