//! The plan that `up` writes, with the backends that it is written for.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use dr_core::check::{Subject, check, configure};
use dr_core::plan::{Format, Plan};
use dr_core::resource::{
    Ask, Configured, Connect, Cx, Redactor, Roles, SeatKind, Secret, SecretRef, SecretSource, Urgency,
    Written,
};
use dr_core::runbook::compile;
use dr_core::{Backends, Clock, Resource, ResourceName, RunId, Side, StepId, SystemClock, async_trait};
use dr_sandbox::{Command, Up};

use crate::support::Sandbox;

#[derive(Debug)]
pub(crate) struct Files;

#[async_trait]
impl SecretSource for Files {
    async fn fetch(&self, reference: &SecretRef) -> dr_core::Result<Secret> {
        Ok(Secret::new(std::fs::read_to_string(reference.name()).unwrap().trim_end()))
    }
}

type AllConfigured = BTreeMap<ResourceName, Arc<dyn Configured>>;

fn backends() -> Backends {
    Backends::new()
        .with(dr_postgres::backend())
        .with(dr_net::HttpBackend)
        .with(dr_net::DnsBackend)
        .with(dr_sandbox::backend())
}

fn plan(sandbox: &Sandbox) -> (Plan, AllConfigured) {
    let text = std::fs::read_to_string(sandbox.dir().join("plan.yaml")).unwrap();
    let plan = Plan::parse(&text, Format::Yaml).unwrap();
    let configured = configure(&plan, &backends()).unwrap();
    (plan, configured)
}

async fn connect(configured: &dyn Configured) -> Resource {
    let (redactor, clock) = (Redactor::default(), Arc::new(SystemClock) as Arc<dyn Clock>);
    configured.connect(&Connect::new(&Files, &redactor, &clock)).await.unwrap()
}

fn cx() -> Cx {
    Cx::new(RunId::new("run"), StepId::new("look"), Duration::from_secs(20))
}

#[tokio::test]
async fn the_plan_has_no_flaw_in_either_direction() {
    for hard in [false, rustix::process::geteuid().is_root()] {
        let sandbox = Sandbox::with(Up { load: 0, hard, ..Up::default() }).await;
        let (plan, configured) = plan(&sandbox);
        let there = Roles { source: Side::new("us-east-1"), target: Side::new("eu-central-1") };
        for roles in [there.clone(), there.swapped()] {
            let script = compile(&plan, &configured, &roles).unwrap();
            for urgency in [Urgency::Planned, Urgency::Unplanned] {
                let subject =
                    Subject { plan: &plan, script: &script, configured: &configured, roles: &roles, urgency };
                assert_eq!(check(&subject), []);
            }
        }
    }
}

#[tokio::test]
async fn every_resource_of_the_plan_answers() {
    let sandbox = Sandbox::with(Up { load: 0, ..Up::default() }).await;
    let (_, configured) = plan(&sandbox);
    for (name, configured) in &configured {
        let resource = connect(configured.as_ref()).await;
        for watch in resource.watches() {
            let seen = watch.watch(&cx()).await.unwrap_or_else(|error| panic!("{name}: {error:?}"));
            assert!(!seen.text.contains("unknown"), "{name}: {}", seen.text);
        }
    }
}

#[tokio::test]
async fn callers_write_through_the_name_to_the_side_that_serves() {
    let sandbox = Sandbox::with(Up { load: 0, ..Up::default() }).await;
    let (_, configured) = plan(&sandbox);
    let shop = connect(configured["shop"].as_ref()).await;
    for kind in [SeatKind::Caching, SeatKind::Kept] {
        let mut seat = shop.prober().unwrap().seat(kind);
        let answer = seat.ask(Ask { write: true }, Duration::from_secs(5)).await;
        assert!(answer.is_good() && answer.wrote, "{answer:?}");
        assert_eq!(answer.served_by, Some(Side::new("us-east-1")));
    }
    let ledger = shop.ledger().unwrap();
    assert_eq!(ledger.write(&cx(), "book", 1).await, Written::Acked);
    let orders = connect(configured["orders"].as_ref()).await;
    let survivors =
        orders.ledger().unwrap().survivors(&cx(), &Side::new("us-east-1"), "book", 0, 9).await.unwrap();
    assert_eq!(survivors.rows.into_iter().collect::<Vec<_>>(), [1]);
    sandbox.run(Command::Down).await;
}
