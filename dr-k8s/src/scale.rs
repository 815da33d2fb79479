//! More or less room: all workloads at once through the scale subresource, over the version that was read, with their
//! autoscalers' bounds, and back.

use std::collections::BTreeMap;
use std::sync::Arc;

use dr_core::resource::{Before, Cx, Diff, Effect, Prepared, Replicas, Scale, Scaled};
use dr_core::{Error, ErrorKind, Happened, Result, async_trait};
use futures_util::FutureExt;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::autoscale::{self, Bounds};
use crate::await_ready::Wait;
use crate::cluster::{Cluster, Whatever, Write};
use crate::fleet::{Fleet, Member, Name, autoscalers};
use crate::note::{BEFORE, Note, annotate};
use crate::objects::{Autoscaler, Workload};
use crate::owners::{self, Field, Paused};
use crate::pods::pods;
use crate::ready::{Wanted, ready_of};
use crate::side::{Sides, all_at_once};
use crate::trouble::{is_over, is_ready, workload_of};

/// How often a change is tried over what others change in between.
const CONFLICTS: u32 = 8;

/// What was there, and what is to be.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Was {
    /// Each workload by its name.
    pub(crate) workloads: BTreeMap<String, One>,
    /// Each autoscaler by its name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) autoscalers: BTreeMap<String, Bounds>,
    /// What has to stand still meanwhile.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) paused: Vec<Paused>,
}

/// One workload.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct One {
    /// How many were wanted.
    pub(crate) replicas: u32,
    /// How many were ready.
    pub(crate) ready: u32,
    /// How many are to be wanted.
    pub(crate) wanted: u32,
    /// The note of an earlier run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) note: Option<String>,
    /// The autoscaler that acts on it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) autoscaler: Option<String>,
}

impl Was {
    /// The workload's autoscaler, and what it may want of it.
    fn bounds(&self, one: &One) -> Option<&Bounds> {
        self.autoscalers.get(one.autoscaler.as_ref()?)
    }

    /// Whether that number is one that this step found, left, or let an autoscaler choose.
    fn is_ours(&self, one: &One, replicas: u32) -> bool {
        let within = |bounds: &Bounds| {
            let (min, max) = (bounds.min.min(bounds.to.0), bounds.max.max(bounds.to.1));
            replicas >= min && replicas <= max
        };
        [one.replicas, one.wanted].contains(&replicas) || self.bounds(one).is_some_and(within)
    }

    fn wanted(&self, name: &Name) -> Option<Wanted> {
        let one = self.workloads.get(&name.to_string())?;
        let at_most = match self.bounds(one) {
            Some(bounds) if one.wanted > 0 => bounds.to.1.max(one.wanted),
            Some(_) | None => one.wanted,
        };
        Some(Wanted { at_most, ..Wanted::exactly(one.wanted) })
    }

    pub(crate) fn before(&self, name: &Name) -> Option<Wanted> {
        let one = self.workloads.get(&name.to_string())?;
        let bounds = self.bounds(one).filter(|_| one.replicas > 0);
        let at_most = bounds.map_or(one.replicas, |bounds| bounds.max.max(one.replicas));
        let replicas = bounds.map_or(one.replicas, |bounds| bounds.min.min(one.replicas));
        // What was not ready before need not become so by being put back.
        Some(Wanted { at_most, ready: one.ready.min(replicas), ..Wanted::exactly(replicas) })
    }
}

/// How many of each a call wants.
pub(crate) async fn wanted(
    sides: &Sides,
    cx: &Cx,
    call: &Scale,
    fleet: &Fleet,
) -> Result<BTreeMap<Name, u32>> {
    let (percent, of) = match &call.replicas {
        Replicas::Count(count) => {
            return Ok(fleet.members.keys().map(|name| (name.clone(), *count)).collect());
        }
        Replicas::SameAs(side) => (100, side),
        Replicas::Percent { percent, of } => (*percent, of),
        Replicas::Before => return noted(fleet, call),
    };
    let other = sides.at(of)?;
    let there = sides.fleet(cx, other).await.map_err(Error::not_happened)?.desired();
    let part = |name: &Name| Some((name.clone(), Replicas::part_of(percent, *there.get(name)?)));
    let wanted: BTreeMap<Name, u32> = fleet.members.keys().filter_map(part).collect();
    if wanted.is_empty() {
        let text = format!(
            "none of the workloads is in {} as well, so nothing says how many there should be",
            other.side
        );
        return Err(Error::refused(text).on(call.side.to_string()));
    }
    Ok(wanted)
}

fn noted(fleet: &Fleet, call: &Scale) -> Result<BTreeMap<Name, u32>> {
    let mut wanted = BTreeMap::new();
    for (name, member) in &fleet.members {
        let note = Note::read(&member.object.metadata.annotations, BEFORE);
        let Some(replicas) = note.and_then(|note| note.replicas) else {
            let text = format!("nobody noted how many there were of {name}: say how many in the plan");
            return Err(Error::refused(text).on(call.side.to_string()));
        };
        wanted.insert(name.clone(), replicas);
    }
    Ok(wanted)
}

/// What is on a side, looked at once.
struct Look {
    fleet: Fleet,
    autoscalers: BTreeMap<Name, Autoscaler>,
    ready: BTreeMap<Name, u32>,
}

impl Look {
    async fn at(sides: &Sides, cx: &Cx, cluster: &Cluster) -> Result<Self> {
        let (fleet, autoscalers) =
            futures_util::try_join!(sides.fleet(cx, cluster), autoscalers(cx, cluster))?;
        let mut ready = BTreeMap::new();
        // Pods are asked for only where a kind does not say itself how many of its are ready.
        if fleet.members.values().any(|member| ready_of(member).is_none()) {
            for pod in pods(cx, cluster).await? {
                if let Some(of) = workload_of(&pod).filter(|_| is_ready(&pod) && !is_over(&pod)) {
                    *ready.entry(of).or_insert(0) += 1;
                }
            }
        }
        let autoscalers = autoscalers.map(|(_, all)| all).unwrap_or_default();
        Ok(Self { fleet, autoscalers, ready })
    }

    fn ready(&self, name: &Name, member: &Member) -> u32 {
        ready_of(member).or_else(|| self.ready.get(name).copied()).unwrap_or(0)
    }

    fn was(&self, wanted: &BTreeMap<Name, u32>, call: &Scale) -> Was {
        let mut was = Was { workloads: BTreeMap::new(), autoscalers: BTreeMap::new(), paused: Vec::new() };
        for (name, wanted) in wanted {
            let Some(member) = self.fleet.members.get(name) else { continue };
            let autoscaler = self.autoscalers.get(name);
            if let Some(one) = autoscaler {
                let back = call.replicas == Replicas::Before;
                was.autoscalers.insert(one.metadata.name.clone(), Bounds::of(one, *wanted, back));
            }
            let one = One {
                replicas: member.desired(),
                ready: self.ready(name, member),
                wanted: *wanted,
                note: member.object.metadata.annotations.get(BEFORE).cloned(),
                autoscaler: autoscaler.map(|one| one.metadata.name.clone()),
            };
            was.workloads.insert(name.to_string(), one);
        }
        was
    }

    fn diff(&self, was: &Was, side: &str) -> Diff {
        let mut diff = Diff::default();
        for (name, member) in &self.fleet.members {
            let (Some(one), Some(wanted)) = (was.workloads.get(&name.to_string()), was.wanted(name)) else {
                continue;
            };
            if crate::ready::far(member, &wanted, one.ready) != crate::ready::Far::Done {
                diff = diff.and(
                    format!("{side} {name}"),
                    format!("{} of {}", one.ready, one.replicas),
                    one.wanted.to_string(),
                );
            }
        }
        for (name, bounds) in was.autoscalers.iter().filter(|(_, bounds)| bounds.changes()) {
            let shown = |(min, max): (u32, u32)| format!("{min} to {max}");
            let from = shown((bounds.min, bounds.max));
            diff = diff.and(format!("{side} horizontalpodautoscaler/{name}"), from, shown(bounds.to));
        }
        for paused in &was.paused {
            diff = diff.and(format!("{side} {paused}"), "acting", "paused");
        }
        diff
    }
}

#[async_trait]
impl Effect<Scale> for Sides {
    async fn prepare(&self, cx: &Cx, call: &Scale) -> Result<Prepared> {
        let cluster = self.at(&call.side)?;
        let look = Look::at(self, cx, cluster).await.map_err(Error::not_happened)?;
        let wanted = wanted(self, cx, call, &look.fleet).await?;
        let mut was = look.was(&wanted, call);
        let changed: Vec<&Member> = look
            .fleet
            .members
            .iter()
            .filter(|(name, _)| {
                was.workloads.get(&name.to_string()).is_some_and(|one| one.replicas != one.wanted)
            })
            .map(|(_, member)| member)
            .collect();
        let moved = |one: &&Autoscaler| was.autoscalers.get(&one.metadata.name).is_some_and(Bounds::changes);
        let touched: Vec<&Autoscaler> = look.autoscalers.values().filter(moved).collect();
        was.paused = owners::of(self, cx, cluster, &changed, &touched, Field::Replicas).await?;
        let diff = look.diff(&was, cluster.side.as_str());
        let before = Before::of(&was)?;
        if diff.0.is_empty() {
            return Ok(Prepared::already(before));
        }
        try_out(cx, cluster, &changed, &was, call).await?;
        Ok(Prepared::would(diff, before))
    }

    async fn apply(&self, cx: &Cx, call: &Scale, was: &Prepared) -> Result<Scaled> {
        let cluster = self.at(&call.side)?;
        let was: Was = was.before.read()?;
        let look = Look::at(self, cx, cluster).await.map_err(Error::not_happened)?;
        unmeddled(&look.fleet, &was, cluster)?;
        owners::pause(cx, cluster, &was.paused).await?;
        let to_note = (call.replicas != Replicas::Before).then_some(cx.run.as_str());
        autoscale::set(cx, cluster, &was.autoscalers, to_note).await?;
        let members = look.fleet.members.iter();
        let work = members.filter_map(|(name, member)| {
            let one = was.workloads.get(&name.to_string())?;
            let note = to_note.map(|run| Note::replicas(run, one.replicas));
            let change = Change { cx, cluster, was: &was, one, to: one.wanted, key: BEFORE, note };
            Some(async move { change.make(member).await }.boxed())
        });
        all_at_once(work.collect()).await?;
        self.await_all(cx, cluster, &look.fleet, |name| was.wanted(name)).await
    }

    async fn undo(&self, cx: &Cx, call: &Scale, was: &Before) -> Result<()> {
        let cluster = self.at(&call.side)?;
        let was: Was = was.read()?;
        let look = Look::at(self, cx, cluster).await.map_err(Error::not_happened)?;
        unmeddled(&look.fleet, &was, cluster)?;
        autoscale::unmeddled(&look.autoscalers, &was.autoscalers, cluster)?;
        autoscale::put_back(cx, cluster, &was.autoscalers).await?;
        let members = look.fleet.members.iter();
        let work = members.filter_map(|(name, member)| {
            let one = was.workloads.get(&name.to_string())?;
            let change = Change { cx, cluster, was: &was, one, to: one.replicas, key: BEFORE, note: None };
            Some(async move { change.put_back(member).await }.boxed())
        });
        all_at_once(work.collect()).await?;
        self.await_all(cx, cluster, &look.fleet, |name| was.before(name)).await?;
        owners::resume(cx, cluster, &was.paused).await
    }
}

impl Sides {
    pub(crate) async fn await_all(
        &self,
        cx: &Cx,
        cluster: &Arc<Cluster>,
        fleet: &Fleet,
        wanted: impl Fn(&Name) -> Option<Wanted>,
    ) -> Result<Scaled> {
        let wanted: BTreeMap<Name, Wanted> =
            fleet.members.keys().filter_map(|name| Some((name.clone(), wanted(name)?))).collect();
        let wait = Wait {
            cx,
            cluster,
            kinds: &fleet.kinds,
            labels: self.labels(),
            wanted: &wanted,
            unschedulable_after: self.config.unschedulable_after,
            old: Default::default(),
        };
        Ok(Scaled { side: cluster.side.clone(), workloads: wait.ready().await? })
    }
}

/// A workload that somebody else scaled since is nobody's to be changed.
pub(crate) fn unmeddled(fleet: &Fleet, was: &Was, cluster: &Cluster) -> Result<()> {
    for (name, one) in &was.workloads {
        let found = fleet.members.iter().find(|(known, _)| known.to_string() == *name);
        let text = match found {
            None => format!("somebody deleted {name} meanwhile"),
            Some((_, member)) if was.is_ours(one, member.desired()) => continue,
            Some((_, member)) => {
                format!("somebody scaled {name} to {} meanwhile, it was {}", member.desired(), one.replicas)
            }
        };
        return Err(Error::new(ErrorKind::Conflict, text).on(cluster.side.as_str()).not_happened());
    }
    Ok(())
}

/// Asks the server what it would say, so that a missing right or a refused admission shows before anything is done.
async fn try_out(cx: &Cx, cluster: &Cluster, changed: &[&Member], was: &Was, call: &Scale) -> Result<()> {
    let work = changed.iter().filter_map(|member| {
        let to = was.workloads.get(&member.name().to_string())?.wanted;
        Some(try_scale(cx, cluster, member, to).boxed())
    });
    all_at_once(work.collect()).await?;
    // One workload stands for all: the right to note is the same for each of a kind.
    let mut kinds = std::collections::BTreeSet::new();
    for member in changed.iter().filter(|_| call.replicas != Replicas::Before) {
        if kinds.insert(&member.kind.plural) {
            let body = annotate(&member.object.metadata.resource_version, BEFORE, Some("{}"));
            dry(cx, cluster, Write::patch(member.path(cluster), &body)).await?;
        }
    }
    autoscale::try_out(cx, cluster, &was.autoscalers).await
}

/// Asks the server what it would say to that number.
pub(crate) async fn try_scale(cx: &Cx, cluster: &Cluster, member: &Member, to: u32) -> Result<()> {
    let body = scale_patch(&member.object.metadata.resource_version, to);
    dry(cx, cluster, Write::patch(format!("{}/scale", member.path(cluster)), &body)).await
}

/// A dry run. A change that came in between, and an admission that knows no dry runs, say nothing.
pub(crate) async fn dry(cx: &Cx, cluster: &Cluster, write: Write<'_>) -> Result<()> {
    match cluster.write::<Whatever>(cx, &write.dry()).await {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == ErrorKind::Conflict => Ok(()),
        Err(error) if error.message().contains("dry run") => {
            cx.progress.say(format!("not tried out: {}", error.message()));
            Ok(())
        }
        Err(error) => Err(error.not_happened()),
    }
}

fn scale_patch(version: &str, replicas: u32) -> Value {
    json!({ "metadata": { "resourceVersion": version }, "spec": { "replicas": replicas } })
}

/// One workload's change of number.
pub(crate) struct Change<'a> {
    pub(crate) cx: &'a Cx,
    pub(crate) cluster: &'a Cluster,
    pub(crate) was: &'a Was,
    pub(crate) one: &'a One,
    pub(crate) to: u32,
    /// The annotation that holds the note.
    pub(crate) key: &'static str,
    /// Left on it first.
    pub(crate) note: Option<Note>,
}

impl Change<'_> {
    /// Makes it, over what is there; what changed in between is read again, and left alone if it is somebody's else.
    pub(crate) async fn make(&self, member: &Member) -> Result<()> {
        let path = member.path(self.cluster);
        let mut seen = Now::of(&member.object, self.key);
        for _ in 0..CONFLICTS {
            let desired = seen.replicas;
            if !self.was.is_ours(self.one, desired) {
                let text = format!("somebody scaled {} to {desired} meanwhile", member.name());
                return Err(Error::new(ErrorKind::Conflict, text).on(self.cluster.side.as_str()));
            }
            match self.step(&path, &seen).await {
                Ok(true) => return Ok(()),
                Ok(false) => {}
                Err(error) if error.kind() == ErrorKind::Conflict => {}
                // It may have been done: what is there now decides.
                Err(error) if error.happened() == Happened::Maybe => {
                    self.cx.progress.say(format!("{}: {}; looking again", member.name(), error.message()));
                }
                Err(error) => return Err(error.with_maybe()),
            }
            seen = Now::of(&self.cluster.get::<Workload>(self.cx, &path).await?, self.key);
        }
        let text = format!("{} changes faster than it can be scaled", member.name());
        Err(Error::new(ErrorKind::Conflict, text).transient(None).on(self.cluster.side.as_str()))
    }

    /// One try; `true` if it is so now.
    async fn step(&self, path: &str, seen: &Now) -> Result<bool> {
        if seen.replicas == self.to {
            return Ok(true);
        }
        let mut version = seen.version.clone();
        if let Some(note) = &self.note
            && seen.note.as_ref().is_none_or(|there| there.run != note.run)
        {
            let body = annotate(&version, self.key, Some(&note.text()));
            let left: Workload = self.cluster.write(self.cx, &Write::patch(path, &body)).await?;
            version = left.metadata.resource_version;
        }
        let body = scale_patch(&version, self.to);
        self.cluster.write::<Whatever>(self.cx, &Write::patch(format!("{path}/scale"), &body)).await?;
        Ok(true)
    }

    /// Makes it, and puts the note back.
    pub(crate) async fn put_back(&self, member: &Member) -> Result<()> {
        self.make(member).await?;
        self.unnote(member).await
    }

    /// Puts the note of an earlier run back, or takes ours away.
    async fn unnote(&self, member: &Member) -> Result<()> {
        let path = member.path(self.cluster);
        for _ in 0..CONFLICTS {
            let object: Workload = self.cluster.get(self.cx, &path).await?;
            if object.metadata.annotations.get(self.key) == self.one.note.as_ref() {
                return Ok(());
            }
            let body = annotate(&object.metadata.resource_version, self.key, self.one.note.as_deref());
            match self.cluster.write::<Whatever>(self.cx, &Write::patch(&path, &body)).await {
                Ok(_) => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Conflict => {}
                Err(error) => return Err(error),
            }
        }
        let text = format!("{} changes faster than it can be put back", member.name());
        Err(Error::new(ErrorKind::Conflict, text).transient(None).on(self.cluster.side.as_str()))
    }
}

/// What matters of a workload now.
struct Now {
    replicas: u32,
    version: String,
    note: Option<Note>,
}

impl Now {
    fn of(object: &Workload, key: &str) -> Self {
        Self {
            replicas: object.spec.replicas.unwrap_or(1),
            version: object.metadata.resource_version.clone(),
            note: Note::read(&object.metadata.annotations, key),
        }
    }
}

/// Something was done to other workloads before: whatever this error proves, it does not prove that nothing was.
trait WithMaybe {
    fn with_maybe(self) -> Self;
}

impl WithMaybe for Error {
    fn with_maybe(self) -> Self {
        let again = self.retry();
        let error = Error::new(self.kind(), self.chain());
        match again {
            dr_core::Retry::Transient { after } => error.transient(after),
            dr_core::Retry::Permanent => error.permanent(),
        }
    }
}
