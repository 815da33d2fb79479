//! The stand-in at work: watches in, requests out, one at a time for each pod.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::Ipv4Addr;
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::stream::{BoxStream, FuturesUnordered};
use futures_util::{FutureExt, StreamExt};
use k8s_openapi::api::core::v1::{Node, Pod};
use kube::Client;
use kube::runtime::watcher::{self, Event};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until};

use super::behaviour::Behaviour;
use super::life::{self, Next, Stage, Word};
use super::node::Registered;
use super::options::KubeletOptions;
use super::pod::{Key, Seen};
use super::schedule::Nodes;
use super::status::{self, Placed, Told};
use super::work::{Job, Outcome, perform};
use crate::chance;

/// What the stand-in is told while it works.
#[derive(Debug)]
pub(crate) enum Order {
    /// How pods of a namespace fare from now on; `None`: as all others.
    Behave { namespace: String, behaviour: Option<Behaviour> },
}

/// What a watch says, and of which namespace; `None` for all.
pub(crate) type PodEvents = BoxStream<'static, (Option<String>, watcher::Result<Event<Pod>>)>;
pub(crate) type NodeEvents = BoxStream<'static, watcher::Result<Event<Node>>>;

/// A pod and what we did with it.
#[derive(Debug)]
struct Entry {
    pod: Seen,
    stage: Stage,
    ending_since: Option<Instant>,
    /// A request about it is under way.
    busy: bool,
    failures: u32,
    not_before: Option<Instant>,
    warned: BTreeSet<&'static str>,
    /// The node that we chose for it.
    chosen: Option<String>,
    since: String,
    address: String,
}

struct Done {
    key: Key,
    uid: String,
    stage: Stage,
    outcome: Outcome,
}

/// Everything that one stand-in knows.
pub(crate) struct Crew {
    client: Client,
    options: KubeletOptions,
    hosts: BTreeMap<String, String>,
    nodes: Nodes,
    pods: BTreeMap<Key, Entry>,
    behaviours: BTreeMap<String, Behaviour>,
    queue: VecDeque<Key>,
    timers: BTreeSet<(Instant, Key)>,
    /// Those that no node took.
    waiting: BTreeSet<Key>,
    /// What the present listing of a watch has shown, by namespace.
    listed: BTreeMap<Option<String>, BTreeSet<Key>>,
    work: FuturesUnordered<BoxFuture<'static, Done>>,
    addresses: u32,
}

impl Crew {
    pub(crate) fn new(client: Client, options: KubeletOptions, nodes: &[Registered]) -> Self {
        Self {
            client,
            options,
            hosts: nodes.iter().map(|node| (node.name.clone(), node.address.clone())).collect(),
            nodes: Nodes::default(),
            pods: BTreeMap::new(),
            behaviours: BTreeMap::new(),
            queue: VecDeque::new(),
            timers: BTreeSet::new(),
            waiting: BTreeSet::new(),
            listed: BTreeMap::new(),
            work: FuturesUnordered::new(),
            // A network of its own among the other stand-ins of a region: 10.64 to 10.254.
            addresses: u32::from(Ipv4Addr::new(10, (64 + chance::number() % 190) as u8, 0, 0)),
        }
    }

    /// Works until nobody can give orders any more. `ready` hears when every node and pod has been seen.
    pub(crate) async fn work(
        mut self,
        mut orders: mpsc::UnboundedReceiver<Order>,
        mut pods: PodEvents,
        mut nodes: NodeEvents,
        ready: oneshot::Sender<()>,
    ) {
        let mut ready = Some(ready);
        let mut to_list = self.options.namespaces.as_ref().map_or(1, BTreeSet::len);
        loop {
            self.begin_work();
            if to_list == 0
                && self.hosts.keys().all(|node| self.nodes.has(node))
                && let Some(ready) = ready.take()
            {
                let _ = ready.send(());
            }
            let due = self.timers.first().map(|(due, _)| *due);
            tokio::select! {
                biased;
                order = orders.recv() => match order {
                    Some(Order::Behave { namespace, behaviour }) => self.behave(namespace, behaviour),
                    None => return,
                },
                Some(done) = self.work.next(), if !self.work.is_empty() => self.finish(done),
                Some((namespace, event)) = pods.next() => {
                    // A watch that fails begins again by itself.
                    if let Ok(event) = event
                        && self.see_pod(namespace, event)
                    {
                        to_list = to_list.saturating_sub(1);
                    }
                }
                Some(event) = nodes.next() => {
                    if let Ok(event) = event {
                        self.see_node(event);
                    }
                }
                () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => self.wake(),
            }
        }
    }

    fn behave(&mut self, namespace: String, behaviour: Option<Behaviour>) {
        self.queue.extend(self.pods.keys().filter(|key| key.namespace == namespace).cloned());
        match behaviour {
            Some(behaviour) => self.behaviours.insert(namespace, behaviour),
            None => self.behaviours.remove(&namespace),
        };
    }

    /// Whether this ends a listing.
    fn see_pod(&mut self, namespace: Option<String>, event: Event<Pod>) -> bool {
        match event {
            Event::Init => {
                self.listed.insert(namespace, BTreeSet::new());
            }
            Event::InitApply(pod) => {
                if let Some(pod) = Seen::of(pod) {
                    self.listed.entry(namespace).or_default().insert(pod.key.clone());
                    self.apply(pod);
                }
            }
            Event::InitDone => {
                let there = self.listed.remove(&namespace).unwrap_or_default();
                let of_watch =
                    |key: &Key| namespace.as_ref().is_none_or(|namespace| *namespace == key.namespace);
                let gone: Vec<Key> =
                    self.pods.keys().filter(|key| of_watch(key) && !there.contains(key)).cloned().collect();
                for key in gone {
                    self.remove(&key);
                }
                return true;
            }
            Event::Apply(pod) => {
                if let Some(pod) = Seen::of(pod) {
                    self.apply(pod);
                }
            }
            Event::Delete(pod) => {
                if let Some(pod) = Seen::of(pod)
                    && self.pods.get(&pod.key).is_some_and(|entry| entry.pod.uid == pod.uid)
                {
                    self.remove(&pod.key);
                }
            }
        }
        false
    }

    fn apply(&mut self, pod: Seen) {
        let now = Instant::now();
        // What another scheduler or another stand-in looks after is not ours.
        let foreign = match &pod.node {
            Some(node) => !self.hosts.contains_key(node),
            None => pod.other_scheduler,
        };
        if foreign {
            self.remove(&pod.key);
            return;
        }
        if self.pods.get(&pod.key).is_some_and(|entry| entry.pod.uid != pod.uid) {
            self.remove(&pod.key);
        }
        if let Some(node) = &pod.node
            && !pod.is_over()
        {
            self.nodes.take(&pod, node);
        }
        let over = pod.is_over();
        if over && self.nodes.release(&pod.uid) {
            self.room_again();
        }
        let key = pod.key.clone();
        let entry = match self.pods.entry(key.clone()) {
            std::collections::btree_map::Entry::Occupied(known) => {
                let entry = known.into_mut();
                if matches!(entry.stage, Stage::Unbound { .. }) && pod.node.is_some() && !entry.busy {
                    entry.stage = Stage::of(&pod, now);
                }
                entry.pod = pod;
                entry
            }
            std::collections::btree_map::Entry::Vacant(new) => {
                let address = pod.address.clone().unwrap_or_else(|| next_address(&mut self.addresses));
                new.insert(Entry {
                    stage: Stage::of(&pod, now),
                    pod,
                    ending_since: None,
                    busy: false,
                    failures: 0,
                    not_before: None,
                    warned: BTreeSet::new(),
                    chosen: None,
                    since: status::timestamp(),
                    address,
                })
            }
        };
        if over && !entry.busy && entry.stage != Stage::Gone {
            entry.stage = Stage::Over;
        }
        if entry.pod.ending.is_some() {
            entry.ending_since.get_or_insert(now);
        }
        self.queue.push_back(key);
    }

    fn remove(&mut self, key: &Key) {
        self.waiting.remove(key);
        if let Some(entry) = self.pods.remove(key)
            && self.nodes.release(&entry.pod.uid)
        {
            self.room_again();
        }
    }

    fn see_node(&mut self, event: Event<Node>) {
        match event {
            Event::Apply(node) | Event::InitApply(node) => self.nodes.see(node),
            Event::Delete(node) => self.nodes.forget(node.metadata.name.as_deref().unwrap_or_default()),
            Event::Init | Event::InitDone => {}
        }
        self.room_again();
    }

    /// Those that wait for room are looked at again.
    fn room_again(&mut self) {
        self.queue.extend(std::mem::take(&mut self.waiting));
    }

    fn wake(&mut self) {
        let now = Instant::now();
        while let Some((due, _)) = self.timers.first()
            && *due <= now
        {
            if let Some((_, key)) = self.timers.pop_first() {
                self.queue.push_back(key);
            }
        }
    }

    fn finish(&mut self, done: Done) {
        let Some(entry) = self.pods.get_mut(&done.key).filter(|entry| entry.pod.uid == done.uid) else {
            return;
        };
        entry.busy = false;
        match done.outcome {
            Outcome::Done => {
                entry.stage = done.stage;
                entry.failures = 0;
                self.queue.push_back(done.key);
            }
            // The watch says so too, and then it is forgotten.
            Outcome::Gone => entry.stage = Stage::Gone,
            Outcome::Failed => {
                // It may have been bound all the same: the watch knows.
                if matches!(entry.stage, Stage::Unbound { .. }) && entry.pod.node.is_some() {
                    entry.stage = Stage::of(&entry.pod, Instant::now());
                }
                let pause = Duration::from_millis(50).saturating_mul(2_u32.saturating_pow(entry.failures));
                entry.failures += 1;
                let due = Instant::now() + pause.min(Duration::from_secs(2));
                entry.not_before = Some(due);
                self.timers.insert((due, done.key));
            }
        }
    }

    /// Begins what is to be done next, as much as may be under way.
    fn begin_work(&mut self) {
        while self.work.len() < self.options.at_once
            && let Some(key) = self.queue.pop_front()
        {
            if let Some((uid, job, stage)) = self.next_job(&key) {
                let client = self.client.clone();
                self.work.push(
                    async move {
                        let outcome = perform(client, &key, &uid, job).await;
                        Done { key, uid, stage, outcome }
                    }
                    .boxed(),
                );
            }
        }
    }

    fn next_job(&mut self, key: &Key) -> Option<(String, Job, Stage)> {
        let now = Instant::now();
        let entry = self.pods.get_mut(key)?;
        if entry.busy || entry.not_before.is_some_and(|due| due > now) {
            return None;
        }
        let how = self.behaviours.get(&key.namespace).unwrap_or(&self.options.behaviour);
        let how = how.with_labels(&entry.pod.labels);
        let ending_since = entry.ending_since.unwrap_or(now);
        let next = life::next(&entry.pod, &entry.stage, &how, self.options.backoff, ending_since, now);
        let (word, mut stage) = match next {
            Next::Nothing => return None,
            Next::At(due) => {
                self.timers.insert((due, key.clone()));
                return None;
            }
            Next::Tell(word, stage) => (word, stage),
        };
        let job = match word {
            Word::Remove => Job::Remove,
            Word::Bind => match self.nodes.place(&entry.pod) {
                Ok(node) => {
                    entry.chosen = Some(node.clone());
                    Job::Bind { node }
                }
                Err(message) => {
                    self.waiting.insert(key.clone());
                    if entry.stage == (Stage::Unbound { told: true }) {
                        return None;
                    }
                    stage = Stage::Unbound { told: true };
                    unschedulable(&message)
                }
            },
            Word::Unschedulable => unschedulable(&self.nodes.no_cpu()),
            word => {
                let node = entry.pod.node.as_ref().or(entry.chosen.as_ref());
                let host = node.and_then(|node| self.hosts.get(node));
                let placed = Placed {
                    host: host.cloned().unwrap_or_default(),
                    address: entry.address.clone(),
                    since: entry.since.clone(),
                };
                let warning = status::warning(&entry.pod, &word);
                let warning = warning.filter(|told| entry.warned.insert(told.reason));
                Job::Status { status: status::status(&entry.pod, &word, &placed)?, warning }
            }
        };
        entry.busy = true;
        Some((entry.pod.uid.clone(), job, stage))
    }
}

fn unschedulable(message: &str) -> Job {
    let warning = Told { reason: "FailedScheduling", message: message.to_owned() };
    Job::Status { status: status::unschedulable(message), warning: Some(warning) }
}

/// The next one that ends in 1 to 254.
fn next_address(last: &mut u32) -> String {
    *last += 1;
    while matches!(*last % 256, 0 | 255) {
        *last += 1;
    }
    Ipv4Addr::from(*last).to_string()
}
