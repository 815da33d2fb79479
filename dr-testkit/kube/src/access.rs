//! How to reach a region, and as whom.

use std::fmt;
use std::net::SocketAddr;

use dr_core::Result;
use kube::config::{AuthInfo, Config};
use kube::{Client, config::Kubeconfig};
use serde::{Deserialize, Serialize};

use crate::error::KubeFault;
use crate::kubeconfig;

/// A region's address, the authority that its certificate is to be checked against, and an identity. It is plain data:
/// clients are made from it on whatever runtime they are to live.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Access {
    region: String,
    address: SocketAddr,
    authority: String,
    identity: Identity,
}

/// Who asks.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) enum Identity {
    Token(String),
    Certificate { pem: String, key: String },
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Token(_) => "Token(…)",
            Self::Certificate { .. } => "Certificate(…)",
        })
    }
}

impl Access {
    pub(crate) fn new(region: &str, address: SocketAddr, authority: &str, identity: Identity) -> Self {
        Self { region: region.to_owned(), address, authority: authority.to_owned(), identity }
    }

    /// The region's name.
    pub fn region(&self) -> &str {
        &self.region
    }

    /// Where it listens, on loopback.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The same region by another way: a [`Relay`](crate::Relay) in front of it.
    #[must_use]
    pub fn via(&self, address: SocketAddr) -> Self {
        Self { address, ..self.clone() }
    }

    /// The same region for whoever holds this bearer token. It need not be a good one.
    #[must_use]
    pub fn with_token(&self, token: impl Into<String>) -> Self {
        Self { identity: Identity::Token(token.into()), ..self.clone() }
    }

    pub(crate) fn with_certificate(&self, (pem, key): (String, String)) -> Self {
        Self { identity: Identity::Certificate { pem, key }, ..self.clone() }
    }

    /// The bearer token, unless it is a certificate that says who asks.
    pub fn token(&self) -> Option<&str> {
        match &self.identity {
            Identity::Token(token) => Some(token),
            Identity::Certificate { .. } => None,
        }
    }

    /// The authority's certificate, as PEM.
    pub fn authority(&self) -> &str {
        &self.authority
    }

    pub(crate) fn identity(&self) -> &Identity {
        &self.identity
    }

    /// This access alone as a kubeconfig, its context named after the region.
    pub fn kubeconfig(&self) -> String {
        kubeconfig::write(&[(self.region.as_str(), self)])
    }

    /// A client's configuration. The server's certificate is verified.
    pub async fn config(&self) -> Result<Config> {
        let garbled = |why: String| KubeFault::Garbled(format!("not a kubeconfig: {why}"));
        let file = Kubeconfig::from_yaml(&self.kubeconfig()).map_err(|error| garbled(error.to_string()))?;
        let config = Config::from_custom_kubeconfig(file, &kube::config::KubeConfigOptions::default()).await;
        Ok(config.map_err(|error| garbled(error.to_string()))?)
    }

    /// A client that lives on the runtime of whoever calls.
    pub async fn client(&self) -> Result<Client> {
        let client = Client::try_from(self.config().await?);
        Ok(client.map_err(KubeFault::asked(format!("make a client for {}", self.region)))?)
    }
}

/// Nobody in particular, for what needs no identity.
pub(crate) fn plain(address: SocketAddr) -> Result<Client, KubeFault> {
    let url = format!("http://{address}").parse();
    let url = url.map_err(|_| KubeFault::Garbled(format!("`{address}` makes no URL")))?;
    let mut config = Config::new(url);
    config.auth_info = AuthInfo::default();
    Client::try_from(config).map_err(KubeFault::asked("make a client"))
}
