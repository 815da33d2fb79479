//! What runs on each side: how many are wanted, how many serve, and why the others do not.

use std::collections::BTreeMap;
use std::sync::Arc;

use dr_core::resource::{Cx, Observe, Staffing, WorkloadState};
use dr_core::{Result, Side, async_trait};

use crate::cluster::Cluster;
use crate::fleet::{Fleet, Name};
use crate::objects::Pod;
use crate::pods::pods;
use crate::ready::ready_of;
use crate::side::Sides;
use crate::trouble::{is_over, is_ready, trouble, workload_of};

/// How many problems of a workload are told; a hundred pods that lack the same image are one problem.
const TOLD: usize = 3;

/// The states of a fleet, from its own words and its pods'.
pub(crate) fn states(
    fleet: &Fleet,
    pods: &[Pod],
    unschedulable_after: std::time::Duration,
) -> Vec<WorkloadState> {
    let mut ready: BTreeMap<Name, u32> = BTreeMap::new();
    let mut problems: BTreeMap<Name, BTreeMap<String, (usize, String)>> = BTreeMap::new();
    for pod in pods {
        let Some(of) = workload_of(pod).filter(|name| fleet.members.contains_key(name)) else { continue };
        if is_ready(pod) && pod.metadata.deletion_timestamp.is_none() && !is_over(pod) {
            *ready.entry(of).or_insert(0) += 1;
        } else if let Some(trouble) = trouble(pod, unschedulable_after) {
            let (_, what) = trouble.words.split_once(": ").unwrap_or(("", &trouble.words));
            let of = problems.entry(of).or_default();
            of.entry(what.to_owned()).or_insert((0, trouble.words.clone())).0 += 1;
        }
    }
    let state = |(name, member): (&Name, &crate::fleet::Member)| {
        let serving = ready_of(member).or_else(|| ready.get(name).copied()).unwrap_or(0);
        let mut state = WorkloadState::new(name.to_string(), member.desired(), serving);
        let pods = problems.remove(name).unwrap_or_default();
        let told = pods.into_iter().map(|(what, (count, words))| match count {
            1 => words,
            count => format!("{count} pods: {what}"),
        });
        let conditions = member.object.status.conditions.iter().filter(|condition| {
            (condition.kind == "ReplicaFailure" && condition.status == "True")
                || (condition.kind == "Progressing" && condition.status == "False")
        });
        let conditions = conditions.map(|condition| format!("{}: {}", condition.reason, condition.message));
        state.problems = conditions.chain(told).take(TOLD).collect();
        state
    };
    fleet.members.iter().map(state).collect()
}

impl Sides {
    async fn staffing(&self, cx: &Cx, cluster: &Cluster) -> Result<Vec<WorkloadState>> {
        let (fleet, pods) = futures_util::try_join!(self.fleet(cx, cluster), pods(cx, cluster))?;
        Ok(states(&fleet, &pods, self.config.unschedulable_after))
    }
}

#[async_trait]
impl Observe<Staffing> for Sides {
    async fn observe(&self, cx: &Cx) -> Result<Staffing> {
        let sides = self.each(cx, |cx, cluster| async move { self.staffing(&cx, &cluster).await }).await?;
        Ok(Staffing::new(cx.now(), sides))
    }

    async fn observe_side(&self, cx: &Cx, side: &Side) -> Result<Staffing> {
        let look = |cx: Cx, cluster: Arc<Cluster>| async move { self.staffing(&cx, &cluster).await };
        Ok(Staffing::new(cx.now(), self.only(cx, side, look).await?))
    }
}
