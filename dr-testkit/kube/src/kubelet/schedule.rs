//! Which node a pod gets, and the scheduler's words where there is none.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::Node;

use super::pod::{Room, Seen};
use super::quantity::thousandths;

/// The nodes and what is taken of them.
#[derive(Debug, Default)]
pub(crate) struct Nodes {
    nodes: BTreeMap<String, Place>,
    /// By the pods' uids.
    taken: BTreeMap<String, (String, Room)>,
    /// By the nodes' names: the sum of what is taken there.
    used: BTreeMap<String, Room>,
}

#[derive(Debug)]
struct Place {
    all: Room,
    open: bool,
    labels: BTreeMap<String, String>,
}

impl Nodes {
    /// A node as the server has it.
    pub(crate) fn see(&mut self, node: Node) {
        let Some(name) = node.metadata.name else { return };
        let status = node.status.unwrap_or_default();
        let has = |what: &str, otherwise: i128| {
            let quantity = status.allocatable.as_ref().and_then(|all| all.get(what));
            quantity.and_then(|quantity| thousandths(&quantity.0)).unwrap_or(otherwise)
        };
        let ready = status
            .conditions
            .iter()
            .flatten()
            .any(|condition| condition.type_ == "Ready" && condition.status == "True");
        let cordoned = node.spec.and_then(|spec| spec.unschedulable).unwrap_or(false);
        let place = Place {
            all: Room { cpu: has("cpu", 0), memory: has("memory", 0), pods: has("pods", 0) / 1_000 },
            open: ready && !cordoned,
            labels: node.metadata.labels.unwrap_or_default(),
        };
        self.nodes.insert(name, place);
    }

    pub(crate) fn forget(&mut self, node: &str) {
        self.nodes.remove(node);
    }

    /// Whether that node is one of ours.
    pub(crate) fn has(&self, node: &str) -> bool {
        self.nodes.contains_key(node)
    }

    /// The pod takes its room on that node.
    pub(crate) fn take(&mut self, pod: &Seen, node: &str) {
        self.release(&pod.uid);
        self.taken.insert(pod.uid.clone(), (node.to_owned(), pod.room));
        *self.used.entry(node.to_owned()).or_default() += pod.room;
    }

    /// The pod gives its room back. Whether it had any.
    pub(crate) fn release(&mut self, uid: &str) -> bool {
        let Some((node, room)) = self.taken.remove(uid) else { return false };
        *self.used.entry(node).or_default() -= room;
        true
    }

    /// The emptiest node that has room for it, which is taken; else why there is none.
    pub(crate) fn place(&mut self, pod: &Seen) -> Result<String, String> {
        let mut reasons: BTreeMap<&str, u32> = BTreeMap::new();
        let mut best: Option<(i128, &str)> = None;
        for (name, place) in &self.nodes {
            let used = self.used.get(name).copied().unwrap_or_default();
            let against = place.against(pod, name, used);
            if against.is_empty() && best.is_none_or(|(pods, _)| used.pods < pods) {
                best = Some((used.pods, name));
            }
            for reason in against {
                *reasons.entry(reason).or_default() += 1;
            }
        }
        match best.map(|(_, name)| name.to_owned()) {
            Some(name) => {
                self.take(pod, &name);
                Ok(name)
            }
            None => Err(self.none(&reasons)),
        }
    }

    /// That no node has enough cpu, whether or not it is so.
    pub(crate) fn no_cpu(&self) -> String {
        let all = u32::try_from(self.nodes.len()).unwrap_or(u32::MAX);
        self.none(&BTreeMap::from([("Insufficient cpu", all)]))
    }

    fn none(&self, reasons: &BTreeMap<&str, u32>) -> String {
        let all = self.nodes.len();
        let reasons: Vec<String> =
            reasons.iter().map(|(reason, count)| format!("{count} {reason}")).collect();
        format!("0/{all} nodes are available: {}.", reasons.join(", "))
    }
}

impl Place {
    fn against(&self, pod: &Seen, name: &str, used: Room) -> Vec<&'static str> {
        let elsewhere = pod.node_wanted.as_ref().is_some_and(|wanted| wanted != name);
        let other = pod.node_selector.iter().any(|(key, value)| self.labels.get(key) != Some(value));
        if elsewhere || other {
            return vec!["node(s) didn't match Pod's node affinity"];
        }
        // Daemons run on cordoned nodes too.
        if !self.open && pod.node_wanted.is_none() {
            return vec!["node(s) were unschedulable"];
        }
        let mut against = Vec::new();
        for (lacks, reason) in [
            (used.cpu + pod.room.cpu > self.all.cpu && pod.room.cpu > 0, "Insufficient cpu"),
            (used.memory + pod.room.memory > self.all.memory && pod.room.memory > 0, "Insufficient memory"),
            (used.pods + pod.room.pods > self.all.pods, "Too many pods"),
        ] {
            if lacks {
                against.push(reason);
            }
        }
        against
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn nodes(cordoned: bool) -> Nodes {
        let mut nodes = Nodes::default();
        for name in ["a", "b"] {
            let node = json!({
                "metadata": { "name": name, "labels": { "zone": name } },
                "spec": { "unschedulable": cordoned },
                "status": {
                    "allocatable": { "cpu": "1", "memory": "1Gi", "pods": "2" },
                    "conditions": [{ "type": "Ready", "status": "True" }],
                },
            });
            nodes.see(serde_json::from_value(node).unwrap());
        }
        nodes
    }

    fn pod(uid: &str, cpu: &str, selector: &Value) -> Seen {
        let pod = json!({
            "metadata": { "name": uid, "namespace": "n", "uid": uid },
            "spec": {
                "nodeSelector": selector,
                "containers": [{ "name": "c", "resources": { "requests": { "cpu": cpu } } }],
            },
        });
        Seen::of(serde_json::from_value(pod).unwrap()).unwrap()
    }

    #[test]
    fn pods_spread_until_there_is_no_room_and_find_some_again() {
        let mut nodes = nodes(false);
        let placed = ["1", "2"].map(|uid| nodes.place(&pod(uid, "600m", &json!({}))).unwrap());
        assert_eq!(placed, ["a", "b"]);
        let third = pod("3", "600m", &json!({}));
        assert_eq!(nodes.place(&third).unwrap_err(), "0/2 nodes are available: 2 Insufficient cpu.");
        assert!(nodes.release("1"));
        assert_eq!(nodes.place(&third).unwrap(), "a");
    }

    #[test]
    fn each_node_says_why_it_does_not_take_a_pod() {
        let mut full = nodes(false);
        for uid in ["1", "2", "3", "4"] {
            full.place(&pod(uid, "0", &json!({}))).unwrap();
        }
        let other = pod("5", "0", &json!({ "zone": "b" }));
        let why = "0/2 nodes are available: 1 Too many pods, 1 node(s) didn't match Pod's node affinity.";
        assert_eq!(full.place(&other).unwrap_err(), why);
        let why = "0/2 nodes are available: 2 node(s) were unschedulable.";
        assert_eq!(nodes(true).place(&pod("1", "0", &json!({}))).unwrap_err(), why);
    }
}
