//! The processes of a sandbox's service as a resource of a plan: kind `sandbox-app`, a backend like any third party's.

mod config;
mod workloads;

use std::collections::BTreeMap;
use std::sync::Arc;

use dr_core::resource::{Call, ConfigError, Configured, Connect, Needs, Scale, Staffing};
use dr_core::{Backend, Identity, Region, Resource, Result, Side, async_trait};
use serde_json::{Value, json};

use config::Config;
use workloads::Workloads;

/// The backend of kind `sandbox-app`.
pub fn backend() -> SandboxApp {
    SandboxApp
}

/// Workloads of a sandbox: observes and scales them through each region's agent.
#[derive(Debug, Clone, Copy, Default)]
#[non_exhaustive]
pub struct SandboxApp;

impl Backend for SandboxApp {
    fn kind(&self) -> &str {
        "sandbox-app"
    }

    fn schema(&self) -> Value {
        json!({
            "type": "object",
            "description": "The service of a sandbox. `dr sandbox up` writes this entry.",
            "properties": {
                "workload": { "type": "string", "description": "Its name." },
                "token": { "type": "string", "description": "The agents' token, by reference: ${file:/path}." },
                "sides": {
                    "type": "object",
                    "description": "Where each side is reached.",
                    "additionalProperties": {
                        "type": "object",
                        "properties": {
                            "agent": { "type": "string", "description": "The agent's address: 127.20.1.1:20001." },
                            "service": { "type": "string", "description": "The service's address: 127.20.1.10:20000." }
                        },
                        "required": ["agent", "service"],
                        "additionalProperties": false
                    }
                }
            },
            "required": ["workload", "token", "sides"],
            "additionalProperties": false
        })
    }

    fn configure(&self, config: Value) -> Result<Box<dyn Configured>, Vec<ConfigError>> {
        Ok(Box::new(Config::read(&config)?))
    }
}

#[async_trait]
impl Configured for Config {
    fn identities(&self) -> Vec<Identity> {
        let mut identities: Vec<Identity> = self
            .sides
            .values()
            .map(|side| Identity::new(format!("sandbox-app://{}/{}", side.agent, self.workload)))
            .collect();
        identities.sort();
        identities
    }

    fn sides(&self) -> BTreeMap<Side, Region> {
        self.sides.keys().map(|side| (side.clone(), Region::new(side.as_str()))).collect()
    }

    fn verbs(&self) -> Vec<&str> {
        vec![Scale::VERB]
    }

    fn needs(&self, verb: &str, _on: Option<&Side>) -> Needs {
        match verb {
            "scale" => Needs::permissions(["the agents' token"]),
            _ => Needs::default(),
        }
    }

    fn by_hand(&self, verb: &str, call: &Value) -> Vec<String> {
        let side = call.get("in").and_then(Value::as_str).and_then(|side| self.sides.get(side));
        let count = call.get("replicas").and_then(Value::as_u64);
        match (verb, side, count) {
            ("scale", Some(side), Some(count)) => vec![format!(
                "printf '{{\"token\":\"%s\",\"ask\":\"scale\",\"count\":{count},\"within_ms\":30000}}\\n' \"{}\" | nc {} {}",
                self.token,
                side.agent.ip(),
                side.agent.port()
            )],
            _ => Vec::new(),
        }
    }

    async fn connect(&self, connect: &Connect<'_>) -> Result<Resource> {
        let token = connect.secret(&self.token).await?;
        let workloads = Arc::new(Workloads::new(self, token.expose(), connect.clock()));
        let identity = Identity::new(format!("sandbox-app/{}", self.workload));
        Ok(Resource::new(identity)
            .observing::<Staffing>(Arc::clone(&workloads) as _)
            .with::<Scale>(workloads))
    }
}
