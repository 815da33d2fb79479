//! The verbs `fence` and `unfence`: the cluster's own edge, for unplanned runs. A planned switchover fences by itself.
//!
//! Aurora tries to keep the old writer from writing in a managed failover too, best effort: no proof of anything
//! (<https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/aurora-global-database-disaster-recovery.html>).

use dr_core::resource::{
    Before, Cx, Diff, Effect, Fence, FenceOutcome, Fencing, Holds, Prepared, Unfence, Unfenced,
};
use dr_core::{Result, Side, async_trait};

use super::store::Aurora;
use crate::edge_fence;

#[async_trait]
impl Effect<Fence> for Aurora {
    async fn prepare(&self, cx: &Cx, call: &Fence) -> Result<Prepared> {
        edge_fence::stands(cx, &self.edge(call.side.side()?)?).await
    }

    async fn apply(&self, cx: &Cx, call: &Fence, _: &Prepared) -> Result<FenceOutcome> {
        let side = call.side.side()?;
        edge_fence::fence(cx, side, &self.edge(side)?).await.map(FenceOutcome::Confirmed)
    }

    async fn undo(&self, cx: &Cx, call: &Fence, was: &Before) -> Result<()> {
        let side = call.side.side()?;
        self.nobody_else_writes(cx, side, false).await?;
        edge_fence::put_back(cx, &self.edge(side)?, was).await
    }
}

#[async_trait]
impl Holds for Aurora {
    async fn holds(&self, cx: &Cx, side: &Side) -> Result<Fencing> {
        self.fencing(cx, side).await
    }
}

#[async_trait]
impl Effect<Unfence> for Aurora {
    async fn prepare(&self, cx: &Cx, call: &Unfence) -> Result<Prepared> {
        let plan = self.side(call.side.side()?)?;
        let cluster = self.present(cx, plan).await?;
        let closed =
            plan.fence.as_ref().is_some_and(|fence| cluster.groups.iter().any(|group| group.id == *fence));
        let before = Before::nothing();
        Ok(match closed {
            true => Prepared::would(
                Diff::one(plan.to_string(), "cut off at its edge", "lets sessions in"),
                before,
            ),
            false if cluster.status.serves() => Prepared::already(before),
            false => Prepared::unknown(format!("it is {}", cluster.status), before),
        })
    }

    async fn apply(&self, cx: &Cx, call: &Unfence, _: &Prepared) -> Result<Unfenced> {
        let side = call.side.side()?;
        self.nobody_else_writes(cx, side, true).await?;
        edge_fence::open(cx, &self.edge(side)?).await?;
        Ok(Unfenced { side: side.clone() })
    }
}
