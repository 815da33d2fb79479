//! The nodes as the server is told of them.

use std::collections::BTreeSet;
use std::time::Duration;

use k8s_openapi::api::core::v1::Node;
use kube::api::{Patch, PatchParams, PostParams};
use kube::{Api, Client};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::timeout;

use super::options::KubeletOptions;
use super::status::timestamp;
use crate::error::KubeFault;

/// Which stand-in a node belongs to.
pub(crate) const LABEL: &str = "dr-kubelet/nodes";

/// How often a node says that it is there. The controllers give it up after forty seconds.
const BEAT: Duration = Duration::from_secs(10);

/// One node.
#[derive(Debug, Clone)]
pub(crate) struct Registered {
    pub(crate) name: String,
    pub(crate) address: String,
    body: Value,
    status: Value,
    since: String,
}

/// All nodes of a stand-in.
pub(crate) fn nodes(region: &str, version: &str, options: &KubeletOptions) -> Vec<Registered> {
    let prefix = prefix(region, options);
    let all = json!({
        "cpu": options.allocatable.cpu,
        "memory": options.allocatable.memory,
        "pods": options.allocatable.pods.to_string(),
    });
    (0..options.nodes)
        .map(|number| {
            let name = format!("{prefix}-{}", number + 1);
            let address = format!("172.18.{}.{}", number / 250, number % 250 + 2);
            let zone = char::from(b'a' + u8::try_from(number % 3).unwrap_or(0));
            let body = json!({
                "apiVersion": "v1",
                "kind": "Node",
                "metadata": {
                    "name": name,
                    "labels": {
                        LABEL: prefix,
                        "kubernetes.io/hostname": name,
                        "kubernetes.io/os": "linux",
                        "kubernetes.io/arch": "amd64",
                        "topology.kubernetes.io/region": region,
                        "topology.kubernetes.io/zone": format!("{region}-{zone}"),
                    },
                },
            });
            let status = json!({
                "capacity": all,
                "allocatable": all,
                "addresses": [
                    { "type": "InternalIP", "address": address },
                    { "type": "Hostname", "address": name },
                ],
                "nodeInfo": {
                    "kubeletVersion": version,
                    "kubeProxyVersion": version,
                    "osImage": "kubelet stand-in",
                    "kernelVersion": "none",
                    "containerRuntimeVersion": "none://0",
                    "architecture": "amd64",
                    "operatingSystem": "linux",
                    "machineID": "",
                    "systemUUID": "",
                    "bootID": "",
                },
            });
            Registered { name, address, body, status, since: timestamp() }
        })
        .collect()
}

pub(crate) fn prefix(region: &str, options: &KubeletOptions) -> String {
    options.prefix.clone().unwrap_or_else(|| format!("{region}-node"))
}

impl Registered {
    /// Makes the node known, or finds it so, and says that it is ready.
    pub(crate) async fn register(&self, client: &Client) -> Result<(), KubeFault> {
        let doing = || KubeFault::asked(format!("register the node {}", self.name));
        let body: Node = serde_json::from_value(self.body.clone())
            .map_err(|error| KubeFault::Garbled(format!("not a node: {error}")))?;
        match Api::<Node>::all(client.clone()).create(&PostParams::default(), &body).await {
            Err(kube::Error::Api(status)) if status.code == 409 => {}
            other => drop(other.map_err(doing())?),
        }
        self.say(client, true).await.map_err(doing())
    }

    async fn say(&self, client: &Client, ready: bool) -> kube::Result<()> {
        let mut status = self.status.clone();
        let now = timestamp();
        let since = if ready { &self.since } else { &now };
        let condition = |kind: &str, is: bool, reason: &str, message: &str| {
            json!({
                "type": kind,
                "status": if is { "True" } else { "False" },
                "reason": reason,
                "message": message,
                "lastHeartbeatTime": now,
                "lastTransitionTime": since,
            })
        };
        status["conditions"] = if ready {
            json!([
                condition(
                    "MemoryPressure",
                    false,
                    "KubeletHasSufficientMemory",
                    "kubelet has sufficient memory available"
                ),
                condition("DiskPressure", false, "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
                condition(
                    "PIDPressure",
                    false,
                    "KubeletHasSufficientPID",
                    "kubelet has sufficient PID available"
                ),
                condition("Ready", true, "KubeletReady", "kubelet is posting ready status"),
            ])
        } else {
            json!([condition("Ready", false, "KubeletNotReady", "container runtime is down")])
        };
        let patch = Patch::Strategic(json!({ "status": status }));
        Api::<Node>::all(client.clone()).patch_status(&self.name, &PatchParams::default(), &patch).await?;
        Ok(())
    }
}

/// Says again and again how the nodes are; at once when `down` changes. Ends with whoever holds the other end.
pub(crate) async fn beat(
    client: Client,
    nodes: Vec<Registered>,
    mut down: watch::Receiver<BTreeSet<String>>,
) {
    loop {
        let now_down = down.borrow_and_update().clone();
        for node in &nodes {
            // One that is not heard is told again at the next beat.
            let _ = timeout(BEAT, node.say(&client, !now_down.contains(&node.name))).await;
        }
        if let Ok(Err(_)) = timeout(BEAT, down.changed()).await {
            return;
        }
    }
}
