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
use crate::objects::{Pod, Workload};
use crate::trouble::{Trouble, is_over, is_ready, trouble, workload_of};

/// How long a controller may say that it cannot make pods: old ones that go away may give the quota back.
const REFUSED_FOR: Duration = Duration::from_secs(5);

/// How long pods that are too many may take to go: what ails them is nobody's trouble, and they go before those that serve.
const SURPLUS_FOR: Duration = Duration::from_secs(10);

/// How often it is said how many are left.
const SAID_EVERY: Duration = Duration::from_secs(1);

/// What is waited for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// As many.
    pub(crate) replicas: u32,
    /// Up to as many, where an autoscaler may want more.
    pub(crate) at_most: u32,
    /// At least so many of them ready; fewer than all only where there were fewer before.
    pub(crate) ready: u32,
    /// Whether all of them must run what the workload says now: after its template was changed.
    pub(crate) rolled: bool,
}

impl Wanted {
    /// Exactly so many, all ready.
    pub(crate) fn exactly(replicas: u32) -> Self {
        Self { replicas, at_most: replicas, ready: replicas, rolled: false }
    }
}

/// How far a workload is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Far {
    /// There.
    Done,
    /// On the way.
    Going,
    /// Somebody else wants something else.
    Elsewhere(String),
    /// It says itself that it cannot get there.
    Stuck(String),
}

/// How many of a workload serve; `None` where its kind does not say.
pub(crate) fn ready_of(member: &Member) -> Option<u32> {
    let status = &member.object.status;
    match member.kind.name.as_str() {
        // They leave out what is zero.
        "Deployment" | "StatefulSet" | "ReplicaSet" | "ReplicationController" => {
            Some(status.ready_replicas.unwrap_or(0))
        }
        _ => status.ready_replicas.or(status.available_replicas),
    }
}

/// Whether a new version of a workload is on its way out: some of its pods are still of another one.
pub(crate) fn is_rolling(member: &Member) -> bool {
    let status = &member.object.status;
    match member.kind.name.as_str() {
        "Deployment" => !member.object.spec.paused && status.replicas > status.updated_replicas.unwrap_or(0),
        "StatefulSet" => {
            status.current_revision != status.update_revision
                && rolls_by_itself(member)
                && status.replicas > status.updated_replicas.unwrap_or(0)
        }
        _ => false,
    }
}

fn rolls_by_itself(member: &Member) -> bool {
    member.object.spec.update_strategy.as_ref().is_none_or(|strategy| {
        let partition = strategy.rolling_update.as_ref().and_then(|rolling| rolling.partition);
        strategy.kind != "OnDelete" && partition.unwrap_or(0) == 0
    })
}

/// How far a workload is, from its own words. `pods` says how many of it are ready where it does not say so itself.
pub(crate) fn far(member: &Member, wanted: &Wanted, pods: u32) -> Far {
    let status = &member.object.status;
    if status.observed_generation < member.object.metadata.generation {
        return Far::Going;
    }
    let desired = member.desired();
    if desired < wanted.replicas || desired > wanted.at_most {
        let text =
            format!("somebody scaled {} to {desired}, {} were asked for", member.name(), wanted.replicas);
        return Far::Elsewhere(text);
    }
    let condition = |kind: &str| status.conditions.iter().find(|condition| condition.kind == kind);
    if let Some(condition) = condition("Progressing")
        && condition.status == "False"
        && condition.reason == "ProgressDeadlineExceeded"
    {
        return Far::Stuck(format!("{}: {}: {}", member.name(), condition.reason, condition.message));
    }
    let ready = ready_of(member).unwrap_or(pods);
    // Where an autoscaler wants more, all of those; where there were fewer before, as many as there were.
    let least = if wanted.ready < wanted.replicas { wanted.ready } else { desired };
    let enough = ready >= least;
    let available = match member.kind.name.as_str() {
        "Deployment" => status.available_replicas.unwrap_or(0) >= least,
        _ => true,
    };
    let rolled = match member.kind.name.as_str() {
        "Deployment" => status.updated_replicas.unwrap_or(0) == desired,
        "StatefulSet" if wanted.rolled && rolls_by_itself(member) => {
            status.current_revision == status.update_revision
                || status.updated_replicas.unwrap_or(0) >= desired
        }
        _ => true,
    };
    let rolled = rolled || (!wanted.rolled && member.object.spec.paused);
    if status.replicas == desired && enough && available && rolled { Far::Done } else { Far::Going }
}

enum Seen {
    Workloads(usize, Box<Change<Workload>>),
    Pods(Box<Change<Pod>>),
}

/// What is known of a pod while it is waited for.
struct Known {
    of: Name,
    ready: bool,
    trouble: Option<(Trouble, Instant)>,
}

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

impl Wait<'_> {
    /// Returns when all are as wanted. A workload that cannot get there any more fails it at once, in its pods' words.
    pub(crate) async fn ready(self) -> Result<Vec<WorkloadState>> {
        let (cx, during) = (self.cx, "await ready");
        let work = async {
            let mut state = State {
                wait: &self,
                members: BTreeMap::new(),
                pods: BTreeMap::new(),
                known: BTreeSet::new(),
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

struct State<'a> {
    wait: &'a Wait<'a>,
    members: BTreeMap<Name, (Member, Option<Instant>)>,
    pods: BTreeMap<String, Known>,
    /// The kinds that were listed, and `None` for the pods.
    known: BTreeSet<Option<usize>>,
}

impl State<'_> {
    async fn run(&mut self) -> Result<Vec<WorkloadState>> {
        // What is there to be taken is taken before it is judged: a start of thousands of pods is many changes.
        let mut seen = self.wait.seen().ready_chunks(512);
        let mut said = None;
        // What is only lasting after a while is looked at again when nothing happens.
        let mut tick = tokio::time::interval(Duration::from_millis(500));
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                changes = seen.next() => match changes {
                    Some(changes) => changes.into_iter().try_for_each(|change| change.map(|change| self.take(change)))?,
                    None => return Err(Error::new(ErrorKind::Unknown, "nothing more is heard of it")),
                },
                _ = tick.tick() => {}
            }
            if self.known.len() <= self.wait.kinds.len() {
                continue;
            }
            if self.wait.wanted.keys().any(|name| !self.members.contains_key(name)) {
                return Err(self.vanished());
            }
            let ready = self.pods_ready();
            let mut short = Vec::new();
            for (name, wanted) in self.wait.wanted {
                let Some((member, _)) = self.members.get(name) else { continue };
                match far(member, wanted, ready.get(name).copied().unwrap_or(0)) {
                    Far::Done => {}
                    Far::Going => short.push(name),
                    Far::Elsewhere(text) => return Err(Error::new(ErrorKind::Conflict, text)),
                    Far::Stuck(text) => {
                        let why = self.why(name).unwrap_or(text);
                        return Err(Error::new(
                            ErrorKind::Refused,
                            format!("{name} cannot get ready: {why}"),
                        ));
                    }
                }
            }
            if short.is_empty() {
                return Ok(self.states(&ready));
            }
            if let Some(why) = short.iter().find_map(|name| self.lasting(name)) {
                return Err(Error::new(ErrorKind::Refused, why));
            }
            if said.is_none_or(|said: Instant| said.elapsed() >= SAID_EVERY) {
                said = Some(Instant::now());
                let (left, all) = (short.len(), self.wait.wanted.len());
                self.wait.cx.progress.say(format!("waiting for {left} of {all} workloads to be ready"));
            }
        }
    }

    fn vanished(&self) -> Error {
        let gone = self.wait.wanted.keys().find(|name| !self.members.contains_key(name));
        let name = gone.map(ToString::to_string).unwrap_or_default();
        Error::new(ErrorKind::Conflict, format!("somebody deleted {name}"))
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
                self.members.retain(|name, _| name.kind != word);
                objects.into_iter().for_each(|object| self.set(Arc::clone(kind), object));
                self.known.insert(Some(index));
            }
            Change::Is(object) => self.set(Arc::clone(kind), object),
            Change::Gone(object) => {
                self.members.remove(&Name::new(kind.word(), object.metadata.name));
            }
        }
    }

    fn take_pod(&mut self, change: Change<Pod>) {
        match change {
            Change::Are(pods) => {
                self.known.insert(None);
                let before = std::mem::take(&mut self.pods);
                pods.iter().for_each(|pod| self.set_pod(pod, before.get(&pod.metadata.uid)));
            }
            Change::Is(pod) => {
                let before = self.pods.remove(&pod.metadata.uid);
                self.set_pod(&pod, before.as_ref());
            }
            Change::Gone(pod) => {
                self.pods.remove(&pod.metadata.uid);
            }
        }
    }

    fn set(&mut self, kind: Arc<Kind>, object: Workload) {
        let member = Member { kind, object };
        let name = member.name();
        if !self.wait.wanted.contains_key(&name) {
            return;
        }
        let refused = member.object.status.conditions.iter().any(is_refusal);
        let since = self.members.get(&name).and_then(|(_, since)| *since);
        self.members.insert(name, (member, refused.then(|| since.unwrap_or_else(Instant::now))));
    }

    fn set_pod(&mut self, pod: &Pod, before: Option<&Known>) {
        let Some(of) = workload_of(pod).filter(|name| self.wait.wanted.contains_key(name)) else { return };
        let trouble = trouble(pod, self.wait.unschedulable_after).map(|trouble| {
            // The words may change while it lasts (`back-off 20s`, `back-off 40s`); that it lasts does not.
            let since = before
                .and_then(|known| known.trouble.as_ref())
                .map_or_else(Instant::now, |(_, since)| *since);
            (trouble, since)
        });
        let ready = is_ready(pod) && pod.metadata.deletion_timestamp.is_none() && !is_over(pod);
        self.pods.insert(pod.metadata.uid.clone(), Known { of, ready, trouble });
    }

    fn pods_ready(&self) -> BTreeMap<&Name, u32> {
        let mut ready = BTreeMap::new();
        for known in self.pods.values().filter(|known| known.ready) {
            *ready.entry(&known.of).or_insert(0) += 1;
        }
        ready
    }

    fn troubles(&self, name: &Name) -> impl Iterator<Item = &(Trouble, Instant)> {
        let of =
            self.pods.iter().filter(move |(uid, known)| known.of == *name && !self.wait.old.contains(*uid));
        of.filter_map(|(_, known)| known.trouble.as_ref())
    }

    /// Why a workload cannot get there any more, if it cannot.
    fn lasting(&self, name: &Name) -> Option<String> {
        let (member, refused) = self.members.get(name)?;
        if let Some(condition) =
            member.object.status.conditions.iter().find(|condition| is_refusal(condition))
            && refused.is_some_and(|since| since.elapsed() >= REFUSED_FOR)
        {
            return Some(format!("{name} cannot get ready: {}: {}", condition.reason, condition.message));
        }
        let more = if self.has_surplus(name, member) { SURPLUS_FOR } else { Duration::ZERO };
        let lasting = self.troubles(name).find(|(trouble, since)| {
            trouble.lasting_after.is_some_and(|after| since.elapsed() >= after.max(more))
        })?;
        Some(format!("{name} cannot get ready: {}", lasting.0.words))
    }

    /// Whether there are more pods than are wanted now, so that some are about to go.
    fn has_surplus(&self, name: &Name, member: &Member) -> bool {
        let of = |(uid, known): &(&String, &Known)| known.of == *name && !self.wait.old.contains(*uid);
        self.pods.iter().filter(of).count() > usize::try_from(member.desired()).unwrap_or(usize::MAX)
    }

    fn why(&self, name: &Name) -> Option<String> {
        self.troubles(name).next().map(|(trouble, _)| trouble.words.clone())
    }

    fn states(&self, ready: &BTreeMap<&Name, u32>) -> Vec<WorkloadState> {
        let state = |(name, (member, _)): (&Name, &(Member, Option<Instant>))| {
            let ready = ready_of(member).or_else(|| ready.get(name).copied()).unwrap_or(0);
            WorkloadState::new(name.to_string(), member.desired(), ready)
        };
        self.members.iter().map(state).collect()
    }
}

fn is_refusal(condition: &crate::objects::Condition) -> bool {
    condition.kind == "ReplicaFailure" && condition.status == "True"
}

/// Which pods of the namespace there are now.
pub(crate) async fn pods(cx: &Cx, cluster: &Cluster) -> Result<Vec<Pod>> {
    let path = Kind::core("pods", "Pod").path(&cluster.namespace);
    cluster.list(cx, &path, None).await.map(|(pods, _)| pods)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn member(name: &str, object: Value) -> Member {
        let plural = format!("{}s", name.to_lowercase());
        let kind = Arc::new(Kind::new("apps", "v1", &plural, name));
        Member { kind, object: serde_json::from_value(object).unwrap() }
    }

    fn deployment(generation: i64, replicas: u32, status: Value) -> Member {
        let object = json!({
            "metadata": { "name": "web", "generation": generation },
            "spec": { "replicas": replicas }, "status": status,
        });
        member("Deployment", object)
    }

    #[test]
    fn a_status_of_an_older_generation_says_nothing() {
        let ready = json!({ "observedGeneration": 4, "replicas": 3, "updatedReplicas": 3, "readyReplicas": 3, "availableReplicas": 3 });
        assert_eq!(far(&deployment(5, 3, ready.clone()), &Wanted::exactly(3), 0), Far::Going);
        assert_eq!(far(&deployment(4, 3, ready), &Wanted::exactly(3), 0), Far::Done);
    }

    #[test]
    fn pods_of_an_older_version_are_waited_out() {
        let mixed = json!({ "observedGeneration": 1, "replicas": 4, "updatedReplicas": 3, "readyReplicas": 3, "availableReplicas": 3 });
        assert_eq!(far(&deployment(1, 3, mixed.clone()), &Wanted::exactly(3), 0), Far::Going);
        assert!(is_rolling(&deployment(1, 3, mixed)));
    }

    #[test]
    fn somebody_elses_number_is_told() {
        let status = json!({ "observedGeneration": 1, "replicas": 7 });
        let far = far(&deployment(1, 7, status), &Wanted::exactly(3), 0);
        assert_eq!(far, Far::Elsewhere("somebody scaled deployment/web to 7, 3 were asked for".to_owned()));
    }

    #[test]
    fn a_roll_out_past_its_own_deadline_is_stuck() {
        let status = json!({ "observedGeneration": 1, "replicas": 3, "conditions": [{
            "type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded", "message": "has timed out",
        }] });
        assert!(matches!(far(&deployment(1, 3, status), &Wanted::exactly(3), 0), Far::Stuck(_)));
    }

    #[test]
    fn zero_is_reached_when_none_is_left() {
        let status = |replicas: u32| json!({ "observedGeneration": 1, "replicas": replicas });
        assert_eq!(far(&deployment(1, 0, status(1)), &Wanted::exactly(0), 0), Far::Going);
        assert_eq!(far(&deployment(1, 0, status(0)), &Wanted::exactly(0), 0), Far::Done);
    }

    #[test]
    fn an_autoscaler_may_want_more_and_then_all_of_those_are_waited_for() {
        let wanted = Wanted { replicas: 3, at_most: 10, ready: 3, rolled: false };
        let status = |ready: u32| json!({ "observedGeneration": 1, "replicas": 5, "updatedReplicas": 5, "readyReplicas": ready, "availableReplicas": ready });
        assert_eq!(far(&deployment(1, 5, status(5)), &wanted, 0), Far::Done);
    }

    #[test]
    fn a_kind_that_does_not_say_who_is_ready_is_judged_by_its_pods() {
        let object = json!({
            "metadata": { "name": "db", "generation": 1 }, "spec": { "replicas": 2 },
            "status": { "observedGeneration": "1", "replicas": 2 },
        });
        let cluster = member("Database", object);
        assert_eq!(far(&cluster, &Wanted::exactly(2), 1), Far::Going);
        assert_eq!(far(&cluster, &Wanted::exactly(2), 2), Far::Done);
    }

    #[test]
    fn a_stateful_set_with_a_partition_does_not_roll_by_itself() {
        let object = json!({
            "metadata": { "name": "db", "generation": 1 },
            "spec": { "replicas": 3, "updateStrategy": { "type": "RollingUpdate", "rollingUpdate": { "partition": 3 } } },
            "status": { "observedGeneration": 1, "replicas": 3, "readyReplicas": 3, "currentRevision": "a", "updateRevision": "b" },
        });
        let set = member("StatefulSet", object);
        assert!(!is_rolling(&set));
        assert_eq!(far(&set, &Wanted { rolled: true, ..Wanted::exactly(3) }, 0), Far::Done);
    }
}
