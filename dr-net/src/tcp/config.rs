//! The configuration of kind `tcp`.

use std::time::Duration;

use dr_core::resource::ConfigError;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::config::settled;
use crate::endpoint::Endpoint;
use crate::resolver::{ResolverConfig, Source};

const CONNECTS_WITHIN: Duration = Duration::from_secs(2);

/// A port that accepts connections when all is well.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TcpConfig {
    /// Host and port: `shop.example.com:443`.
    address: Endpoint,
    /// How long connecting may take. Default: 2s.
    #[serde(default, with = "dr_core::time::human_option")]
    #[schemars(with = "Option<String>")]
    timeout: Option<Duration>,
    /// The name servers to ask. Default: the system's.
    #[serde(default)]
    resolver: Option<ResolverConfig>,
}

/// What a TCP resource is, once the configuration makes sense.
#[derive(Debug, Clone)]
pub(super) struct TcpPlan {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) timeout: Duration,
    pub(super) source: Source,
}

impl TcpConfig {
    pub(super) fn check(self) -> Result<TcpPlan, Vec<ConfigError>> {
        let mut wrong = Vec::new();
        if self.address.port.is_none() {
            wrong.push(ConfigError::new(
                "/address",
                format!("`{}` has no port: write host:port", self.address),
            ));
        }
        if self.timeout.is_some_and(|timeout| timeout.is_zero()) {
            wrong.push(ConfigError::new("/timeout", "a connection needs some time; write 2s"));
        }
        if let Some(resolver) = &self.resolver {
            wrong.extend(resolver.check("/resolver"));
        }
        let plan = self.address.port.map(|port| TcpPlan {
            host: self.address.host,
            port,
            timeout: self.timeout.unwrap_or(CONNECTS_WITHIN),
            source: Source::from(self.resolver.as_ref()),
        });
        settled(plan, wrong)
    }
}
