//! The backend of kind `route53`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use dr_core::resource::{ConfigError, Connect, Needs};
use dr_core::{Backend, Configured, Identity, Region, Resource, Result, Side, async_trait};
use serde_json::Value;

use super::check::Checks;
use super::config::{Route53Config, Route53Plan};
use super::entry::RoutingPolicy;
use super::hand::by_hand;
use super::pace::Pace;
use super::prove::Proving;
use super::road::Road;
use super::route::RouteEffect;
use super::routing::Routings;
use super::zone::Zone;
use crate::client::Aws;
use crate::config::{read, schema};
use crate::dns::Authority;
use crate::needs::route53_records;
use crate::service::Service;

/// Kind `route53`: a record in a hosted zone that sends callers to a side.
#[derive(Debug, Clone, Copy, Default)]
pub struct Route53Backend;

impl Backend for Route53Backend {
    fn kind(&self) -> &str {
        "route53"
    }

    fn schema(&self) -> Value {
        schema::<Route53Config>()
    }

    fn configure(&self, config: Value) -> Result<Box<dyn Configured>, Vec<ConfigError>> {
        Ok(Box::new(Route53Configured { plan: Arc::new(read::<Route53Config>(config)?.check()?) }))
    }
}

#[derive(Debug)]
struct Route53Configured {
    plan: Arc<Route53Plan>,
}

impl Route53Configured {
    fn identity(&self) -> Identity {
        let entry = &self.plan.entry;
        Identity::new(format!("route53:{}/{}/{}", entry.zone, entry.name, entry.kind))
    }
}

#[async_trait]
impl Configured for Route53Configured {
    fn identities(&self) -> Vec<Identity> {
        vec![self.identity()]
    }

    fn sides(&self) -> BTreeMap<Side, Region> {
        self.plan.sides.clone()
    }

    fn verbs(&self) -> Vec<&str> {
        vec!["route"]
    }

    fn needs(&self, verb: &str, _side: Option<&Side>) -> Needs {
        if verb != "route" {
            return Needs::default();
        }
        let mut permissions =
            vec!["route53:ListResourceRecordSets", "route53:ChangeResourceRecordSets", "route53:GetChange"];
        if self.plan.name_servers.is_empty() {
            permissions.push("route53:GetHostedZone");
        }
        if self.plan.entry.policy != RoutingPolicy::Simple {
            permissions.extend(["route53:GetHealthCheck", "route53:GetHealthCheckStatus"]);
        }
        let zone = &self.plan.entry.zone;
        Needs::permissions(permissions.into_iter().map(|permission| format!("{permission} on {zone}")))
            .and_control_plane(route53_records())
    }

    fn connecting(&self) -> Needs {
        self.plan.aws.connecting()
    }

    fn splits_traffic(&self) -> bool {
        self.plan.entry.policy == RoutingPolicy::Weighted
    }

    fn emulated(&self) -> Option<String> {
        self.plan.aws.emulated(&[Service::Route53])
    }

    fn ttl(&self) -> Option<Duration> {
        self.plan.ttl
    }

    fn by_hand(&self, verb: &str, call: &Value) -> Vec<String> {
        by_hand(&self.plan, verb, call)
    }

    async fn connect(&self, connect: &Connect<'_>) -> Result<Resource> {
        let plan = &self.plan;
        let aws = Aws::connect(&plan.aws, plan.sides.values().cloned(), connect).await?;
        let pace = Pace::shared(plan.aws.endpoint(Service::Route53));
        let client = aws.route53();
        let road = Arc::new(Road {
            entry: Arc::clone(&plan.entry),
            zone: Zone::new(
                client.clone(),
                Arc::clone(&pace),
                Arc::clone(&plan.entry),
                plan.name_servers.clone(),
            ),
            authority: Authority::new(plan.name.clone(), plan.entry.kind, plan.silent_after),
            resolvers: plan.resolvers.clone(),
        });
        Ok(Resource::new(self.identity())
            .observing(Arc::new(Routings::new(Arc::clone(&road))))
            .with(Arc::new(RouteEffect::new(Arc::clone(&road), Checks { client, pace })))
            .proving(Arc::new(Proving::new(road, plan.sides.clone()))))
    }
}
