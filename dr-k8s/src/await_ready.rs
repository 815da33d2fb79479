//! Waits until workloads are as wanted: by one watch for each kind and one of the pods, never by asking for each.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use dr_core::resource::{Cx, WorkloadState};
use dr_core::{Error, ErrorKind, Result};
use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream};
use tokio::time::Instant;

use crate::cluster::Cluster;
use crate::discovery::Kind;
use crate::feed::{Change, feed};
use crate::fleet::{Member, Name};
use crate::objects::{Condition, Pod, Workload};
use crate::pods::{Crews, Known};
use crate::ready::{Far, Wanted, far, ready_of};
use crate::trouble::workload_of;

/// How long a controller may say that it cannot make pods: old ones that go away may give the quota back.
const REFUSED_FOR: Duration = Duration::from_secs(5);

/// How long pods that are too many may take to go: what ails them is nobody's trouble, and they go before those that serve.
const SURPLUS_FOR: Duration = Duration::from_secs(10);

/// How often it is said how many are left.
const SAID_EVERY: Duration = Duration::from_secs(1);

/// Waits for workloads of one side.
pub(crate) struct Wait<'a> {
    pub(crate) cx: &'a Cx,
    pub(crate) cluster: &'a Arc<Cluster>,
    pub(crate) kinds: &'a [Arc<Kind>],
    pub(crate) labels: Option<String>,
    pub(crate) wanted: &'a BTreeMap<Name, Wanted>,
    pub(crate) unschedulable_after: Duration,
    /// Pods that were there before the template was changed: what ails them says nothing of the new ones.
    pub(crate) old: BTreeSet<String>,
}

enum Seen {
    Workloads(usize, Box<Change<Workload>>),
    Pods(Box<Change<Pod>>),
}

impl Wait<'_> {
    /// Returns when all are as wanted. A workload that cannot get there any more fails it at once, in its pods' words.
    pub(crate) async fn ready(self) -> Result<Vec<WorkloadState>> {
        let (cx, during) = (self.cx, "await ready");
        let work = async {
            let mut state = State {
                wait: &self,
                members: BTreeMap::new(),
                crews: Crews::default(),
                listed: BTreeSet::new(),
                touched: BTreeSet::new(),
                short: BTreeSet::new(),
            };
            state.run().await
        };
        cx.bound(during, work).await.map_err(|error| error.on(self.cluster.side.as_str()))
    }

    fn seen(&self) -> BoxStream<'static, Result<Seen>> {
        let namespace = &self.cluster.namespace;
        let workloads = self.kinds.iter().enumerate().map(|(index, kind)| {
            let feed = feed::<Workload>(self.cx, self.cluster, kind.path(namespace), self.labels.clone());
            feed.map(move |change| change.map(|change| Seen::Workloads(index, Box::new(change)))).boxed()
        });
        let pods = feed::<Pod>(self.cx, self.cluster, Kind::core("pods", "Pod").path(namespace), None);
        let pods = pods.map(|change| change.map(|change| Seen::Pods(Box::new(change)))).boxed();
        stream::select_all(workloads.chain([pods])).boxed()
    }
}

/// A workload as it was seen last, and since when its controller says that it cannot make pods.
struct Watched {
    member: Member,
    refused: Option<Instant>,
}

struct State<'a> {
    wait: &'a Wait<'a>,
    members: BTreeMap<Name, Watched>,
    crews: Crews,
    /// The kinds that were listed, and `None` for the pods.
    listed: BTreeSet<Option<usize>>,
    /// What has changed since it was judged: with thousands of pods a change must not cost a look at all of them.
    touched: BTreeSet<Name>,
    /// Those that are not there yet.
    short: BTreeSet<Name>,
}

impl State<'_> {
    async fn run(&mut self) -> Result<Vec<WorkloadState>> {
        // What is there to be taken is taken before it is judged: a start of thousands of pods is many changes.
        let mut seen = self.wait.seen().ready_chunks(512);
        let mut said = None;
        // What is only lasting after a while is looked at again when nothing happens.
        let mut tick = tokio::time::interval(Duration::from_millis(500));
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        self.touch_all();
        loop {
            let idle = tokio::select! {
                biased;
                _ = tick.tick() => true,
                changes = seen.next() => match changes {
                    Some(changes) => {
                        changes.into_iter().try_for_each(|change| change.map(|change| self.take(change)))?;
                        false
                    }
                    None => return Err(Error::new(ErrorKind::Unknown, "nothing more is heard of it")),
                },
            };
            if self.listed.len() <= self.wait.kinds.len() {
                continue;
            }
            let touched = std::mem::take(&mut self.touched);
            touched.iter().try_for_each(|name| self.judge(name))?;
            if self.short.is_empty() {
                return Ok(self.states());
            }
            let looked_at = if idle { &self.short } else { &touched };
            let short = looked_at.iter().filter(|name| self.short.contains(*name));
            if let Some(why) = short.filter_map(|name| self.lasting(name)).next() {
                return Err(Error::new(ErrorKind::Refused, why));
            }
            if said.is_none_or(|said: Instant| said.elapsed() >= SAID_EVERY) {
                said = Some(Instant::now());
                let (left, all) = (self.short.len(), self.wait.wanted.len());
                self.wait.cx.progress.say(format!("waiting for {left} of {all} workloads to be ready"));
            }
        }
    }

    /// Judges one that has changed.
    fn judge(&mut self, name: &Name) -> Result<()> {
        let Some(wanted) = self.wait.wanted.get(name) else { return Ok(()) };
        let Some(Watched { member, .. }) = self.members.get(name) else {
            return Err(Error::new(ErrorKind::Conflict, format!("somebody deleted {name}")));
        };
        match far(member, wanted, self.crews.ready(name)) {
            Far::Done => {
                self.short.remove(name);
            }
            Far::Going => {
                self.short.insert(name.clone());
            }
            Far::Elsewhere(text) => return Err(Error::new(ErrorKind::Conflict, text)),
            Far::Stuck(text) => {
                let why = self.why(name).unwrap_or(text);
                return Err(Error::new(ErrorKind::Refused, format!("{name} cannot get ready: {why}")));
            }
        }
        Ok(())
    }

    fn touch_all(&mut self) {
        self.touched.extend(self.wait.wanted.keys().cloned());
    }

    fn take(&mut self, seen: Seen) {
        match seen {
            Seen::Workloads(index, change) => self.take_workload(index, *change),
            Seen::Pods(change) => self.take_pod(*change),
        }
    }

    fn take_workload(&mut self, index: usize, change: Change<Workload>) {
        let Some(kind) = self.wait.kinds.get(index) else { return };
        match change {
            Change::Are(objects) => {
                let word = kind.word();
                let before = std::mem::take(&mut self.members);
                let (same, other) = before.into_iter().partition(|(name, _)| name.kind == word);
                self.members = other;
                objects.into_iter().for_each(|object| self.set(Arc::clone(kind), object, &same));
                self.listed.insert(Some(index));
                self.touch_all();
            }
            Change::Is(object) => {
                let name = Name::new(kind.word(), &object.metadata.name);
                let before = self.members.remove_entry(&name).into_iter().collect();
                self.set(Arc::clone(kind), object, &before);
            }
            Change::Gone(object) => {
                let name = Name::new(kind.word(), object.metadata.name);
                self.members.remove(&name);
                self.touched.insert(name);
            }
        }
    }

    fn set(&mut self, kind: Arc<Kind>, object: Workload, before: &BTreeMap<Name, Watched>) {
        let member = Member { kind, object };
        let name = member.name();
        if !self.wait.wanted.contains_key(&name) {
            return;
        }
        let since = before.get(&name).and_then(|watched| watched.refused);
        let refuses = member.object.status.conditions.iter().any(is_refusal);
        let refused = refuses.then(|| since.unwrap_or_else(Instant::now));
        self.touched.insert(name.clone());
        self.members.insert(name, Watched { member, refused });
    }

    fn take_pod(&mut self, change: Change<Pod>) {
        match change {
            Change::Are(pods) => {
                self.listed.insert(None);
                let mut before = std::mem::take(&mut self.crews);
                for pod in pods {
                    let known = before.take(&pod.metadata.uid);
                    self.set_pod(&pod, known.map(|(_, known)| known).as_ref());
                }
                self.touch_all();
            }
            Change::Is(pod) => {
                let known = self.forget(&pod);
                self.set_pod(&pod, known.as_ref());
            }
            Change::Gone(pod) => {
                self.forget(&pod);
            }
        }
    }

    fn forget(&mut self, pod: &Pod) -> Option<Known> {
        let (name, known) = self.crews.take(&pod.metadata.uid)?;
        self.touched.insert(name);
        Some(known)
    }

    fn set_pod(&mut self, pod: &Pod, before: Option<&Known>) {
        let Some(of) = workload_of(pod).filter(|name| self.wait.wanted.contains_key(name)) else { return };
        let known = Known::new(pod, before, self.wait.unschedulable_after);
        self.touched.insert(of.clone());
        self.crews.put(pod.metadata.uid.clone(), of, known);
    }

    /// Why a workload cannot get there any more, if it cannot.
    fn lasting(&self, name: &Name) -> Option<String> {
        let Watched { member, refused } = self.members.get(name)?;
        if let Some(condition) =
            member.object.status.conditions.iter().find(|condition| is_refusal(condition))
            && refused.is_some_and(|since| since.elapsed() >= REFUSED_FOR)
        {
            return Some(format!("{name} cannot get ready: {}: {}", condition.reason, condition.message));
        }
        // Where there are more pods than are wanted now, some are about to go.
        let wanted = usize::try_from(member.desired()).unwrap_or(usize::MAX);
        let more = if self.crews.count(name, &self.wait.old) > wanted { SURPLUS_FOR } else { Duration::ZERO };
        let lasting = self.crews.troubles(name, &self.wait.old).find(|(trouble, since)| {
            trouble.lasting_after.is_some_and(|after| since.elapsed() >= after.max(more))
        })?;
        Some(format!("{name} cannot get ready: {}", lasting.0.words))
    }

    fn why(&self, name: &Name) -> Option<String> {
        self.crews.troubles(name, &self.wait.old).next().map(|(trouble, _)| trouble.words.clone())
    }

    fn states(&self) -> Vec<WorkloadState> {
        let state = |(name, watched): (&Name, &Watched)| {
            let ready = ready_of(&watched.member).unwrap_or_else(|| self.crews.ready(name));
            WorkloadState::new(name.to_string(), watched.member.desired(), ready)
        };
        self.members.iter().map(state).collect()
    }
}

fn is_refusal(condition: &Condition) -> bool {
    condition.kind == "ReplicaFailure" && condition.status == "True"
}
