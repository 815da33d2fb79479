//! What the stand-in is to be like.

use std::collections::BTreeSet;
use std::time::Duration;

use super::behaviour::Behaviour;

/// How many nodes there are, what fits on them, and how pods fare unless their namespace or their labels say otherwise.
#[derive(Debug, Clone)]
pub struct KubeletOptions {
    pub(crate) nodes: u32,
    pub(crate) prefix: Option<String>,
    pub(crate) allocatable: Allocatable,
    pub(crate) namespaces: Option<BTreeSet<String>>,
    pub(crate) behaviour: Behaviour,
    pub(crate) backoff: (Duration, Duration),
    pub(crate) at_once: usize,
}

/// What pods can have of one node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Allocatable {
    /// Cores, as Kubernetes writes quantities: `64`, `500m`.
    pub cpu: String,
    /// `256Gi`.
    pub memory: String,
    /// How many pods.
    pub pods: u32,
}

impl Default for Allocatable {
    fn default() -> Self {
        Self { cpu: "64".to_owned(), memory: "256Gi".to_owned(), pods: 2000 }
    }
}

impl Default for KubeletOptions {
    fn default() -> Self {
        Self::new()
    }
}

impl KubeletOptions {
    /// Three large nodes in zones of their own, for all namespaces; pods are ready at once.
    pub fn new() -> Self {
        Self {
            nodes: 3,
            prefix: None,
            allocatable: Allocatable::default(),
            namespaces: None,
            behaviour: Behaviour::default(),
            backoff: (Duration::from_millis(500), Duration::from_secs(30)),
            at_once: 32,
        }
    }

    /// How many nodes, and what fits on each.
    #[must_use]
    pub fn nodes(mut self, count: u32, each: Allocatable) -> Self {
        self.nodes = count;
        self.allocatable = each;
        self
    }

    /// The nodes' names are this and a number; else `<region>-node`.
    #[must_use]
    pub fn named(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = Some(prefix.into());
        self
    }

    /// Looks after pods of this namespace, and of others named so; else of all. Several stand-ins may share a region
    /// in that way. Each counts what its own pods take of the nodes.
    #[must_use]
    pub fn only(mut self, namespace: impl Into<String>) -> Self {
        self.namespaces.get_or_insert_default().insert(namespace.into());
        self
    }

    /// How pods fare.
    #[must_use]
    pub fn behaviour(mut self, behaviour: Behaviour) -> Self {
        self.behaviour = behaviour;
        self
    }

    /// The first pause before a failed pull or a crashed container is tried again, and the longest: each is twice the one
    /// before. A real kubelet has ten seconds and five minutes.
    #[must_use]
    pub fn backoff(mut self, first: Duration, longest: Duration) -> Self {
        self.backoff = (first, longest.max(first));
        self
    }

    /// How many requests are under way at the same time, at most.
    #[must_use]
    pub fn at_once(mut self, requests: usize) -> Self {
        self.at_once = requests.max(1);
        self
    }
}
