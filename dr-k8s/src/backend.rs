//! The kind `kubernetes`, and a configuration of it that makes sense.

use std::collections::BTreeMap;
use std::sync::Arc;

use dr_core::resource::{
    Backend, ConfigError, Configure, Configured, Connect, Fence, Needs, Plane, Resource, Scale, Staffing,
    Unfence,
};
use dr_core::{Identity, Region, Result, Side, async_trait};
use serde_json::Value;

use crate::by_hand;
use crate::config::{Config, schema};
use crate::permissions;
use crate::side::Sides;
use crate::state::ClusterState;

pub(crate) const VERBS: [&str; 4] = ["scale", "configure", "fence", "unfence"];

/// The backend for `kind: kubernetes`.
#[derive(Debug, Clone, Copy, Default)]
#[non_exhaustive]
pub struct Kubernetes;

/// The backend for `kind: kubernetes`.
pub fn backend() -> Kubernetes {
    Kubernetes
}

impl Backend for Kubernetes {
    fn kind(&self) -> &str {
        "kubernetes"
    }

    fn schema(&self) -> Value {
        schema()
    }

    fn configure(&self, config: Value) -> Result<Box<dyn Configured>, Vec<ConfigError>> {
        Ok(Box::new(Plan { config: Config::read(&config)? }))
    }
}

#[derive(Debug)]
struct Plan {
    config: Config,
}

#[async_trait]
impl Configured for Plan {
    /// Namespaces, not workloads: a plan that means all of one meets a plan that means some of it.
    fn identities(&self) -> Vec<Identity> {
        let name = |side: &crate::config::SideConfig| {
            Identity::new(format!("kubernetes:{}/{}", side.cluster, side.namespace))
        };
        let mut all: Vec<Identity> = self.config.sides.values().map(name).collect();
        all.sort();
        all
    }

    fn sides(&self) -> BTreeMap<Side, Region> {
        self.config.sides.iter().map(|(side, config)| (side.clone(), config.region.clone())).collect()
    }

    fn verbs(&self) -> Vec<&str> {
        VERBS.to_vec()
    }

    fn needs(&self, verb: &str, side: Option<&Side>) -> Needs {
        let permissions = permissions::of(&self.config, verb);
        let needed = permissions.iter().filter(|permission| !permission.optional);
        let mut needs = Needs::permissions(needed.map(ToString::to_string));
        needs.control_planes = self
            .config
            .sides
            .iter()
            .filter(|(name, _)| side.is_none_or(|side| side == *name))
            .map(|(_, side)| {
                Plane::new("Kubernetes API", side.region.clone())
                    .without("what runs there goes on as it is, and nothing there can be changed or seen")
                    .instead("the commands by hand on its nodes; a fence of the store itself")
            })
            .collect();
        needs
    }

    fn knows_addresses(&self) -> bool {
        self.config.address.is_some()
    }

    fn measures_room(&self) -> bool {
        true
    }

    fn by_hand(&self, verb: &str, call: &Value) -> Vec<String> {
        by_hand::commands(&self.config, verb, call)
    }

    async fn connect(&self, connect: &Connect<'_>) -> Result<Resource> {
        let mut secrets = BTreeMap::new();
        for (name, reference) in &self.config.secrets {
            secrets.insert(name.clone(), connect.secret(reference).await?);
        }
        let sides = Arc::new(Sides::new(self.config.clone(), secrets));
        let identity = self.identities().into_iter().next().unwrap_or_else(|| Identity::new("kubernetes"));
        let resource = Resource::new(identity)
            .observing::<Staffing>(sides.clone())
            .observing::<ClusterState>(sides.clone())
            .with::<Scale>(sides.clone())
            .with::<Configure>(sides.clone())
            .with::<Fence>(sides.clone())
            .with::<Unfence>(sides.clone())
            .fencing(sides.clone())
            .measuring_room(sides.clone())
            .proving(sides.clone());
        Ok(if self.config.address.is_some() { resource.addressed(sides) } else { resource })
    }
}
