//! The pods of a namespace: listed, and as they are known while their workloads are waited for.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use dr_core::Result;
use dr_core::resource::Cx;
use tokio::time::Instant;

use crate::cluster::Cluster;
use crate::discovery::Kind;
use crate::fleet::Name;
use crate::objects::Pod;
use crate::trouble::{Trouble, is_over, is_ready, trouble};

/// Which pods of the namespace there are now.
pub(crate) async fn pods(cx: &Cx, cluster: &Cluster) -> Result<Vec<Pod>> {
    let path = Kind::core("pods", "Pod").path(&cluster.namespace);
    cluster.list(cx, &path, None).await.map(|(pods, _)| pods)
}

/// What is known of a pod while it is waited for.
#[derive(Debug)]
pub(crate) struct Known {
    ready: bool,
    trouble: Option<(Trouble, Instant)>,
}

impl Known {
    /// `before` is what was known of the same pod.
    pub(crate) fn new(pod: &Pod, before: Option<&Self>, unschedulable_after: Duration) -> Self {
        let trouble = trouble(pod, unschedulable_after).map(|trouble| {
            // The words may change while it lasts (`back-off 20s`, `back-off 40s`); that it lasts does not.
            let since = before
                .and_then(|known| known.trouble.as_ref())
                .map_or_else(Instant::now, |(_, since)| *since);
            (trouble, since)
        });
        let ready = is_ready(pod) && pod.metadata.deletion_timestamp.is_none() && !is_over(pod);
        Self { ready, trouble }
    }
}

/// Pods by the workload that they belong to: a change of one costs what its workload has, not what all have.
#[derive(Debug, Default)]
pub(crate) struct Crews {
    of: BTreeMap<Name, BTreeMap<String, Known>>,
    whose: HashMap<String, Name>,
}

impl Crews {
    /// A pod as it is now; whose it is.
    pub(crate) fn put(&mut self, uid: String, of: Name, known: Known) {
        self.take(&uid);
        self.of.entry(of.clone()).or_default().insert(uid.clone(), known);
        self.whose.insert(uid, of);
    }

    /// Forgets a pod: whose it was, and what was known of it.
    pub(crate) fn take(&mut self, uid: &str) -> Option<(Name, Known)> {
        let name = self.whose.remove(uid)?;
        let known = self.of.get_mut(&name)?.remove(uid)?;
        Some((name, known))
    }

    fn crew(&self, name: &Name) -> impl Iterator<Item = (&String, &Known)> {
        self.of.get(name).into_iter().flatten()
    }

    /// How many of a workload's pods serve.
    pub(crate) fn ready(&self, name: &Name) -> u32 {
        u32::try_from(self.crew(name).filter(|(_, known)| known.ready).count()).unwrap_or(u32::MAX)
    }

    /// How many pods a workload has beside those of `old`.
    pub(crate) fn count(&self, name: &Name, old: &BTreeSet<String>) -> usize {
        self.crew(name).filter(|(uid, _)| !old.contains(*uid)).count()
    }

    /// What ails a workload's pods, and since when; those of `old` left out.
    pub(crate) fn troubles(
        &self,
        name: &Name,
        old: &BTreeSet<String>,
    ) -> impl Iterator<Item = &(Trouble, Instant)> {
        self.crew(name).filter(|(uid, _)| !old.contains(*uid)).filter_map(|(_, known)| known.trouble.as_ref())
    }
}
