//! What the tests of both kinds of databases need.

use std::sync::Arc;
use std::time::Duration;

use dr_core::resource::{Connect, Cx, Redactor, Resource, Secret, SecretRef, SecretSource};
use dr_core::{Backend, Error, Result, async_trait};
use dr_core::{Clock, SystemClock};
use dr_testkit_aws::Aws;
use serde_json::{Value, json};

pub(crate) const EAST: &str = "us-east-1";
pub(crate) const WEST: &str = "us-west-2";
pub(crate) const FENCE: &str = "sg-fence";

#[derive(Debug)]
struct Secrets;

#[async_trait]
impl SecretSource for Secrets {
    async fn fetch(&self, _: &SecretRef) -> Result<Secret> {
        Ok(Secret::new("wJalrXUtnFEMI"))
    }
}

/// The plan's part `aws:` for a simulator.
pub(crate) fn access(aws: &Aws) -> Value {
    json!({
        "endpoint": aws.endpoint(),
        "keys": { "id": "AKIAIOSFODNN7EXAMPLE", "secret": "${test:key}" },
        "answers_within": "2s",
    })
}

/// Connects a kind that is configured like this.
pub(crate) async fn connect(backend: &dyn Backend, config: Value) -> Resource {
    let configured = backend.configure(config).unwrap();
    let (redactor, clock) = (Redactor::default(), Arc::new(SystemClock) as Arc<dyn Clock>);
    configured.connect(&Connect::new(&Secrets, &redactor, &clock)).await.unwrap()
}

pub(crate) fn cx(within: Duration) -> Cx {
    Cx::new("20270115T080000Z-suites".into(), "suite/case".into(), within)
}

/// A client of our own.
pub(crate) fn client(aws: &Aws, region: &str) -> aws_sdk_rds::Client {
    use aws_sdk_rds::config::{BehaviorVersion, Credentials, Region};
    let config = aws_sdk_rds::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(region.to_owned()))
        .endpoint_url(aws.endpoint())
        .credentials_provider(Credentials::new("AKIAIOSFODNN7EXAMPLE", "key", None, None, "test"))
        .build();
    aws_sdk_rds::Client::from_conf(config)
}

/// The error of something that has to fail.
pub(crate) fn failed<T: std::fmt::Debug>(result: Result<T>) -> Error {
    result.expect_err("it has to fail")
}
