//! Kind `sandbox-app`, as the engine uses it.

use std::sync::Arc;
use std::time::Duration;

use crate::support::{Sandbox, broken, processes};
use dr_core::resource::{
    At, Connect, Cx, Effect, Observe, Redactor, Replicas, Scale, Secret, SecretRef, SecretSource, Staffing,
};
use dr_core::{Backend, Clock, ErrorKind, Happened, Resource, RunId, Side, StepId, SystemClock, async_trait};
use dr_sandbox::{Up, backend};
use serde_json::json;

#[derive(Debug)]
struct Files;

#[async_trait]
impl SecretSource for Files {
    async fn fetch(&self, reference: &SecretRef) -> dr_core::Result<Secret> {
        Ok(Secret::new(std::fs::read_to_string(reference.name()).unwrap()))
    }
}

pub(crate) async fn connect(sandbox: &Sandbox) -> Resource {
    let state = sandbox.state();
    let at = |side: &str| json!({ "agent": state["regions"][side]["agent"], "service": state["regions"][side]["app"] });
    let config = json!({
        "workload": "shop",
        "token": format!("${{file:{}}}", sandbox.dir().join("secrets/agent").display()),
        "sides": { "us-east-1": at("us-east-1"), "eu-central-1": at("eu-central-1") },
    });
    let configured = backend().configure(config).unwrap();
    let (redactor, clock) = (Redactor::default(), Arc::new(SystemClock) as Arc<dyn Clock>);
    configured.connect(&Connect::new(&Files, &redactor, &clock)).await.unwrap()
}

fn cx() -> Cx {
    Cx::new(RunId::new("run"), StepId::new("scale_up/scale:services"), Duration::from_secs(30))
}

fn scale(side: &str, replicas: Replicas) -> Scale {
    Scale { side: At::Named(Side::new(side)), replicas, after_drain: false }
}

async fn ready(resource: &Resource, side: &str) -> Option<(u32, u32)> {
    let observer: Arc<dyn Observe<Staffing>> = resource.observer().unwrap();
    let staffing = observer.observe(&cx()).await.unwrap();
    let workloads = staffing.sides[&Side::new(side)].as_ref()?;
    Some((workloads[0].ready, workloads[0].desired))
}

fn apps(sandbox: &Sandbox, side: &str) -> usize {
    let dir = sandbox.dir();
    processes(dir.to_str().unwrap())
        .iter()
        .filter(|line| line.contains(&format!("app --side {side}")))
        .count()
}

#[tokio::test]
async fn a_scale_starts_processes_and_its_undo_ends_them() {
    let sandbox = Sandbox::with(Up { load: 0, ..Up::default() }).await;
    let resource = connect(&sandbox).await;
    let effect: Arc<dyn Effect<Scale>> = resource.effect().unwrap();
    let call = scale("eu-central-1", Replicas::SameAs(At::Named(Side::new("us-east-1"))));

    let was = effect.prepare(&cx(), &call).await.unwrap();
    assert!(!was.is_already());
    assert_eq!(apps(&sandbox, "eu-central-1"), 1, "looking changes nothing");
    let scaled = effect.apply(&cx(), &call, &was).await.unwrap();
    assert_eq!(scaled.to_string(), "eu-central-1: 3 of 3 ready");
    assert_eq!(apps(&sandbox, "eu-central-1"), 3);
    assert_eq!(effect.apply(&cx(), &call, &was).await.unwrap(), scaled, "a repeat ends in the same world");
    assert!(effect.prepare(&cx(), &call).await.unwrap().is_already());

    effect.undo(&cx(), &call, &was.before).await.unwrap();
    effect.undo(&cx(), &call, &was.before).await.unwrap();
    assert_eq!(ready(&resource, "eu-central-1").await, Some((1, 1)));
    crate::support::wait_until("their end", || apps(&sandbox, "eu-central-1") == 1).await;
}

#[tokio::test]
async fn an_undo_leaves_what_somebody_else_has_changed_since() {
    let sandbox = Sandbox::with(Up { load: 0, ..Up::default() }).await;
    let resource = connect(&sandbox).await;
    let effect: Arc<dyn Effect<Scale>> = resource.effect().unwrap();
    let (call, other) =
        (scale("eu-central-1", Replicas::Count(3)), scale("eu-central-1", Replicas::Count(2)));
    let was = effect.prepare(&cx(), &call).await.unwrap();
    effect.apply(&cx(), &call, &was).await.unwrap();
    let theirs = effect.prepare(&cx(), &other).await.unwrap();
    effect.apply(&cx(), &other, &theirs).await.unwrap();
    let error = effect.undo(&cx(), &call, &was.before).await.unwrap_err();
    assert_eq!((error.kind(), error.happened()), (ErrorKind::Conflict, Happened::No));
    assert_eq!(ready(&resource, "eu-central-1").await, Some((2, 2)));
}

#[tokio::test]
async fn a_broken_region_refuses_at_once_and_a_silent_one_is_unknown() {
    let sandbox = Sandbox::with(Up { load: 0, ..Up::default() }).await;
    let resource = connect(&sandbox).await;
    let effect: Arc<dyn Effect<Scale>> = resource.effect().unwrap();
    sandbox.run(broken("source")).await;
    assert_eq!(ready(&resource, "us-east-1").await, Some((0, 3)));
    let call = scale("us-east-1", Replicas::Count(1));
    let was = effect.prepare(&cx(), &call).await.unwrap();
    let error = effect.apply(&cx(), &call, &was).await.unwrap_err();
    assert_eq!((error.kind(), error.happened()), (ErrorKind::Refused, Happened::No));

    let recorded = std::fs::read_to_string(sandbox.dir().join("pids/region-us-east-1")).unwrap();
    let pid = serde_json::from_str::<serde_json::Value>(&recorded).unwrap()["pid"].as_i64().unwrap();
    let pid = rustix::process::Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
    crate::support::wait_until("no agent", || apps(&sandbox, "us-east-1") == 0).await;
    assert_eq!(ready(&resource, "us-east-1").await, None);
    assert_eq!(ready(&resource, "eu-central-1").await, Some((1, 1)));
    let error = effect.prepare(&cx(), &call).await.unwrap_err();
    assert_eq!((error.kind(), error.happened()), (ErrorKind::Unreachable, Happened::No));
}
