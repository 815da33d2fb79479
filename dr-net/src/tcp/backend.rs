//! The backend of kind `tcp`.

use std::collections::BTreeMap;
use std::sync::Arc;

use dr_core::resource::{ConfigError, Connect};
use dr_core::{Backend, Configured, Identity, Region, Resource, Result, Side, async_trait};
use serde_json::Value;

use super::config::{TcpConfig, TcpPlan};
use super::seat::TcpProber;
use crate::config::{read, schema};

/// Kind `tcp`: a port that accepts connections. It shows neither who answers nor whether a write would work.
#[derive(Debug, Clone, Copy, Default)]
pub struct TcpBackend;

impl Backend for TcpBackend {
    fn kind(&self) -> &str {
        "tcp"
    }

    fn schema(&self) -> Value {
        schema::<TcpConfig>()
    }

    fn configure(&self, config: Value) -> Result<Box<dyn Configured>, Vec<ConfigError>> {
        Ok(Box::new(TcpConfigured { plan: Arc::new(read::<TcpConfig>(config)?.check()?) }))
    }
}

#[derive(Debug)]
struct TcpConfigured {
    plan: Arc<TcpPlan>,
}

#[async_trait]
impl Configured for TcpConfigured {
    /// None: connecting changes nothing, so any number of runs may do it.
    fn identities(&self) -> Vec<Identity> {
        Vec::new()
    }

    fn sides(&self) -> BTreeMap<Side, Region> {
        BTreeMap::new()
    }

    fn verbs(&self) -> Vec<&str> {
        vec!["probe"]
    }

    async fn connect(&self, _connect: &Connect<'_>) -> Result<Resource> {
        let identity = Identity::new(format!("tcp://{}:{}", self.plan.host, self.plan.port));
        Ok(Resource::new(identity).answering(Arc::new(TcpProber::new(Arc::clone(&self.plan)))))
    }
}
