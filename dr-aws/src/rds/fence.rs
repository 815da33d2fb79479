//! The verbs `fence` and `unfence`: the instance's own edge.

use dr_core::resource::{
    Before, Cx, Diff, Effect, Fence, FenceOutcome, Fencing, Holds, Prepared, Unfence, Unfenced,
};
use dr_core::{Error, Result, Side, async_trait};

use super::store::Rds;
use crate::edge_fence;

#[async_trait]
impl Effect<Fence> for Rds {
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
impl Holds for Rds {
    async fn holds(&self, cx: &Cx, side: &Side) -> Result<Fencing> {
        self.fencing(cx, side).await
    }
}

#[async_trait]
impl Effect<Unfence> for Rds {
    async fn prepare(&self, cx: &Cx, call: &Unfence) -> Result<Prepared> {
        let name = call.side.side()?;
        let plan = self.side(name)?;
        let instance = self.present(cx, plan).await?;
        let closed =
            plan.fence.as_ref().is_some_and(|fence| instance.groups.iter().any(|group| group.id == *fence));
        let before = Before::nothing();
        Ok(match (closed, instance.is_replica()) {
            (true, _) => {
                Prepared::would(Diff::one(plan.to_string(), "cut off at its edge", "accepts writes"), before)
            }
            (false, true) => {
                Prepared::unknown("it is a replica, and takes no writes: promote it instead", before)
            }
            (false, false) if instance.status.serves() => Prepared::already(before),
            (false, false) => Prepared::unknown(format!("it is {}", instance.status), before),
        })
    }

    async fn apply(&self, cx: &Cx, call: &Unfence, _: &Prepared) -> Result<Unfenced> {
        let name = call.side.side()?;
        let plan = self.side(name)?;
        if self.present(cx, plan).await?.is_replica() {
            return Err(Error::refused("it is a replica: promote it instead").on(plan.to_string()));
        }
        self.nobody_else_writes(cx, name, true).await?;
        edge_fence::open(cx, &self.edge(name)?).await?;
        Ok(Unfenced { side: name.clone() })
    }
}
