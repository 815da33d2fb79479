//! A world and clients on it.

use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_route53::config::Credentials;
use dr_testkit_aws::{Aws, Options};

/// A fast world without Route 53's limit on requests.
pub(crate) async fn world() -> Aws {
    Aws::start(Options::new().pace(1_200.0).route53_rate(None)).await.unwrap()
}

/// What a client of that region is made from: one attempt, two seconds.
pub(crate) fn config_at(endpoint: &str, region: &str) -> SdkConfig {
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(region.to_owned()))
        .endpoint_url(endpoint)
        .credentials_provider(aws_sdk_route53::config::SharedCredentialsProvider::new(Credentials::new(
            "test", "test", None, None, "test",
        )))
        .retry_config(RetryConfig::disabled())
        .timeout_config(TimeoutConfig::builder().operation_timeout(Duration::from_secs(2)).build())
        .build()
}

pub(crate) fn config(aws: &Aws, region: &str) -> SdkConfig {
    config_at(&aws.endpoint(), region)
}

/// Asks until it is so; a generous while, for what is awaited takes milliseconds.
pub(crate) async fn until<F: Future<Output = bool>>(what: &str, mut ask: impl FnMut() -> F) {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(10);
    while !ask().await {
        assert!(tokio::time::Instant::now() < deadline, "not within ten seconds: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// The service's code and words.
pub(crate) fn refusal<E>(error: aws_sdk_rds::error::SdkError<E>) -> (String, String)
where
    E: aws_sdk_rds::error::ProvideErrorMetadata + std::fmt::Debug,
{
    let meta = match &error {
        aws_sdk_rds::error::SdkError::ServiceError(service) => service.err().meta().clone(),
        other => panic!("not refused by the service: {other:?}"),
    };
    (meta.code().unwrap_or_default().to_owned(), meta.message().unwrap_or_default().to_owned())
}
