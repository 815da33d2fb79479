//! The backend of kind `route53-health-check`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use dr_core::resource::{ConfigError, Connect, Needs};
use dr_core::{Backend, Configured, Identity, Region, Resource, Result, Side, async_trait};
use serde_json::Value;

use super::config::{HealthCheckConfig, HealthCheckPlan};
use super::hand::by_hand;
use super::invert::InvertEffect;
use super::prove::Proving;
use super::routing::Routings;
use super::standby::{StandbyEffect, Switch};
use crate::client::Aws;
use crate::config::{read, schema};
use crate::dns::Authority;
use crate::needs::route53_health_checks;
use crate::route53::{Checks, Pace, Road, Zone};
use crate::service::Service;

/// Kind `route53-health-check`: failover records that are switched by the health check of their primary.
#[derive(Debug, Clone, Copy, Default)]
pub struct HealthCheckBackend;

impl Backend for HealthCheckBackend {
    fn kind(&self) -> &str {
        "route53-health-check"
    }

    fn schema(&self) -> Value {
        schema::<HealthCheckConfig>()
    }

    fn configure(&self, config: Value) -> Result<Box<dyn Configured>, Vec<ConfigError>> {
        Ok(Box::new(HealthCheckConfigured { plan: Arc::new(read::<HealthCheckConfig>(config)?.check()?) }))
    }
}

#[derive(Debug)]
struct HealthCheckConfigured {
    plan: Arc<HealthCheckPlan>,
}

impl HealthCheckConfigured {
    fn identity(&self) -> Identity {
        Identity::new(format!("route53:healthcheck/{}", self.plan.check))
    }
}

#[async_trait]
impl Configured for HealthCheckConfigured {
    /// The check, and the record that it decides over.
    fn identities(&self) -> Vec<Identity> {
        let entry = &self.plan.entry;
        let record = Identity::new(format!("route53:{}/{}/{}", entry.zone, entry.name, entry.kind));
        let mut both = vec![record, self.identity()];
        both.sort();
        both
    }

    fn sides(&self) -> BTreeMap<Side, Region> {
        self.plan.sides.clone()
    }

    fn verbs(&self) -> Vec<&str> {
        vec!["route"]
    }

    fn needs(&self, verb: &str, _on: Option<&Side>) -> Needs {
        if verb != "route" {
            return Needs::default();
        }
        if let Some(object) = &self.plan.object {
            let rights = ["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:ListBucket"];
            return Needs::permissions(
                rights.map(|right| format!("{right} on {}/{}", object.bucket, object.key)),
            )
            .and_data("S3", object.region.clone());
        }
        let check = &self.plan.check;
        let mut permissions = vec![
            format!("route53:GetHealthCheck on {check}"),
            format!("route53:GetHealthCheckStatus on {check}"),
            format!("route53:UpdateHealthCheck on {check}"),
        ];
        if self.plan.name_servers.is_empty() {
            permissions.push(format!("route53:GetHostedZone on {}", self.plan.entry.zone));
        }
        Needs::permissions(permissions).and_control_plane(route53_health_checks())
    }

    fn connecting(&self) -> Needs {
        self.plan.aws.connecting()
    }

    fn emulated(&self) -> Option<String> {
        self.plan.aws.emulated(match self.plan.object {
            Some(_) => &[Service::Route53, Service::S3],
            None => &[Service::Route53],
        })
    }

    fn ttl(&self) -> Option<Duration> {
        Some(Duration::from_secs(self.plan.entry.ttl.into()))
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
        let checks = Checks { client, pace };
        let switch =
            plan.object.as_ref().map(|object| Switch { s3: aws.s3(&object.region), object: object.clone() });
        let resource = Resource::new(self.identity()).observing(Arc::new(Routings {
            plan: Arc::clone(plan),
            road: Arc::clone(&road),
            checks: checks.clone(),
        }));
        let resource = match &switch {
            Some(switch) => resource.with(Arc::new(StandbyEffect {
                plan: Arc::clone(plan),
                road: Arc::clone(&road),
                switch: switch.clone(),
            })),
            None => resource.with(Arc::new(InvertEffect {
                plan: Arc::clone(plan),
                road: Arc::clone(&road),
                checks: checks.clone(),
            })),
        };
        Ok(resource.proving(Arc::new(Proving {
            plan: Arc::clone(plan),
            road,
            checks,
            switch,
            sides: plan.sides.clone(),
        })))
    }
}
