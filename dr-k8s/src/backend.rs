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
        if matches!(verb, "scale" | "configure") {
            // Of the others it is known only when the workloads are looked at: `dr` asks for room then.
            needs.data_planes = self
                .config
                .registries
                .iter()
                .map(|(host, region)| {
                    Plane::new(format!("the image registry {host}"), region.clone())
                        .without("nodes start only what they have pulled before")
                        .instead("copies of the images in a registry of the other region")
                })
                .collect();
        }
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
        let sides = Arc::new(Sides::new(self.config.clone(), secrets, &connect.redactor()));
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn plan() -> Box<dyn Configured> {
        let config = json!({
            "namespace": "shop", "contexts": { "us-east-1": "prod-us", "eu-central-1": "prod-eu" },
            "registries": { "registry.example": "us-east-1" },
        });
        backend().configure(config).unwrap()
    }

    #[test]
    fn a_step_on_one_side_needs_that_sides_server_alone() {
        let plan = plan();
        let regions = |side: Option<&Side>| -> Vec<String> {
            plan.needs("scale", side).control_planes.iter().map(|plane| plane.region.to_string()).collect()
        };
        assert_eq!(regions(Some(&"eu-central-1".into())), ["eu-central-1"]);
        assert_eq!(regions(None).len(), 2);
    }

    #[test]
    fn a_registry_in_the_source_is_a_need_of_more_pods() {
        let needs = plan().needs("scale", Some(&"eu-central-1".into()));
        assert_eq!(needs.data_planes[0].service, "the image registry registry.example");
        assert!(plan().needs("fence", None).data_planes.is_empty());
    }

    #[test]
    fn two_plans_of_one_namespace_meet_whatever_workloads_they_mean() {
        let some = json!({ "namespace": "shop", "contexts": { "x": "prod-us" }, "workloads": ["web"] });
        let some = backend().configure(some).unwrap().identities();
        assert!(plan().identities().contains(&some[0]));
    }
}
