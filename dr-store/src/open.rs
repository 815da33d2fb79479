//! Opening a state store at a location.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use dr_core::journal::{Filesystem, StateStore};
use dr_core::{Error, Result};
use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey, S3ConditionalPut};
use object_store::memory::InMemory;
use object_store::{BackoffConfig, ClientOptions, RetryConfig};

use crate::error::classify;
use crate::location::Location;
use crate::object::ObjectSlots;

/// How long one request may take. The journal asks again by itself, within its lease.
const REQUEST: Duration = Duration::from_secs(5);
/// How often one call is made before it fails.
const TRIES: u32 = 3;

/// Opens a state store. No environment is read: on S3 the credentials are the machine's own.
///
/// # Errors
/// `Invalid` or `Unsupported` if it is no location; `Refused` if its folder cannot be used.
pub fn open(location: &str, spool: &Path) -> Result<StateStore> {
    Opening::new(spool).open(&location.parse()?)
}

/// The same with the settings of the environment: `AWS_ACCESS_KEY_ID`, `AWS_REGION`, `AWS_ENDPOINT_URL` and so on.
///
/// # Errors
/// As [`open`].
pub fn open_with_env(location: &str, spool: &Path) -> Result<StateStore> {
    Opening::new(spool).with_env().open(&location.parse()?)
}

/// How to open a state store.
#[derive(Clone)]
pub struct Opening {
    spool: PathBuf,
    filesystem: Filesystem,
    request: Duration,
    settings: Vec<(AmazonS3ConfigKey, String)>,
}

impl Opening {
    /// With the machine's own credentials; local files of runs on a shared store go to `spool`.
    pub fn new(spool: &Path) -> Self {
        Self {
            spool: spool.to_owned(),
            filesystem: Filesystem::Local,
            request: REQUEST,
            settings: Vec::new(),
        }
    }

    /// Folders on network file systems too. Whoever says so knows that only this machine uses them.
    #[must_use]
    pub fn on_any_filesystem(mut self) -> Self {
        self.filesystem = Filesystem::Any;
        self
    }

    /// With that much time for one request instead of five seconds. A call is made up to three times, so it is over
    /// after a little more than three times as much.
    #[must_use]
    pub fn within(mut self, request: Duration) -> Self {
        self.request = request;
        self
    }

    /// With every `AWS_…` of the environment.
    #[must_use]
    pub fn with_env(mut self) -> Self {
        for (name, value) in std::env::vars_os() {
            if let (Some(name), Some(value)) = (name.to_str(), value.to_str())
                && name.starts_with("AWS_")
                && let Ok(key) = name.to_ascii_lowercase().parse()
            {
                self.settings.push((key, value.to_owned()));
            }
        }
        self
    }

    /// With one setting, by its name: `aws_region`, `aws_endpoint`, `aws_allow_http`, …
    ///
    /// # Errors
    /// `Invalid` if there is no such setting.
    pub fn with(mut self, name: &str, value: impl Into<String>) -> Result<Self> {
        let key = name.parse().map_err(|error| classify("configure", name, error))?;
        self.settings.push((key, value.into()));
        Ok(self)
    }

    /// Opens it. Nothing is asked of a shared store yet.
    ///
    /// # Errors
    /// `Refused` if a folder cannot be used, `Invalid` if the settings make no sense.
    pub fn open(&self, location: &Location) -> Result<StateStore> {
        match location {
            Location::Folder(path) => StateStore::folder(path, self.filesystem),
            Location::Memory => {
                Ok(StateStore::slots(Arc::new(ObjectSlots::new(Arc::new(InMemory::new()), "")), &self.spool))
            }
            Location::S3 { bucket, prefix } => {
                let slots = ObjectSlots::new(Arc::new(self.s3(bucket)?), prefix);
                Ok(StateStore::slots(Arc::new(slots), &self.spool))
            }
        }
    }

    fn s3(&self, bucket: &str) -> Result<object_store::aws::AmazonS3> {
        let mut builder = AmazonS3Builder::new();
        for (key, value) in &self.settings {
            builder = builder.with_config(*key, value);
        }
        let plain = builder
            .get_config_value(&AmazonS3ConfigKey::Client(object_store::ClientConfigKey::AllowHttp))
            .is_some_and(|value| value == "true");
        let client = ClientOptions::new()
            .with_timeout(self.request)
            .with_connect_timeout(self.request / 2)
            .with_allow_http(plain);
        let retry = RetryConfig {
            backoff: BackoffConfig::default(),
            max_retries: TRIES as usize - 1,
            retry_timeout: self.request * TRIES,
        };
        builder
            .with_bucket_name(bucket)
            .with_conditional_put(S3ConditionalPut::ETagMatch)
            .with_client_options(client)
            .with_retry(retry)
            .build()
            .map_err(|error| Error::invalid("the settings of the object store make no sense").because(error))
    }
}

impl std::fmt::Debug for Opening {
    /// Settings may be secrets: only their names are shown.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names: Vec<&str> = self.settings.iter().map(|(key, _)| key.as_ref()).collect();
        f.debug_struct("Opening")
            .field("spool", &self.spool)
            .field("filesystem", &self.filesystem)
            .field("request", &self.request)
            .field("settings", &names)
            .finish()
    }
}
