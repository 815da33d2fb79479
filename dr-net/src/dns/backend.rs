//! The backend of kind `dns`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use data_encoding::BASE64;
use dr_core::resource::{ConfigError, Connect, Needs};
use dr_core::{Backend, Configured, Error, Identity, Region, Resource, Result, Side, async_trait};
use hickory_proto::rr::TSigner;
use serde_json::Value;

use super::authority::Authority;
use super::config::{DnsConfig, DnsPlan, KeyPlan};
use super::hand::by_hand;
use super::probe::NameProber;
use super::route::RouteEffect;
use super::routing::Routings;
use super::update::Updater;
use crate::config::{read, schema};
use crate::wire::plain;

/// How far clocks may be apart, in seconds (RFC 8945, section 10).
const FUDGE: u16 = 300;

/// Kind `dns`: a record that sends callers to one side, changed by RFC 2136.
#[derive(Debug, Clone, Copy, Default)]
pub struct DnsBackend;

impl Backend for DnsBackend {
    fn kind(&self) -> &str {
        "dns"
    }

    fn schema(&self) -> Value {
        schema::<DnsConfig>()
    }

    fn configure(&self, config: Value) -> Result<Box<dyn Configured>, Vec<ConfigError>> {
        Ok(Box::new(DnsConfigured { plan: Arc::new(read::<DnsConfig>(config)?.check()?) }))
    }
}

#[derive(Debug)]
struct DnsConfigured {
    plan: Arc<DnsPlan>,
}

impl DnsConfigured {
    fn identity(&self) -> Identity {
        let record = &self.plan.record;
        Identity::new(format!("dns://{}/{}/{}", plain(&record.zone), plain(&record.name), record.kind))
    }
}

#[async_trait]
impl Configured for DnsConfigured {
    fn identities(&self) -> Vec<Identity> {
        vec![self.identity()]
    }

    fn sides(&self) -> BTreeMap<Side, Region> {
        self.plan.sides.clone()
    }

    fn verbs(&self) -> Vec<&str> {
        if self.plan.update.is_some() { vec!["probe", "route"] } else { vec!["probe"] }
    }

    fn needs(&self, verb: &str, _on: Option<&Side>) -> Needs {
        match (verb, &self.plan.update) {
            ("route", Some(update)) => {
                let who = match &update.key {
                    Some(key) => format!("key {}", plain(&key.name)),
                    None => "this address".to_owned(),
                };
                Needs::permissions([format!("update of {} at {} for {who}", self.plan.record, update.server)])
            }
            (_, _) => Needs::default(),
        }
    }

    fn ttl(&self) -> Option<Duration> {
        Some(Duration::from_secs(self.plan.record.ttl.into()))
    }

    fn by_hand(&self, verb: &str, call: &Value) -> Vec<String> {
        by_hand(&self.plan, verb, call)
    }

    async fn connect(&self, connect: &Connect<'_>) -> Result<Resource> {
        let authority = Arc::new(Authority::new(&self.plan));
        let resource = Resource::new(self.identity())
            .observing(Arc::new(Routings::new(Arc::clone(&authority))))
            .answering(Arc::new(NameProber::new(Arc::clone(&self.plan))));
        Ok(match &self.plan.update {
            Some(update) => {
                let signer = match &update.key {
                    Some(key) => Some(signer(key, connect).await?),
                    None => None,
                };
                resource.with(Arc::new(RouteEffect::new(authority, Updater::new(signer))))
            }
            None => resource,
        })
    }
}

async fn signer(key: &KeyPlan, connect: &Connect<'_>) -> Result<TSigner> {
    let secret = connect.secret(&key.secret).await?;
    let bytes = BASE64
        .decode(secret.expose().trim().as_bytes())
        .map_err(|_| Error::invalid("a TSIG key is given in base64").on(key.secret.to_string()))?;
    TSigner::new(bytes, key.algorithm.clone(), key.name.clone(), FUDGE).map_err(|error| {
        Error::invalid("the TSIG key cannot be used").on(key.secret.to_string()).because(error)
    })
}
