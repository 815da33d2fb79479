//! The requests to the server.

use std::time::Duration;

use k8s_openapi::api::core::v1::{Event, Pod};
use kube::api::{DeleteParams, Patch, PatchParams, PostParams, Preconditions};
use kube::core::Status;
use kube::{Api, Client};
use serde_json::{Value, json};
use tokio::time::timeout;

use super::pod::Key;
use super::status::{Told, timestamp};

/// How long one request may take, before it is made again. A server that stands still is met by it.
const WITHIN: Duration = Duration::from_secs(10);

/// One thing to tell the server.
#[derive(Debug)]
pub(crate) enum Job {
    Bind { node: String },
    Status { status: Value, warning: Option<Told> },
    Remove,
}

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    Done,
    /// The pod is not there any more.
    Gone,
    /// To be tried again: the server is not there, too busy, or somebody else wrote at the same time.
    Failed,
}

pub(crate) async fn perform(client: Client, key: &Key, uid: &str, job: Job) -> Outcome {
    match timeout(WITHIN, tell(&client, key, uid, job)).await {
        Ok(Ok(())) => Outcome::Done,
        Ok(Err(kube::Error::Api(status))) if status.code == 404 => Outcome::Gone,
        Ok(Err(_)) | Err(_) => Outcome::Failed,
    }
}

async fn tell(client: &Client, key: &Key, uid: &str, job: Job) -> kube::Result<()> {
    let pods = Api::<Pod>::namespaced(client.clone(), &key.namespace);
    match job {
        Job::Bind { node } => {
            let binding = json!({
                "apiVersion": "v1",
                "kind": "Binding",
                "metadata": { "name": key.name, "namespace": key.namespace, "uid": uid },
                "target": { "apiVersion": "v1", "kind": "Node", "name": node },
            });
            pods.create_subresource::<_, Status>("binding", &key.name, &PostParams::default(), &binding)
                .await?;
        }
        Job::Status { status, warning } => {
            // With the uid: a pod that was made anew under the same name is not meant.
            let patch = Patch::Strategic(json!({ "metadata": { "uid": uid }, "status": status }));
            pods.patch_status(&key.name, &PatchParams::default(), &patch).await?;
            if let Some(told) = warning {
                warn(client, key, uid, &told).await;
            }
        }
        Job::Remove => {
            let now = DeleteParams::default()
                .grace_period(0)
                .preconditions(Preconditions { uid: Some(uid.to_owned()), resource_version: None });
            pods.delete(&key.name, &now).await?;
        }
    }
    Ok(())
}

/// An event is help for people: one that cannot be made is left out.
async fn warn(client: &Client, key: &Key, uid: &str, told: &Told) {
    let now = timestamp();
    let event = json!({
        "metadata": {
            "name": format!("{}.{}", key.name, told.reason.to_lowercase()),
            "namespace": key.namespace,
        },
        "involvedObject": {
            "apiVersion": "v1", "kind": "Pod", "name": key.name, "namespace": key.namespace, "uid": uid,
        },
        "type": "Warning",
        "reason": told.reason,
        "message": told.message,
        "source": { "component": "kubelet" },
        "reportingComponent": "kubelet",
        "reportingInstance": "kubelet",
        "firstTimestamp": now,
        "lastTimestamp": now,
        "count": 1,
    });
    if let Ok(event) = serde_json::from_value::<Event>(event) {
        let events = Api::<Event>::namespaced(client.clone(), &key.namespace);
        let _ = events.create(&PostParams::default(), &event).await;
    }
}
