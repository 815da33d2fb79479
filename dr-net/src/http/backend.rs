//! The backend of kind `http`.

use std::collections::BTreeMap;
use std::sync::Arc;

use dr_core::resource::{ConfigError, Connect};
use dr_core::{Backend, Configured, Identity, Region, Resource, Result, Side, async_trait};
use serde_json::Value;

use super::config::{HttpConfig, HttpPlan};
use super::ledger::HttpLedger;
use super::seat::HttpProber;
use super::tls;
use crate::config::{read, schema};

/// Kind `http`: a service asked as its callers ask it, and a write ledger through its own write path.
#[derive(Debug, Clone, Copy, Default)]
pub struct HttpBackend;

impl Backend for HttpBackend {
    fn kind(&self) -> &str {
        "http"
    }

    fn schema(&self) -> Value {
        schema::<HttpConfig>()
    }

    fn configure(&self, config: Value) -> Result<Box<dyn Configured>, Vec<ConfigError>> {
        let url = config.get("url").and_then(Value::as_str).unwrap_or_default().to_owned();
        let plan = read::<HttpConfig>(config)?.check()?;
        Ok(Box::new(HttpConfigured { url, plan: Arc::new(plan) }))
    }
}

#[derive(Debug)]
struct HttpConfigured {
    url: String,
    plan: Arc<HttpPlan>,
}

#[async_trait]
impl Configured for HttpConfigured {
    /// None: asking a service changes nothing, so any number of runs may ask the same one.
    fn identities(&self) -> Vec<Identity> {
        Vec::new()
    }

    fn sides(&self) -> BTreeMap<Side, Region> {
        self.plan.sides.clone()
    }

    fn verbs(&self) -> Vec<&str> {
        vec!["probe"]
    }

    async fn connect(&self, connect: &Connect<'_>) -> Result<Resource> {
        let plan = Arc::new(self.plan.resolved(connect).await?);
        let tls = if self.plan.secure { Some(tls::connector(self.plan.ca.as_deref())?) } else { None };
        let prober = Arc::new(HttpProber::new(Arc::clone(&plan), tls.clone()));
        let resource = Resource::new(Identity::new(self.url.as_str())).answering(prober);
        Ok(match &plan.ledger {
            Some(template) => {
                resource.keeping(Arc::new(HttpLedger::new(template.clone(), Arc::clone(&plan), tls)))
            }
            None => resource,
        })
    }
}
