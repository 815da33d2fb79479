//! What the tests ask again and again.

use std::fs;
use std::path::Path;
use std::time::Duration;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::PostParams;
use kube::runtime::wait::await_condition;
use kube::{Api, Client};
use serde_json::json;
use tokio::time::{Instant, sleep, timeout};

pub(crate) fn config_map(name: &str) -> ConfigMap {
    serde_json::from_value(json!({ "metadata": { "name": name }, "data": { "k": "v" } })).unwrap()
}

pub(crate) fn deployment(name: &str, replicas: i32) -> Deployment {
    labelled(name, replicas, &[])
}

/// A deployment whose pods carry these labels.
pub(crate) fn labelled(name: &str, replicas: i32, labels: &[(&str, &str)]) -> Deployment {
    let mut deployment = json!({
        "metadata": { "name": name },
        "spec": {
            "replicas": replicas,
            "selector": { "matchLabels": { "app": name } },
            "template": {
                "metadata": { "labels": { "app": name } },
                "spec": { "containers": [{ "name": "app", "image": format!("registry.example/{name}:1") }] },
            },
        },
    });
    for (key, value) in labels {
        deployment["spec"]["template"]["metadata"]["labels"][*key] = json!(value);
    }
    serde_json::from_value(deployment).unwrap()
}

pub(crate) async fn create(client: &Client, namespace: &str, deployment: &Deployment) {
    let api = Api::namespaced(client.clone(), namespace);
    api.create(&PostParams::default(), deployment).await.unwrap();
}

pub(crate) async fn ready(client: &Client, namespace: &str, name: &str) -> i32 {
    let deployment = Api::<Deployment>::namespaced(client.clone(), namespace).get(name).await.unwrap();
    deployment.status.and_then(|status| status.ready_replicas).unwrap_or(0)
}

/// Waits by a watch, and panics when it takes longer.
pub(crate) async fn ready_within(
    client: &Client,
    namespace: &str,
    name: &str,
    replicas: i32,
    within: Duration,
) {
    let api = Api::<Deployment>::namespaced(client.clone(), namespace);
    let all_ready = await_condition(api, name, |deployment: Option<&Deployment>| {
        let status = deployment.and_then(|deployment| deployment.status.as_ref());
        status.is_some_and(|status| status.ready_replicas == Some(replicas))
    });
    timeout(within, all_ready)
        .await
        .unwrap_or_else(|_| panic!("{name} is not ready after {within:?}"))
        .unwrap();
}

/// Whether a process is there and no zombie.
pub(crate) fn runs(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X']))
}

/// Name and resident memory of a process.
pub(crate) fn memory(pid: u32) -> String {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or("?");
        line.trim().to_owned()
    };
    format!("{}: {}", field("Name:"), field("VmRSS:"))
}

/// What is still there of these when the time is over. There is no event for the end of another's child.
pub(crate) async fn gone(pids: &[u32], folder: &Path, within: Duration) -> Vec<String> {
    let until = Instant::now() + within;
    loop {
        let mut left: Vec<String> =
            pids.iter().filter(|pid| runs(**pid)).map(|pid| format!("process {pid}")).collect();
        if folder.exists() {
            left.push(folder.display().to_string());
        }
        if left.is_empty() || Instant::now() >= until {
            return left;
        }
        sleep(Duration::from_millis(10)).await;
    }
}
