//! What the evidence keeps of each cluster: deployments, pods and nodes as `kubectl get -o wide` shows them, and what
//! would fight a change.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use dr_core::resource::{Cx, Fact, Facts, Observation, Observe};
use dr_core::{ErrorKind, Result, Side, Timestamp, async_trait};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::cluster::Cluster;
use crate::discovery::Kind;
use crate::fleet::autoscalers;
use crate::objects::{DisruptionBudget, Node, Pod, Workload};
use crate::pods::pods;
use crate::side::Sides;
use crate::tables;
use crate::trouble::{is_over, is_ready};

/// The clusters of all sides, as they are now.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ClusterState {
    /// When the looking ended.
    pub at: Timestamp,
    /// Each side's; one that could not be read is `None`.
    pub sides: BTreeMap<Side, Option<SideCluster>>,
}

/// One side's cluster, as far as it concerns the plan.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SideCluster {
    /// The namespace.
    pub namespace: String,
    /// Its Deployments.
    pub deployments: Vec<DeploymentRow>,
    /// Its pods.
    pub pods: Vec<PodRow>,
    /// The cluster's nodes; `None` if they may not be looked at.
    pub nodes: Option<Vec<NodeRow>>,
    /// Autoscalers and disruption budgets, in a sentence each: they act on their own.
    pub acting: Vec<String>,
}

/// A Deployment.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
#[expect(missing_docs, reason = "the fields are the table's columns")]
pub struct DeploymentRow {
    pub name: String,
    pub desired: u32,
    pub ready: u32,
    pub updated: u32,
    pub available: u32,
    pub created: Option<Timestamp>,
    pub containers: String,
    pub images: String,
    pub selector: String,
}

/// A pod.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
#[expect(missing_docs, reason = "the fields are the table's columns")]
pub struct PodRow {
    pub name: String,
    pub ready: usize,
    pub containers: usize,
    pub status: String,
    #[serde(default, skip_serializing_if = "is_zero")]
    pub restarts: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restarted: Option<Timestamp>,
    pub created: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub ip: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub node: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub nominated: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub gates: String,
}

/// A node.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
#[expect(missing_docs, reason = "the fields are the table's columns")]
pub struct NodeRow {
    pub name: String,
    pub status: String,
    pub roles: String,
    pub created: Option<Timestamp>,
    pub version: String,
    pub internal_ip: String,
    pub external_ip: String,
    pub os: String,
    pub kernel: String,
    pub runtime: String,
    /// What pods can have of it: `cpu`, `memory`, `pods`.
    pub allocatable: BTreeMap<String, String>,
}

fn is_zero(count: &u32) -> bool {
    *count == 0
}

fn moment(text: Option<&String>) -> Option<Timestamp> {
    text.and_then(|text| text.parse().ok())
}

impl From<&Workload> for DeploymentRow {
    fn from(deployment: &Workload) -> Self {
        let joined = |part: fn(&crate::objects::Container) -> &str| {
            let all: Vec<&str> = deployment.spec.template.spec.containers.iter().map(part).collect();
            all.join(",")
        };
        let status = &deployment.status;
        Self {
            name: deployment.metadata.name.clone(),
            desired: deployment.spec.replicas.unwrap_or(1),
            ready: status.ready_replicas.unwrap_or(0),
            updated: status.updated_replicas.unwrap_or(0),
            available: status.available_replicas.unwrap_or(0),
            created: moment(deployment.metadata.creation_timestamp.as_ref()),
            containers: joined(|container| &container.name),
            images: joined(|container| &container.image),
            selector: selector(&deployment.spec.selector),
        }
    }
}

/// A label selector as `kubectl` writes it: `app=web,tier in (a,b)`.
pub(crate) fn selector(selector: &Value) -> String {
    let labels = selector.get("matchLabels").and_then(Value::as_object).into_iter().flatten();
    let mut parts: Vec<String> =
        labels.map(|(name, value)| format!("{name}={}", value.as_str().unwrap_or_default())).collect();
    parts.sort();
    let expressions = selector.get("matchExpressions").and_then(Value::as_array).into_iter().flatten();
    for expression in expressions {
        let of = |name: &str| expression.get(name).and_then(Value::as_str).unwrap_or_default();
        let values: Vec<&str> = expression
            .get("values")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        parts.push(match of("operator") {
            "In" => format!("{} in ({})", of("key"), values.join(",")),
            "NotIn" => format!("{} notin ({})", of("key"), values.join(",")),
            "Exists" => of("key").to_owned(),
            "DoesNotExist" => format!("!{}", of("key")),
            other => format!("{} {other}", of("key")),
        });
    }
    parts.join(",")
}

impl From<&Pod> for PodRow {
    fn from(pod: &Pod) -> Self {
        let status = &pod.status;
        let gates: Vec<&str> =
            pod.spec.readiness_gates.iter().map(|gate| gate.condition_type.as_str()).collect();
        let met = gates
            .iter()
            .filter(|gate| {
                status
                    .conditions
                    .iter()
                    .any(|condition| condition.kind == **gate && condition.status == "True")
            })
            .count();
        let (word, restarts) = status_of(pod);
        Self {
            name: pod.metadata.name.clone(),
            ready: status
                .container_statuses
                .iter()
                .filter(|one| one.ready && one.state.running.is_some())
                .count(),
            containers: pod.spec.containers,
            status: word,
            restarts,
            restarted: last_restart(pod),
            created: moment(pod.metadata.creation_timestamp.as_ref()),
            ip: status.pod_ip.clone().unwrap_or_default(),
            node: pod.spec.node_name.clone().unwrap_or_default(),
            nominated: status.nominated_node_name.clone().unwrap_or_default(),
            gates: if gates.is_empty() { String::new() } else { format!("{met}/{}", gates.len()) },
        }
    }
}

fn last_restart(pod: &Pod) -> Option<Timestamp> {
    let all = pod.status.container_statuses.iter().chain(&pod.status.init_container_statuses);
    all.filter_map(|one| moment(one.last_state.terminated.as_ref()?.finished_at.as_ref())).max()
}

/// The word in the column STATUS, as kubectl finds it, and how often the containers were restarted.
fn status_of(pod: &Pod) -> (String, u32) {
    let status = &pod.status;
    let mut word = status.reason.clone().unwrap_or_else(|| status.phase.clone());
    let mut restarts = 0;
    let mut initializing = false;
    for (index, one) in status.init_container_statuses.iter().enumerate() {
        restarts += one.restart_count;
        match (&one.state.terminated, &one.state.waiting) {
            (Some(ended), _) if ended.exit_code == 0 => continue,
            (Some(ended), _) => word = format!("Init:{}", ended_word(ended)),
            (None, Some(waiting)) if !waiting.reason.is_empty() && waiting.reason != "PodInitializing" => {
                word = format!("Init:{}", waiting.reason);
            }
            (None, _) => word = format!("Init:{index}/{}", pod.spec.init_containers),
        }
        initializing = true;
        break;
    }
    if !initializing {
        restarts = 0;
        let mut running = false;
        for one in status.container_statuses.iter().rev() {
            restarts += one.restart_count;
            match (&one.state.waiting, &one.state.terminated) {
                (Some(waiting), _) if !waiting.reason.is_empty() => word.clone_from(&waiting.reason),
                (_, Some(ended)) => word = ended_word(ended),
                (_, None) => running |= one.ready && one.state.running.is_some(),
            }
        }
        if word == "Completed" && running {
            word = if is_ready(pod) { "Running" } else { "NotReady" }.to_owned();
        }
    }
    if pod.metadata.deletion_timestamp.is_some() {
        word =
            if status.reason.as_deref() == Some("NodeLost") { "Unknown" } else { "Terminating" }.to_owned();
    }
    (word, restarts)
}

fn ended_word(ended: &crate::objects::Terminated) -> String {
    match (ended.reason.as_str(), ended.signal) {
        ("", 0) => format!("ExitCode:{}", ended.exit_code),
        ("", signal) => format!("Signal:{signal}"),
        (reason, _) => reason.to_owned(),
    }
}

impl From<&Node> for NodeRow {
    fn from(node: &Node) -> Self {
        let status = &node.status;
        let ready = status.conditions.iter().find(|condition| condition.kind == "Ready");
        let mut word = match ready.map(|condition| condition.status.as_str()) {
            Some("True") => "Ready".to_owned(),
            Some(_) => "NotReady".to_owned(),
            None => "Unknown".to_owned(),
        };
        if node.spec.unschedulable {
            word.push_str(",SchedulingDisabled");
        }
        let mut roles: Vec<&str> = node
            .metadata
            .labels
            .iter()
            .filter_map(|(label, value)| match label.strip_prefix("node-role.kubernetes.io/") {
                Some("") | None if label == "kubernetes.io/role" => Some(value.as_str()),
                Some("") | None => None,
                Some(role) => Some(role),
            })
            .collect();
        roles.sort_unstable();
        let address = |kind: &str| {
            let found = status.addresses.iter().find(|address| address.kind == kind);
            found.map(|address| address.address.clone()).unwrap_or_default()
        };
        let allocatable = ["cpu", "memory", "pods"].into_iter().filter_map(|name| {
            let value = status.allocatable.get(name)?;
            Some((name.to_owned(), value.as_str().map_or_else(|| value.to_string(), str::to_owned)))
        });
        Self {
            name: node.metadata.name.clone(),
            status: word,
            roles: roles.join(","),
            created: moment(node.metadata.creation_timestamp.as_ref()),
            version: status.node_info.kubelet_version.clone(),
            internal_ip: address("InternalIP"),
            external_ip: address("ExternalIP"),
            os: status.node_info.os_image.clone(),
            kernel: status.node_info.kernel_version.clone(),
            runtime: status.node_info.container_runtime_version.clone(),
            allocatable: allocatable.collect(),
        }
    }
}

fn facts<'a>(sides: impl Iterator<Item = Option<&'a SideCluster>> + Clone) -> Facts {
    let part = |count: fn(&SideCluster) -> Option<(usize, usize)>| {
        let mut total = (0, 0);
        for side in sides.clone() {
            let Some((is, of)) = side.and_then(count) else { return Fact::Unknown };
            total = (total.0 + is as u64, total.1 + of as u64);
        }
        Fact::Part { is: total.0, of: total.1 }
    };
    let pods = |side: &SideCluster| {
        // A pod that came to its end is none of those that should serve.
        let live = side
            .pods
            .iter()
            .filter(|pod| !matches!(pod.status.as_str(), "Completed" | "Succeeded" | "Evicted"));
        let ready = live.clone().filter(|pod| pod.containers > 0 && pod.ready == pod.containers);
        Some((ready.count(), live.count()))
    };
    let nodes = |side: &SideCluster| {
        let nodes = side.nodes.as_ref()?;
        Some((nodes.iter().filter(|node| node.status.starts_with("Ready")).count(), nodes.len()))
    };
    Facts::from([("pods".to_owned(), part(pods)), ("nodes".to_owned(), part(nodes))])
}

impl Observation for ClusterState {
    const GROUP: &'static str = "cluster";

    fn facts(&self) -> Facts {
        facts(self.sides.values().map(Option::as_ref))
    }

    fn facts_by_side(&self) -> BTreeMap<Side, Facts> {
        self.sides.iter().map(|(side, known)| (side.clone(), facts([known.as_ref()].into_iter()))).collect()
    }

    fn tables(&self) -> BTreeMap<Side, BTreeMap<String, String>> {
        let known = self.sides.iter().filter_map(|(side, known)| Some((side, known.as_ref()?)));
        known
            .map(|(side, cluster)| {
                let mut of_side = BTreeMap::from([
                    ("deployments".to_owned(), tables::deployments(&cluster.deployments, self.at)),
                    ("pods".to_owned(), tables::pods(&cluster.pods, self.at)),
                ]);
                if let Some(nodes) = &cluster.nodes {
                    of_side.insert("nodes".to_owned(), tables::nodes(nodes, self.at));
                }
                (side.clone(), of_side)
            })
            .collect()
    }
}

impl fmt::Display for ClusterState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut tables = self.tables();
        for (side, known) in &self.sides {
            let Some(cluster) = known else {
                writeln!(f, "{side}: unknown")?;
                continue;
            };
            writeln!(f, "{side}, namespace {}", cluster.namespace)?;
            for table in tables.remove(side).unwrap_or_default().values() {
                writeln!(f, "\n{table}")?;
            }
            for acting in &cluster.acting {
                writeln!(f, "{acting}")?;
            }
        }
        Ok(())
    }
}

impl Sides {
    async fn cluster_state(&self, cx: &Cx, cluster: &Cluster) -> Result<SideCluster> {
        let namespace = &cluster.namespace;
        let deployments = async {
            match cluster.kind(cx, "apps", "deployments", &[]).await? {
                Some(kind) => {
                    cluster.list::<Workload>(cx, &kind.path(namespace), None).await.map(|(all, _)| all)
                }
                None => Ok(Vec::new()),
            }
        };
        let (deployments, pods, nodes, acting) =
            futures_util::try_join!(deployments, pods(cx, cluster), nodes(cx, cluster), acting(cx, cluster))?;
        Ok(SideCluster {
            namespace: namespace.clone(),
            deployments: deployments.iter().map(DeploymentRow::from).collect(),
            pods: pods.iter().map(PodRow::from).collect(),
            nodes: nodes.map(|nodes| nodes.iter().map(NodeRow::from).collect()),
            acting,
        })
    }
}

/// The nodes, where they may be looked at.
pub(crate) async fn nodes(cx: &Cx, cluster: &Cluster) -> Result<Option<Vec<Node>>> {
    permitted(cluster.list(cx, &Kind::core("nodes", "Node").everywhere(), None).await.map(|(nodes, _)| nodes))
}

/// What may not be looked at is not known; every other error is one.
pub(crate) fn permitted<T>(result: Result<T>) -> Result<Option<T>> {
    match result {
        Ok(known) => Ok(Some(known)),
        Err(error) if error.kind() == ErrorKind::Unauthorized => Ok(None),
        Err(error) => Err(error),
    }
}

async fn acting(cx: &Cx, cluster: &Cluster) -> Result<Vec<String>> {
    let mut acting = Vec::new();
    match permitted(autoscalers(cx, cluster).await)? {
        Some(Some((_, all))) => acting.extend(all.iter().map(|(of, one)| {
            let (min, max) = (one.spec.min_replicas.unwrap_or(1), one.spec.max_replicas);
            format!("horizontalpodautoscaler/{} keeps {of} between {min} and {max}", one.metadata.name)
        })),
        Some(None) => {}
        None => acting.push("autoscalers: not known, they may not be listed".to_owned()),
    }
    if let Some(kind) = cluster.disruption_budgets(cx).await? {
        let listed = cluster.list::<DisruptionBudget>(cx, &kind.path(&cluster.namespace), None).await;
        match permitted(listed)? {
            Some((all, _)) => acting.extend(all.iter().filter_map(|budget| {
                let least = budget.spec.min_available.as_ref()?;
                let least = least.as_str().map_or_else(|| least.to_string(), str::to_owned);
                let of = selector(&budget.spec.selector);
                Some(format!("poddisruptionbudget/{} wants at least {least} of {of}", budget.metadata.name))
            })),
            None => acting.push("disruption budgets: not known, they may not be listed".to_owned()),
        }
    }
    Ok(acting)
}

/// Whether a pod counts as one that runs: it has not come to its end.
pub(crate) fn is_running(pod: &Pod) -> bool {
    !is_over(pod) || pod.metadata.deletion_timestamp.is_some()
}

#[async_trait]
impl Observe<ClusterState> for Sides {
    async fn observe(&self, cx: &Cx) -> Result<ClusterState> {
        let sides =
            self.each(cx, |cx, cluster| async move { self.cluster_state(&cx, &cluster).await }).await?;
        Ok(ClusterState { at: cx.now(), sides })
    }

    async fn observe_side(&self, cx: &Cx, side: &Side) -> Result<ClusterState> {
        let look = |cx: Cx, cluster: Arc<Cluster>| async move { self.cluster_state(&cx, &cluster).await };
        Ok(ClusterState { at: cx.now(), sides: self.only(cx, side, look).await? })
    }
}
