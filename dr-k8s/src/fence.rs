//! A side's writers kept from writing: scaled to zero, CronJobs suspended, and proof that the last pod is gone.
//!
//! It fences what runs in the namespace, not the store behind it: it only adds to that of the store. The proof
//! is the API server's word; a node that is cut off from it may run a pod that the server has forgotten, if somebody
//! deleted that pod by force.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use dr_core::resource::{
    Before, Cx, Diff, Effect, Fence, FenceHow, FenceOutcome, FenceProof, Fencing, Holds, Prepared,
};
use dr_core::{Error, ErrorKind, Result, Side, async_trait};
use futures_util::{FutureExt, StreamExt, stream};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::cluster::{Cluster, Whatever, Write};
use crate::discovery::Kind;
use crate::feed::feed;
use crate::fleet::Member;
use crate::note::{FENCED, Note};
use crate::objects::{CronJob, Job, Pod};
use crate::owners::{self, Field, Paused};
use crate::ready::ready_of;
use crate::scale::{self, Change, One, dry, try_scale};
use crate::side::{Sides, all_at_once};
use crate::writers::Writers;

const CONFLICTS: u32 = 8;
/// What the policy is called.
const POLICY: &str = "dr-fence";

/// What was there.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Was {
    workloads: scale::Was,
    /// Whether each CronJob was suspended.
    cronjobs: BTreeMap<String, bool>,
    /// Whether the policy was there.
    #[serde(default)]
    policy: bool,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    paused: Vec<Paused>,
}

impl Was {
    fn of(writers: &Writers, policy: bool) -> Self {
        let one = |member: &Member| One {
            replicas: member.desired(),
            ready: ready_of(member).unwrap_or(0),
            wanted: 0,
            note: member.object.metadata.annotations.get(FENCED).cloned(),
            autoscaler: None,
        };
        let members = &writers.fleet.members;
        let workloads = members.iter().map(|(name, member)| (name.to_string(), one(member))).collect();
        let cronjobs = writers.cronjobs.iter().map(|(name, one)| (name.clone(), one.spec.suspend)).collect();
        let workloads = scale::Was { workloads, autoscalers: BTreeMap::new(), paused: Vec::new() };
        Self { workloads, cronjobs, policy, paused: Vec::new() }
    }
}

#[async_trait]
impl Effect<Fence> for Sides {
    async fn prepare(&self, cx: &Cx, call: &Fence) -> Result<Prepared> {
        let cluster = self.at(&call.side)?;
        let looked = self.prepare_fence(&early(cx), cluster).await;
        match looked {
            Ok(prepared) => Ok(prepared),
            Err(error) => Err(seen(cx, cluster, error).await.not_happened()),
        }
    }

    async fn apply(&self, cx: &Cx, call: &Fence, was: &Prepared) -> Result<FenceOutcome> {
        let cluster = self.at(&call.side)?;
        let was: Was = was.before.read()?;
        match self.make_fence(&early(cx), cluster, &was).await {
            Ok(proof) => Ok(FenceOutcome::Confirmed(proof)),
            Err(error) => Err(seen(cx, cluster, error).await),
        }
    }

    async fn undo(&self, cx: &Cx, call: &Fence, was: &Before) -> Result<()> {
        let cluster = self.at(&call.side)?;
        let was: Was = was.read()?;
        let writers = self.writers(cx, cluster).await.map_err(Error::not_happened)?;
        scale::unmeddled(&writers.fleet, &was.workloads, cluster)?;
        for (name, suspended) in &was.cronjobs {
            let Some(one) = writers.cronjobs.get(name) else {
                return Err(
                    meddled(cluster, format!("somebody deleted cronjob/{name} meanwhile")).not_happened()
                );
            };
            // Whoever lets it run again while it was fenced has decided so.
            if !one.spec.suspend && *suspended {
                return Err(
                    meddled(cluster, format!("somebody resumed cronjob/{name} meanwhile")).not_happened()
                );
            }
        }
        if self.config.fence.network_policy && !was.policy {
            drop_policy(cx, cluster).await?;
        }
        let work = writers.fleet.members.iter().filter_map(|(name, member)| {
            let one = was.workloads.workloads.get(&name.to_string())?;
            let was = &was.workloads;
            let change = Change { cx, cluster, was, one, to: one.replicas, key: FENCED, note: None };
            Some(async move { change.put_back(member).await }.boxed())
        });
        all_at_once(work.collect()).await?;
        for (name, suspended) in &was.cronjobs {
            suspend(cx, cluster, &writers, name, *suspended, None).await?;
        }
        self.await_all(cx, cluster, &writers.fleet, |name| was.workloads.before(name)).await?;
        owners::resume(cx, cluster, &was.paused).await
    }
}

/// Leaves time to tell silence from a server that takes connections and says nothing.
fn early(cx: &Cx) -> Cx {
    cx.within(cx.left().mul_f64(0.85))
}

/// What takes connections and does not answer is alive; what does not is silent. The first error cannot tell.
async fn seen(cx: &Cx, cluster: &Cluster, error: Error) -> Error {
    if !matches!(error.kind(), ErrorKind::Hung | ErrorKind::Timeout) {
        return error;
    }
    let within = cx.left().mul_f64(0.8).min(Duration::from_secs(3));
    let kind = if cluster.takes_connections(within).await { ErrorKind::Hung } else { ErrorKind::Unreachable };
    Error::new(kind, error.message().to_owned()).on(cluster.side.as_str()).because(error)
}

fn meddled(cluster: &Cluster, text: String) -> Error {
    Error::new(ErrorKind::Conflict, text).on(cluster.side.as_str())
}

impl Sides {
    async fn prepare_fence(&self, cx: &Cx, cluster: &Arc<Cluster>) -> Result<Prepared> {
        let writers = self.writers(cx, cluster).await?;
        if writers.is_nothing() {
            let text = format!(
                "neither a workload nor a cronjob in {}: there is nothing to fence",
                cluster.namespace
            );
            return Err(Error::new(ErrorKind::NotFound, text).on(cluster.side.as_str()));
        }
        let policy = self.has_policy(cx, cluster).await?;
        let mut was = Was::of(&writers, policy);
        let changed: Vec<&Member> =
            writers.fleet.members.values().filter(|member| member.desired() > 0).collect();
        let mut diff = Diff::default();
        let side = &cluster.side;
        for member in &changed {
            diff = diff.and(format!("{side} {}", member.name()), member.desired().to_string(), "0");
        }
        for (name, one) in writers.cronjobs.iter().filter(|(_, one)| !one.spec.suspend) {
            diff = diff.and(format!("{side} cronjob/{name}"), "scheduled", "suspended");
            let version = &one.metadata.resource_version;
            if let Some(path) = path_of(&writers, cluster, name) {
                dry(cx, cluster, Write::patch(path, &suspension(version, true, None))).await?;
            }
        }
        if self.config.fence.network_policy && !policy {
            diff = diff.and(format!("{side} networkpolicy/{POLICY}"), "absent", "no way out");
        }
        was.paused = owners::of(self, cx, cluster, &changed, &[], Field::Replicas).await?;
        for paused in &was.paused {
            diff = diff.and(format!("{side} {paused}"), "acting", "paused");
        }
        let work = changed.iter().map(|member| try_scale(cx, cluster, member, 0).boxed());
        all_at_once(work.collect()).await?;
        if diff.0.is_empty() {
            for left in writers.left() {
                diff = diff.and(format!("{side} {}", cluster.namespace), left, "gone");
            }
        }
        let before = Before::of(&was)?;
        Ok(if diff.0.is_empty() { Prepared::already(before) } else { Prepared::would(diff, before) })
    }

    async fn make_fence(&self, cx: &Cx, cluster: &Arc<Cluster>, was: &Was) -> Result<FenceProof> {
        let writers = self.writers(cx, cluster).await.map_err(Error::not_happened)?;
        scale::unmeddled(&writers.fleet, &was.workloads, cluster)?;
        owners::pause(cx, cluster, &was.paused).await?;
        if self.config.fence.network_policy {
            put_policy(cx, cluster).await?;
        }
        // What starts new writers comes first.
        for (name, suspended) in &was.cronjobs {
            let note = Note::suspended(cx.run.as_str(), *suspended);
            suspend(cx, cluster, &writers, name, true, Some(&note)).await?;
        }
        let work = writers.fleet.members.iter().filter_map(|(name, member)| {
            let one = was.workloads.workloads.get(&name.to_string())?;
            let note = Some(Note::replicas(cx.run.as_str(), one.replicas));
            let change = Change { cx, cluster, was: &was.workloads, one, to: 0, key: FENCED, note };
            Some(async move { change.make(member).await }.boxed())
        });
        all_at_once(work.collect()).await?;
        self.await_gone(cx, cluster).await
    }

    /// Waits until the last writer is gone, and proves it by a look of its own.
    async fn await_gone(&self, cx: &Cx, cluster: &Arc<Cluster>) -> Result<FenceProof> {
        let namespace = &cluster.namespace;
        let pods = feed::<Pod>(cx, cluster, Kind::core("pods", "Pod").path(namespace), None);
        let jobs = feed::<Job>(cx, cluster, Kind::new("batch", "v1", "jobs", "Job").path(namespace), None);
        let changes =
            stream::select(pods.map(|change| change.map(drop)), jobs.map(|change| change.map(drop)));
        let mut changes = changes.ready_chunks(512);
        let mut left = Vec::new();
        loop {
            // What changes elsewhere (a workload's own status) is noticed a little later.
            let change = tokio::time::timeout(Duration::from_secs(1), changes.next());
            if cx.left().is_zero() {
                let text = format!("still there: {}", some(&left));
                return Err(Error::new(ErrorKind::NotReady, text).on(cluster.side.as_str()));
            }
            match cx.bound("fence", async { Ok(change.await) }).await {
                Ok(Ok(Some(changes))) => changes.into_iter().try_for_each(|change| change)?,
                Ok(Ok(None) | Err(_)) => {}
                Err(error) if error.kind() == ErrorKind::Timeout => continue,
                Err(error) => return Err(error),
            }
            match self.writers(cx, cluster).await {
                Ok(writers) => left = writers.left(),
                Err(error) if cx.left().is_zero() && !left.is_empty() => {
                    let text = format!("still there: {}", some(&left));
                    return Err(Error::new(ErrorKind::NotReady, text)
                        .on(cluster.side.as_str())
                        .because(error));
                }
                Err(error) => return Err(error),
            }
            if left.is_empty() {
                return Ok(proof(cx, &cluster.side));
            }
            cx.progress.say(format!("{}: {}", cluster.side, some(&left)));
        }
    }

    async fn has_policy(&self, cx: &Cx, cluster: &Cluster) -> Result<bool> {
        if !self.config.fence.network_policy {
            return Ok(false);
        }
        let found: Option<Whatever> = cluster.find(cx, &policies().at(&cluster.namespace, POLICY)).await?;
        Ok(found.is_some())
    }
}

fn some(left: &[String]) -> String {
    let shown: Vec<&str> = left.iter().take(3).map(String::as_str).collect();
    match left.len().checked_sub(3) {
        Some(more) if more > 0 => format!("{}; and {more} more", shown.join("; ")),
        _ => shown.join("; "),
    }
}

/// What is wanted stands in the server's own store: neither a pod's nor a node's start brings it back.
fn proof(cx: &Cx, side: &Side) -> FenceProof {
    FenceProof::new(side.clone(), FenceHow::NoWriters, cx.now()).surviving(true, true)
}

pub(crate) fn path_of(writers: &Writers, cluster: &Cluster, cronjob: &str) -> Option<String> {
    Some(writers.cronjob_kind.as_ref()?.at(&cluster.namespace, cronjob))
}

fn suspension(version: &str, suspend: bool, note: Option<&Note>) -> Value {
    json!({
        "metadata": { "resourceVersion": version, "annotations": { FENCED: note.map(Note::text) } },
        "spec": { "suspend": suspend },
    })
}

/// Suspends a CronJob or lets it go on; with a note of how it was, or without any more.
pub(crate) async fn suspend(
    cx: &Cx,
    cluster: &Cluster,
    writers: &Writers,
    name: &str,
    suspend: bool,
    note: Option<&Note>,
) -> Result<()> {
    let Some(path) = path_of(writers, cluster, name) else { return Ok(()) };
    for _ in 0..CONFLICTS {
        let one: CronJob = cluster.get(cx, &path).await?;
        let noted = Note::read(&one.metadata.annotations, FENCED);
        // The first note of a run is kept: a repeat finds the CronJob suspended by itself.
        let note = match (&noted, note) {
            (Some(noted), Some(note)) if noted.run == note.run => Some(noted),
            (_, note) => note,
        };
        if one.spec.suspend == suspend && noted.as_ref() == note {
            return Ok(());
        }
        let body = suspension(&one.metadata.resource_version, suspend, note);
        match cluster.write::<Whatever>(cx, &Write::patch(&path, &body)).await {
            Ok(_) => return Ok(()),
            Err(error) if error.kind() == ErrorKind::Conflict => {}
            Err(error) => return Err(error),
        }
    }
    Err(meddled(cluster, format!("cronjob/{name} changes faster than it can be suspended")).transient(None))
}

fn policies() -> Kind {
    Kind::new("networking.k8s.io", "v1", "networkpolicies", "NetworkPolicy")
}

/// Denies every pod of the namespace every way out. It proves nothing: the proof is that no pod is left.
async fn put_policy(cx: &Cx, cluster: &Cluster) -> Result<()> {
    let body = json!({
        "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
        "metadata": { "name": POLICY, "namespace": cluster.namespace },
        "spec": { "podSelector": {}, "policyTypes": ["Egress"], "egress": [] },
    });
    match cluster.write::<Whatever>(cx, &Write::post(policies().path(&cluster.namespace), &body)).await {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == ErrorKind::Conflict => Ok(()),
        Err(error) => Err(error),
    }
}

pub(crate) async fn drop_policy(cx: &Cx, cluster: &Cluster) -> Result<()> {
    let path = policies().at(&cluster.namespace, POLICY);
    match cluster.write::<Whatever>(cx, &Write::delete(path, &json!({}))).await {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

#[async_trait]
impl Holds for Sides {
    async fn holds(&self, cx: &Cx, side: &Side) -> Result<Fencing> {
        let cluster = self.cluster(side)?;
        let early = early(cx);
        match early.bound("holds", self.writers(&early, cluster)).await {
            Ok(writers) => {
                let left = writers.left();
                Ok(if left.is_empty() {
                    Fencing::Confirmed(proof(cx, side))
                } else {
                    Fencing::Open { why: some(&left) }
                })
            }
            Err(error) => {
                let error = seen(cx, cluster, error).await;
                Ok(match error.kind() {
                    ErrorKind::Hung => Fencing::Hung,
                    ErrorKind::Unreachable => Fencing::Unreachable,
                    _ => Fencing::Unknown { why: error.chain() },
                })
            }
        }
    }
}
