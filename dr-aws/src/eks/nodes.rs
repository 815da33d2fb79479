//! The node groups of each side, and how they are staffed.

use std::sync::Arc;

use dr_core::resource::{Cx, Observe, Staffing, WorkloadState};
use dr_core::{Error, Result, Side, async_trait};

use super::config::EksPlan;
use super::group::{Group, Seen};
use crate::client::Aws;
use crate::together::{all, each};

/// Node groups of one cluster a side.
#[derive(Debug)]
pub(super) struct Nodes {
    pub(super) plan: Arc<EksPlan>,
    pub(super) aws: Aws,
}

impl Nodes {
    /// A side's groups, by what the plan calls them.
    pub(super) fn groups(&self, side: &Side) -> Result<Vec<Group>> {
        let cluster = self
            .plan
            .sides
            .get(side)
            .ok_or_else(|| Error::invalid(format!("there is no cluster on a side `{side}`")))?;
        let groups = cluster.groups.iter().map(|(called, name)| Group {
            cluster: Arc::clone(cluster),
            called: called.clone(),
            name: name.clone(),
            aws: self.aws.clone(),
        });
        Ok(groups.collect())
    }

    /// Looks at all groups of a side.
    pub(super) async fn look(&self, cx: &Cx, side: &Side) -> Result<Vec<(Group, Seen)>> {
        let looking = self.groups(side)?.into_iter().map(|group| looked(group, cx)).collect();
        all(looking).await.map_err(Error::not_happened)
    }

    async fn states(&self, cx: &Cx, side: &Side) -> (Side, Option<Vec<WorkloadState>>) {
        let seen = self.look(cx, side).await.ok();
        let state = |(group, seen): &(Group, Seen)| seen.workload(&group.called);
        (side.clone(), seen.map(|groups| groups.iter().map(state).collect()))
    }
}

async fn looked(group: Group, cx: &Cx) -> Result<(Group, Seen)> {
    let seen = group.look(cx).await?;
    Ok((group, seen))
}

#[async_trait]
impl Observe<Staffing> for Nodes {
    async fn observe(&self, cx: &Cx) -> Result<Staffing> {
        let sides = each(self.plan.sides.keys().map(|side| self.states(cx, side)).collect()).await;
        Ok(Staffing::new(cx.now(), sides.into_iter().collect()))
    }
}
