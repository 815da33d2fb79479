//! What the stand-in knows of a pod.

use std::collections::BTreeMap;
use std::ops::{AddAssign, SubAssign};
use std::time::Duration;

use k8s_openapi::api::core::v1::{Container, Pod};

use super::quantity::thousandths;

/// Where a pod is found.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key {
    pub(crate) namespace: String,
    pub(crate) name: String,
}

/// Whether an ended container is started again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Restart {
    Always,
    OnFailure,
    Never,
}

/// What a pod asks of its node: thousandths of cores and bytes, and its own place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Room {
    pub(crate) cpu: i128,
    pub(crate) memory: i128,
    pub(crate) pods: i128,
}

impl AddAssign for Room {
    fn add_assign(&mut self, other: Self) {
        self.cpu += other.cpu;
        self.memory += other.memory;
        self.pods += other.pods;
    }
}

impl SubAssign for Room {
    fn sub_assign(&mut self, other: Self) {
        self.cpu -= other.cpu;
        self.memory -= other.memory;
        self.pods -= other.pods;
    }
}

/// The parts of a pod that decide anything: thousands are held at once.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) key: Key,
    pub(crate) uid: String,
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) node: Option<String>,
    pub(crate) node_selector: BTreeMap<String, String>,
    /// The node that a daemon set made it for.
    pub(crate) node_wanted: Option<String>,
    pub(crate) other_scheduler: bool,
    pub(crate) restart: Restart,
    pub(crate) room: Room,
    pub(crate) containers: Vec<(String, String)>,
    /// The grace period, once it is to end.
    pub(crate) ending: Option<Duration>,
    pub(crate) phase: String,
    pub(crate) ready: bool,
    pub(crate) address: Option<String>,
    pub(crate) restarts: u32,
}

impl Seen {
    /// `None` for what the server would not send: a pod without a name or a uid.
    pub(crate) fn of(pod: Pod) -> Option<Self> {
        let spec = pod.spec?;
        let status = pod.status.unwrap_or_default();
        let meta = pod.metadata;
        let ready = status
            .conditions
            .iter()
            .flatten()
            .any(|condition| condition.type_ == "Ready" && condition.status == "True");
        let restarts = status.container_statuses.iter().flatten().map(|status| status.restart_count).max();
        let grace = meta.deletion_grace_period_seconds.unwrap_or(0);
        Some(Self {
            key: Key { namespace: meta.namespace?, name: meta.name? },
            uid: meta.uid?,
            labels: meta.labels.unwrap_or_default(),
            node_wanted: wanted(&spec),
            node: spec.node_name.filter(|node| !node.is_empty()),
            node_selector: spec.node_selector.unwrap_or_default(),
            other_scheduler: spec.scheduler_name.is_some_and(|name| name != "default-scheduler"),
            restart: match spec.restart_policy.as_deref() {
                Some("Never") => Restart::Never,
                Some("OnFailure") => Restart::OnFailure,
                _ => Restart::Always,
            },
            room: room(&spec.containers),
            containers: spec
                .containers
                .into_iter()
                .map(|container| (container.name, container.image.unwrap_or_default()))
                .collect(),
            ending: meta.deletion_timestamp.map(|_| Duration::from_secs(u64::try_from(grace).unwrap_or(0))),
            phase: status.phase.unwrap_or_default(),
            ready,
            address: status.pod_ip.filter(|address| !address.is_empty()),
            restarts: restarts.and_then(|restarts| u32::try_from(restarts).ok()).unwrap_or(0),
        })
    }

    /// Whether its containers have ended for good.
    pub(crate) fn is_over(&self) -> bool {
        matches!(self.phase.as_str(), "Succeeded" | "Failed")
    }
}

fn wanted(spec: &k8s_openapi::api::core::v1::PodSpec) -> Option<String> {
    let required = spec
        .affinity
        .as_ref()?
        .node_affinity
        .as_ref()?
        .required_during_scheduling_ignored_during_execution
        .as_ref()?;
    let fields = required.node_selector_terms.iter().flat_map(|term| term.match_fields.iter().flatten());
    fields
        .filter(|field| field.key == "metadata.name" && field.operator == "In")
        .find_map(|field| field.values.as_ref()?.first().cloned())
}

fn room(containers: &[Container]) -> Room {
    let asked = |what: &str| {
        containers
            .iter()
            .filter_map(|container| container.resources.as_ref()?.requests.as_ref()?.get(what))
            .filter_map(|quantity| thousandths(&quantity.0))
            .sum()
    };
    Room { cpu: asked("cpu"), memory: asked("memory"), pods: 1 }
}
