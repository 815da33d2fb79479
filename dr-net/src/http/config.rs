//! The configuration of kind `http`.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use dr_core::resource::{ConfigError, Connect};
use dr_core::{Region, Result, Side};
use schemars::JsonSchema;
use serde::Deserialize;

use super::call::{HttpCall, Template};
use super::marker::{Marker, MarkerConfig};
use super::reference;
use crate::config::settled;
use crate::resolver::{ResolverConfig, Source};

const ANSWER_WITHIN: Duration = Duration::from_secs(2);

/// A service that is asked over HTTP.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct HttpConfig {
    /// What is asked, by the name that callers use: `https://shop.example.com/health`.
    url: String,
    /// The method. Default: GET.
    #[serde(default)]
    method: Option<String>,
    /// Further headers; credentials by reference: `authorization: "Bearer ${env:TOKEN}"`.
    #[serde(default)]
    headers: BTreeMap<String, String>,
    /// Which answers are good. Default: every 2xx.
    #[serde(default)]
    expect: Option<Expect>,
    /// How long an answer may take. Default: 2s.
    #[serde(default, with = "dr_core::time::human_option")]
    #[schemars(with = "Option<String>")]
    timeout: Option<Duration>,
    /// Where the answer says who gave it. Default: nowhere.
    #[serde(default)]
    served_by: Option<MarkerConfig>,
    /// What is asked to see whether the service can write: a 2xx is an acknowledged write.
    #[serde(default)]
    write: Option<RequestConfig>,
    /// Where the write ledger writes its rows, with `{book}` and `{row}` in the URL.
    #[serde(default)]
    ledger: Option<RequestConfig>,
    /// The name servers to ask. Default: the system's.
    #[serde(default)]
    resolver: Option<ResolverConfig>,
    /// TLS, for https.
    #[serde(default)]
    tls: TlsConfig,
    /// The region of each side that can answer.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, String>")]
    sides: BTreeMap<Side, Region>,
}

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Expect {
    /// The status codes of a good answer.
    #[schemars(length(min = 1))]
    status: Vec<u16>,
}

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct RequestConfig {
    /// The method. Default: POST.
    #[serde(default)]
    method: Option<String>,
    /// Where to.
    url: String,
}

#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct TlsConfig {
    /// A file of certificates (PEM) to trust besides the system's.
    #[serde(default)]
    ca: Option<PathBuf>,
}

/// What an HTTP resource is, once the configuration makes sense.
#[derive(Debug, Clone)]
pub(super) struct HttpPlan {
    pub(super) read: HttpCall,
    pub(super) statuses: Vec<u16>,
    pub(super) timeout: Duration,
    pub(super) marker: Option<Marker>,
    pub(super) write: Option<HttpCall>,
    pub(super) ledger: Option<Template>,
    pub(super) source: Source,
    pub(super) ca: Option<PathBuf>,
    pub(super) secure: bool,
    pub(super) sides: BTreeMap<Side, Region>,
    /// As the plan says, with references.
    headers: BTreeMap<String, String>,
}

impl HttpPlan {
    /// The same with the secrets that its headers refer to.
    pub(super) async fn resolved(&self, connect: &Connect<'_>) -> Result<Self> {
        let secret = reference::resolved(&self.headers, connect).await?;
        let plan = self.clone();
        Ok(Self {
            read: plan.read.with(&secret),
            write: plan.write.map(|write| write.with(&secret)),
            ledger: plan.ledger.map(|ledger| ledger.with(&secret)),
            ..plan
        })
    }
}

impl HttpConfig {
    pub(super) fn check(self) -> Result<HttpPlan, Vec<ConfigError>> {
        let mut wrong = Vec::new();
        let read = HttpCall::new(self.method.as_deref().unwrap_or("GET"), &self.url, &self.headers)
            .map_err(|flaw| wrong.push(flaw.at("")))
            .ok();
        let write = self.write.as_ref().and_then(|write| {
            HttpCall::new(write.method.as_deref().unwrap_or("POST"), &write.url, &self.headers)
                .map_err(|flaw| wrong.push(flaw.at("/write")))
                .ok()
        });
        let ledger = self.ledger.as_ref().and_then(|ledger| {
            Template::new(ledger.method.as_deref().unwrap_or("POST"), &ledger.url, &self.headers)
                .map_err(|flaw| wrong.push(flaw.at("/ledger")))
                .ok()
        });
        let marker = self.served_by.map(Marker::new).transpose().unwrap_or_else(|message| {
            wrong.push(ConfigError::new("/served_by", message));
            None
        });
        if let Some(expect) = &self.expect {
            wrong.extend(expect.check());
        }
        if self.timeout.is_some_and(|timeout| timeout.is_zero()) {
            wrong.push(ConfigError::new("/timeout", "an answer needs some time; write 2s"));
        }
        if let Some(resolver) = &self.resolver {
            wrong.extend(resolver.check("/resolver"));
        }
        // A header's flaw shows in every request that carries it.
        wrong.dedup();

        let secure = self.url.starts_with("https:")
            || self.write.iter().chain(&self.ledger).any(|request| request.url.starts_with("https:"));
        let plan = read.map(|read| HttpPlan {
            read,
            statuses: self.expect.map_or_else(|| (200..300).collect(), |expect| expect.status),
            timeout: self.timeout.unwrap_or(ANSWER_WITHIN),
            sides: if self.sides.is_empty() {
                marker.as_ref().map(Marker::sides).unwrap_or_default()
            } else {
                self.sides
            },
            marker,
            write,
            ledger,
            source: Source::from(self.resolver.as_ref()),
            ca: self.tls.ca,
            secure,
            headers: self.headers,
        });
        settled(plan, wrong)
    }
}

impl Expect {
    fn check(&self) -> Vec<ConfigError> {
        if self.status.is_empty() {
            let message = "at least one status is needed; leave `expect` out for every 2xx";
            return vec![ConfigError::new("/expect/status", message)];
        }
        let strange = self.status.iter().enumerate().filter(|(_, status)| !(200..600).contains(*status));
        strange
            .map(|(index, status)| {
                ConfigError::new(
                    format!("/expect/status/{index}"),
                    format!("{status} is not a final HTTP status (200 to 599)"),
                )
            })
            .collect()
    }
}
