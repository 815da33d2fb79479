//! How AWS is reached: the part `aws:` of every kind's configuration.

use std::collections::BTreeMap;
use std::time::Duration;

use dr_core::Region;
use dr_core::resource::{ConfigError, Needs, Plane, SecretRef};
use schemars::JsonSchema;
use serde::Deserialize;
use url::Url;

use crate::service::Service;

const CONNECTS_WITHIN: Duration = Duration::from_secs(3);
const ANSWERS_WITHIN: Duration = Duration::from_secs(20);

/// How AWS is reached. Everything may be left out: then the credentials are those that the `aws` command would use.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AwsConfig {
    /// A profile of the shared configuration files.
    #[serde(default)]
    pub(crate) profile: Option<String>,
    /// An access key by reference, instead of a profile or the environment.
    #[serde(default)]
    pub(crate) keys: Option<KeysConfig>,
    /// A role to assume with them: `arn:aws:iam::123456789012:role/dr`.
    #[serde(default)]
    pub(crate) role_arn: Option<String>,
    /// What that role's trust policy asks for.
    #[serde(default)]
    pub(crate) external_id: Option<String>,
    /// Where every service is found, instead of AWS itself: `http://127.0.0.1:4566`.
    #[serde(default)]
    pub(crate) endpoint: Option<String>,
    /// The same for single services.
    #[serde(default)]
    pub(crate) endpoints: BTreeMap<Service, String>,
    /// Which STS gives out a role's credentials: `regional`, in the sides' own regions, whichever answers; `global`;
    /// or a region. Default: regional.
    #[serde(default)]
    #[schemars(with = "String")]
    pub(crate) sts: Sts,
    /// How long a connection may take to stand. Default: 3s.
    #[serde(default, with = "dr_core::time::human_option")]
    #[schemars(with = "Option<String>")]
    connects_within: Option<Duration>,
    /// How long one request may take to be answered. Default: 20s.
    #[serde(default, with = "dr_core::time::human_option")]
    #[schemars(with = "Option<String>")]
    answers_within: Option<Duration>,
}

/// An access key.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct KeysConfig {
    /// Its name: `AKIA…`.
    pub(crate) id: String,
    /// The key itself, by reference: `${env:AWS_SECRET_ACCESS_KEY}`.
    #[schemars(with = "String")]
    pub(crate) secret: SecretRef,
    /// The token that temporary keys come with, by reference.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub(crate) token: Option<SecretRef>,
}

/// Which STS.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(from = "String")]
pub(crate) enum Sts {
    /// Of the regions that the resource lives in, the first that answers.
    #[default]
    Regional,
    /// The one at `sts.amazonaws.com`, which lives in us-east-1.
    Global,
    /// The one of that region.
    In(Region),
}

impl From<String> for Sts {
    fn from(text: String) -> Self {
        match text.as_str() {
            "regional" => Self::Regional,
            "global" => Self::Global,
            _ => Self::In(Region::new(text)),
        }
    }
}

impl AwsConfig {
    /// What is wrong with it, below `pointer`.
    pub(crate) fn check(&self, pointer: &str) -> Vec<ConfigError> {
        let mut wrong = Vec::new();
        let mut say =
            |place: &str, message: String| wrong.push(ConfigError::new(format!("{pointer}{place}"), message));
        if let Some(endpoint) = &self.endpoint
            && let Err(message) = an_endpoint(endpoint)
        {
            say("/endpoint", message);
        }
        for (service, endpoint) in &self.endpoints {
            if let Err(message) = an_endpoint(endpoint) {
                say(&format!("/endpoints/{service}"), message);
            }
        }
        if self.profile.is_some() && self.keys.is_some() {
            say("/keys", "a profile has its own credentials: leave out one of the two".to_owned());
        }
        if self.external_id.is_some() && self.role_arn.is_none() {
            say("/external_id", "an external id belongs to a role: name it with `role_arn`".to_owned());
        }
        if let Some(arn) = &self.role_arn
            && !(arn.starts_with("arn:") && arn.contains(":iam::") && arn.contains(":role/"))
        {
            say("/role_arn", format!("`{arn}` is no role: write arn:aws:iam::123456789012:role/dr"));
        }
        if let Sts::In(region) = &self.sts
            && !a_region(region.as_str())
        {
            say("/sts", format!("`{region}` is not `regional`, `global` or a region"));
        }
        for (place, time) in
            [("/connects_within", self.connects_within), ("/answers_within", self.answers_within)]
        {
            if time.is_some_and(|time| time.is_zero()) {
                say(place, "an answer needs some time".to_owned());
            }
        }
        wrong
    }

    pub(crate) fn connects_within(&self) -> Duration {
        self.connects_within.unwrap_or(CONNECTS_WITHIN)
    }

    pub(crate) fn answers_within(&self) -> Duration {
        self.answers_within.unwrap_or(ANSWERS_WITHIN)
    }

    /// Where a service is found, if not at AWS's own address.
    pub(crate) fn endpoint(&self, service: Service) -> Option<&str> {
        self.endpoints.get(&service).or(self.endpoint.as_ref()).map(String::as_str)
    }

    /// What [`dr_core::Configured::emulated`] says of a resource that speaks to these services.
    pub(crate) fn emulated(&self, services: &[Service]) -> Option<String> {
        let mut foreign: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for service in services {
            if let Some(endpoint) = self.endpoint(*service).filter(|endpoint| !amazons(endpoint)) {
                foreign.entry(endpoint).or_default().push(service.as_str());
            }
        }
        let told: Vec<String> = foreign
            .into_iter()
            .map(|(endpoint, services)| {
                format!("the AWS API ({}) at {}", services.join(", "), endpoint.trim_end_matches('/'))
            })
            .collect();
        (!told.is_empty()).then(|| told.join(", "))
    }

    /// What [`dr_core::Configured::connecting`] says: where credentials come from, as far as the plan knows.
    pub(crate) fn connecting(&self) -> Needs {
        let needs = match &self.role_arn {
            Some(role) => Needs::permissions([format!("sts:AssumeRole on {role}")]),
            None => Needs::default(),
        };
        match &self.sts {
            // Any one of the sides' regions will do, so none of them is needed.
            Sts::Regional => needs,
            // A fixed key asks no STS.
            _ if self.keys.is_some() && self.role_arn.is_none() => needs,
            Sts::Global => needs.and_control_plane(
                Plane::new("STS (the global endpoint)", crate::needs::US_EAST_1)
                    .without("no role's credentials are had or renewed: the run stops at its first call")
                    .instead("`sts: regional`, which asks the sides' own regions"),
            ),
            Sts::In(region) => needs.and_control_plane(
                Plane::new("STS", region.clone())
                    .without("no role's credentials are had or renewed: the run stops at its first call")
                    .instead("`sts: regional`, which asks the sides' own regions"),
            ),
        }
    }
}

fn an_endpoint(text: &str) -> Result<(), String> {
    let expected = || format!("`{text}` is no endpoint: write http://127.0.0.1:4566");
    let url = Url::parse(text).map_err(|_| expected())?;
    let plain = url.username().is_empty() && url.password().is_none() && url.query().is_none();
    if matches!(url.scheme(), "http" | "https") && url.host_str().is_some() && plain {
        Ok(())
    } else {
        // The text is not repeated: it may hold a password.
        Err("an endpoint is http:// or https://, a host and a port, nothing else".to_owned())
    }
}

/// Whether an endpoint is AWS's own: an interface endpoint in a private network, a regional address.
fn amazons(endpoint: &str) -> bool {
    let host = Url::parse(endpoint).ok().and_then(|url| url.host_str().map(str::to_ascii_lowercase));
    host.is_some_and(|host| {
        [".amazonaws.com", ".amazonaws.com.cn", ".api.aws"].iter().any(|ending| host.ends_with(ending))
    })
}

/// `us-east-1`, `us-gov-west-1`.
pub(crate) fn a_region(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let words = |part: &&str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_lowercase());
    match parts.split_last() {
        Some((number, rest)) => {
            rest.len() >= 2
                && rest.iter().all(words)
                && !number.is_empty()
                && number.bytes().all(|byte| byte.is_ascii_digit())
        }
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn config(value: serde_json::Value) -> AwsConfig {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn an_endpoint_that_is_not_amazons_is_emulation() {
        let services = [Service::Route53, Service::S3];
        assert_eq!(config(json!({})).emulated(&services), None);
        let own = config(json!({ "endpoint": "https://vpce-1.rds.eu-central-1.vpce.amazonaws.com" }));
        assert_eq!(own.emulated(&services), None);
        let other = config(json!({ "endpoint": "http://127.0.0.1:4566/" }));
        assert_eq!(other.emulated(&services).unwrap(), "the AWS API (route53, s3) at http://127.0.0.1:4566");
        let lookalike = config(json!({ "endpoints": { "s3": "http://amazonaws.com.example.test" } }));
        assert!(lookalike.emulated(&services).is_some());
        assert_eq!(lookalike.emulated(&[Service::Route53]), None);
    }

    #[test]
    fn only_the_global_sts_and_one_that_is_named_are_needed_from_one_region() {
        let planes = |value| config(value).connecting().control_planes.len();
        assert_eq!(planes(json!({})), 0);
        assert_eq!(planes(json!({ "sts": "regional", "role_arn": "arn:aws:iam::1:role/dr" })), 0);
        assert_eq!(planes(json!({ "sts": "global" })), 1);
        assert_eq!(planes(json!({ "sts": "us-east-1" })), 1);
        assert_eq!(planes(json!({ "sts": "global", "keys": { "id": "AKIA", "secret": "${env:S}" } })), 0);
    }

    #[test]
    fn each_mistake_has_its_place() {
        let wrong = config(json!({
            "profile": "dr", "keys": { "id": "AKIA", "secret": "${env:S}" }, "external_id": "x",
            "endpoint": "ftp://x", "endpoints": { "sts": "http://user:word@x" }, "sts": "nowhere",
            "answers_within": "0s",
        }))
        .check("/aws");
        let places: Vec<&str> = wrong.iter().map(|wrong| wrong.pointer.as_str()).collect();
        assert_eq!(
            places,
            [
                "/aws/endpoint",
                "/aws/endpoints/sts",
                "/aws/keys",
                "/aws/external_id",
                "/aws/sts",
                "/aws/answers_within"
            ]
        );
        assert!(!format!("{wrong:?}").contains("word"), "a password is repeated: {wrong:?}");
    }

    #[test]
    fn regions_are_told_from_other_words() {
        for region in ["us-east-1", "eu-central-1", "us-gov-west-1", "ap-southeast-2"] {
            assert!(a_region(region), "{region}");
        }
        for word in ["", "us", "us-east", "US-EAST-1", "us-east-1a", "regional"] {
            assert!(!a_region(word), "{word}");
        }
    }
}
