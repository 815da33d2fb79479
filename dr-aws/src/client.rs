//! Clients: one policy for timeouts, retries and endpoints, one client for each service and region.

use std::sync::Arc;
use std::time::Duration;

use aws_config::{BehaviorVersion, SdkConfig};
use aws_sdk_sts::config::retry::RetryConfig;
use aws_sdk_sts::config::timeout::TimeoutConfig;
use aws_sdk_sts::config::{
    AppName, IdentityCache, Region as SdkRegion, SharedCredentialsProvider, SharedHttpClient,
    SharedIdentityCache,
};
use aws_smithy_http_client::tls;
use dr_core::resource::Connect;
use dr_core::{Region, Result};

use crate::access::AwsConfig;
use crate::credentials;
use crate::service::Service;

/// How long finding out who we are may take, STS and single sign-on included. The call's deadline bounds it too.
const CREDENTIALS_WITHIN: Duration = Duration::from_secs(30);

/// AWS as one resource reaches it. Making it contacts nobody; a client is made when one is asked for, is cheap, and
/// knows nothing of other regions, so a region that is gone hides no other.
///
/// The SDK's own retries are off: what may be repeated is decided in [`crate::asking`], where it is known whether a
/// call changes anything. The endpoints of the environment (`AWS_ENDPOINT_URL`) are not followed: a run that would
/// silently drive an emulator, or one that believes it does, is worse than one that says where it goes.
#[derive(Debug, Clone)]
pub(crate) struct Aws {
    config: Arc<AwsConfig>,
    policy: Policy,
    credentials: SharedCredentialsProvider,
}

/// What every client shares.
#[derive(Debug, Clone)]
struct Policy {
    http: SharedHttpClient,
    identities: SharedIdentityCache,
    timeouts: TimeoutConfig,
}

impl Aws {
    /// Makes ready for a resource that lives in `regions`.
    ///
    /// # Errors
    /// If a secret that the plan refers to cannot be had.
    pub(crate) async fn connect(
        config: &AwsConfig,
        regions: impl IntoIterator<Item = Region>,
        connect: &Connect<'_>,
    ) -> Result<Self> {
        let policy = Policy {
            http: aws_smithy_http_client::Builder::new()
                .tls_provider(tls::Provider::Rustls(tls::rustls_provider::CryptoMode::AwsLc))
                .build_https(),
            identities: IdentityCache::lazy().load_timeout(CREDENTIALS_WITHIN).build(),
            timeouts: TimeoutConfig::builder()
                .connect_timeout(config.connects_within())
                .operation_attempt_timeout(config.answers_within())
                .build(),
        };
        let mut distinct: Vec<Region> = Vec::new();
        for region in regions {
            if !distinct.contains(&region) {
                distinct.push(region);
            }
        }
        let sts = |region: &Region, credentials: SharedCredentialsProvider, global: Option<&str>| {
            let endpoint = config.endpoint(Service::Sts).or(global);
            aws_sdk_sts::Client::new(&policy.sdk(region, credentials, endpoint))
        };
        let credentials = credentials::provider(config, &distinct, connect, &policy.http, sts).await?;
        Ok(Self { config: Arc::new(config.clone()), policy, credentials })
    }

    fn sdk(&self, service: Service, region: &Region) -> SdkConfig {
        self.policy.sdk(region, self.credentials.clone(), self.config.endpoint(service))
    }

    /// CloudWatch in a region.
    pub(crate) fn cloudwatch(&self, region: &Region) -> aws_sdk_cloudwatch::Client {
        aws_sdk_cloudwatch::Client::new(&self.sdk(Service::Cloudwatch, region))
    }

    /// EKS in a region.
    pub(crate) fn eks(&self, region: &Region) -> aws_sdk_eks::Client {
        aws_sdk_eks::Client::new(&self.sdk(Service::Eks, region))
    }

    /// RDS in a region.
    pub(crate) fn rds(&self, region: &Region) -> aws_sdk_rds::Client {
        aws_sdk_rds::Client::new(&self.sdk(Service::Rds, region))
    }

    /// Route 53, whose API is in us-east-1.
    pub(crate) fn route53(&self) -> aws_sdk_route53::Client {
        let region = Region::new(crate::needs::US_EAST_1);
        aws_sdk_route53::Client::new(&self.sdk(Service::Route53, &region))
    }

    /// S3 in a region. At an endpoint of one's own buckets are paths: a host name for each would need a DNS of its own.
    pub(crate) fn s3(&self, region: &Region) -> aws_sdk_s3::Client {
        let own = self.config.endpoint(Service::S3).is_some();
        let config = aws_sdk_s3::config::Builder::from(&self.sdk(Service::S3, region)).force_path_style(own);
        aws_sdk_s3::Client::from_conf(config.build())
    }

    /// Service Quotas in a region.
    pub(crate) fn servicequotas(&self, region: &Region) -> aws_sdk_servicequotas::Client {
        aws_sdk_servicequotas::Client::new(&self.sdk(Service::Servicequotas, region))
    }
}

impl Policy {
    fn sdk(
        &self,
        region: &Region,
        credentials: SharedCredentialsProvider,
        endpoint: Option<&str>,
    ) -> SdkConfig {
        let mut config = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(SdkRegion::new(region.as_str().to_owned()))
            .credentials_provider(credentials)
            .identity_cache(self.identities.clone())
            .http_client(self.http.clone())
            .retry_config(RetryConfig::disabled())
            .timeout_config(self.timeouts.clone());
        config.set_app_name(AppName::new("dr").ok());
        config.set_endpoint_url(endpoint.map(str::to_owned));
        config.build()
    }
}
