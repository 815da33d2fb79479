//! Buckets: putting them there and looking into them.

use std::time::Duration;

use dr_core::Result;

use super::refused;
use crate::aws::Aws;
use crate::s3::{Bucket, Versioning};

impl Aws {
    /// Puts an empty bucket there, with versions or without; one that is there stays as it is.
    pub fn create_bucket(&self, region: &str, name: &str, versions: bool) {
        self.shared.with(|world| {
            let mut bucket = Bucket::new(name, &self.account, region, world.clock.wall());
            if versions {
                bucket.versioning = Versioning::Enabled;
            }
            world.s3.buckets.entry(name.to_owned()).or_insert(bucket);
        });
    }

    /// How long objects under a prefix take from now on to be replicated from a bucket; the longest prefix wins.
    ///
    /// # Errors
    /// When there is no such bucket.
    pub fn set_replication_latency(&self, bucket: &str, prefix: &str, takes: Duration) -> Result<()> {
        self.shared.with(|world| {
            refused(world.bucket(bucket))?.latency.insert(prefix.to_owned(), takes);
            Ok(())
        })
    }

    /// The keys of a bucket that are not deleted.
    pub fn keys(&self, bucket: &str) -> Vec<String> {
        self.shared.with(|world| {
            let bucket = world.bucket(bucket).ok();
            bucket.map_or_else(Vec::new, |bucket| {
                bucket.objects.keys().filter(|key| bucket.current(key).is_some()).cloned().collect()
            })
        })
    }

    /// The bytes of an object's current version; `None` when it is not there or deleted.
    pub fn object(&self, bucket: &str, key: &str) -> Option<Vec<u8>> {
        self.shared.with(|world| Some(world.bucket(bucket).ok()?.current(key)?.body.to_vec()))
    }
}
