//! Who we are: the one policy for credentials.
//!
//! They are looked for where the `aws` command looks (environment, profile, single sign-on, a process, the machine's or
//! container's role), when the first call needs them; connecting asks nobody. A role's credentials come from STS in the
//! sides' own regions: the first is asked, after a second without an answer the next as well, and whoever answers first
//! has spoken. So no one region has to be alive for a run to know who it is. Single sign-on is the exception: it lives
//! in the one region that the profile names.

use std::time::{Duration, SystemTime};

use aws_config::default_provider::credentials::DefaultCredentialsChain;
use aws_config::provider_config::ProviderConfig;
use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider, future};
use aws_sdk_sts::config::{Region as SdkRegion, SharedHttpClient};
use dr_core::resource::{Connect, Redactor, Secret};
use dr_core::{Region, Result};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::time::Instant;

use crate::access::{AwsConfig, Sts};
use crate::asking::Op;
use crate::error::AwsError;

/// After how long without credentials the next region's STS is asked as well.
const NEXT_REGION: Duration = Duration::from_secs(1);
/// AWS's own are of forty letters and more. What is far shorter is made up for a test, `test` most of all, and masked it
/// would take that word out of everything.
const LEAST_SECRET: usize = 16;
/// What a role's session is called in the other side's logs.
const SESSION: &str = "dr";
/// The partition's endpoint, which is us-east-1's.
const GLOBAL_STS: &str = "https://sts.amazonaws.com";

/// Where credentials come from: one way for each region whose STS may be asked, in the order of asking.
#[derive(Debug)]
struct Hedged {
    ways: Vec<SharedCredentialsProvider>,
}

impl Hedged {
    async fn first(&self) -> Result<Credentials, CredentialsError> {
        let mut waiting = self.ways.iter();
        let mut asked = FuturesUnordered::new();
        let mut said: Option<CredentialsError> = None;
        loop {
            let Some(way) = waiting.next() else {
                match asked.next().await {
                    Some(Ok(credentials)) => return Ok(credentials),
                    Some(Err(error)) => said = said.or(Some(error)),
                    None => return Err(said.unwrap_or_else(CredentialsError::not_loaded_no_source)),
                }
                continue;
            };
            asked.push(way.provide_credentials());
            match tokio::time::timeout(NEXT_REGION, asked.next()).await {
                Ok(Some(Ok(credentials))) => return Ok(credentials),
                Ok(Some(Err(error))) => said = said.or(Some(error)),
                Ok(None) | Err(_) => {}
            }
        }
    }
}

impl ProvideCredentials for Hedged {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(self.first())
    }
}

/// The same, with everything secret in them masked from then on, wherever it came from: AWS repeats a session's token in
/// its words on a signature that does not match.
#[derive(Debug)]
struct Known<P> {
    of: P,
    redactor: Redactor,
}

impl<P: ProvideCredentials> ProvideCredentials for Known<P> {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(async {
            let credentials = self.of.provide_credentials().await?;
            let secrets = [Some(credentials.secret_access_key()), credentials.session_token()];
            for secret in secrets.into_iter().flatten().filter(|secret| secret.len() >= LEAST_SECRET) {
                self.redactor.hide(&Secret::new(secret));
            }
            Ok(credentials)
        })
    }
}

/// A role, from one region's STS.
#[derive(Debug)]
struct Role {
    sts: aws_sdk_sts::Client,
    region: Region,
    arn: String,
    external_id: Option<String>,
}

impl Role {
    async fn assume(&self) -> Result<Credentials, CredentialsError> {
        let begun = Instant::now();
        let assumed = self
            .sts
            .assume_role()
            .role_arn(&self.arn)
            .role_session_name(SESSION)
            .set_external_id(self.external_id.clone())
            .send()
            .await
            .map_err(|error| {
                let op = Op::reads("sts:AssumeRole").at(&self.region);
                CredentialsError::provider_error(AwsError::of(op, &error, begun.elapsed()))
            })?;
        let given = assumed
            .credentials()
            .ok_or_else(|| CredentialsError::unhandled("STS assumed the role and gave no credentials"))?;
        let expiry = SystemTime::try_from(*given.expiration()).map_err(CredentialsError::unhandled)?;
        Ok(Credentials::new(
            given.access_key_id(),
            given.secret_access_key(),
            Some(given.session_token().to_owned()),
            Some(expiry),
            "dr-assume-role",
        ))
    }
}

impl ProvideCredentials for Role {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(self.assume())
    }
}

/// The provider for a configuration. `sts` makes a client of one region's STS, at an endpoint of its own if one is
/// named. Contacts nobody: reads the environment, the shared files and the plan's secrets.
pub(crate) async fn provider(
    config: &AwsConfig,
    regions: &[Region],
    connect: &Connect<'_>,
    http: &SharedHttpClient,
    sts: impl Fn(&Region, SharedCredentialsProvider, Option<&str>) -> aws_sdk_sts::Client,
) -> Result<SharedCredentialsProvider> {
    let fixed = match &config.keys {
        Some(keys) => {
            let secret = connect.secret(&keys.secret).await?;
            let token = match &keys.token {
                Some(token) => Some(connect.secret(token).await?.expose().to_owned()),
                None => None,
            };
            Some(SharedCredentialsProvider::new(Credentials::new(
                keys.id.clone(),
                secret.expose(),
                token,
                None,
                "dr-plan",
            )))
        }
        None => None,
    };
    let places = match &config.sts {
        Sts::Regional if regions.is_empty() => vec![Region::new(crate::needs::US_EAST_1)],
        Sts::Regional => regions.to_vec(),
        Sts::Global => vec![Region::new(crate::needs::US_EAST_1)],
        Sts::In(region) => vec![region.clone()],
    };
    let global = (config.sts == Sts::Global).then_some(GLOBAL_STS);
    let mut ways = Vec::with_capacity(places.len());
    for place in &places {
        let own = match &fixed {
            Some(fixed) => fixed.clone(),
            None => chain(config.profile.as_deref(), place, http).await,
        };
        ways.push(match &config.role_arn {
            Some(arn) => SharedCredentialsProvider::new(Role {
                sts: sts(place, own, global),
                region: place.clone(),
                arn: arn.clone(),
                external_id: config.external_id.clone(),
            }),
            None => own,
        });
        // A fixed key is the same from everywhere.
        if config.keys.is_some() && config.role_arn.is_none() {
            break;
        }
    }
    Ok(SharedCredentialsProvider::new(Known { of: Hedged { ways }, redactor: connect.redactor() }))
}

async fn chain(profile: Option<&str>, region: &Region, http: &SharedHttpClient) -> SharedCredentialsProvider {
    let region = SdkRegion::new(region.as_str().to_owned());
    let config =
        ProviderConfig::without_region().with_region(Some(region.clone())).with_http_client(http.clone());
    let mut chain = DefaultCredentialsChain::builder().configure(config).region(region);
    if let Some(profile) = profile {
        chain = chain.profile_name(profile);
    }
    SharedCredentialsProvider::new(chain.build().await)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// P28: keys that no plan names (a profile's, a role's) and that a service repeats.
    ///
    /// Found: only keys that the plan itself referred to were masked.
    #[tokio::test]
    async fn what_signs_a_request_is_masked_wherever_it_came_from() {
        let redactor = Redactor::default();
        let own = Credentials::new(
            "AKIA",
            "canary/of-a-secret-key",
            Some("canary+of-a-token".to_owned()),
            None,
            "test",
        );
        let known = Known { of: own, redactor: redactor.clone() };
        known.provide_credentials().await.unwrap();
        let said = redactor.redact("canary+of-a-token signed with canary/of-a-secret-key of AKIA");
        assert_eq!(said, "••• signed with ••• of AKIA");
        let made_up = Credentials::new("AKIA", "test", None, None, "test");
        let known = Known { of: made_up, redactor: redactor.clone() };
        known.provide_credentials().await.unwrap();
        assert_eq!(redactor.redact("smoke_test"), "smoke_test", "made up, and no secret");
    }
}
