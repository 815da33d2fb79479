//! The verb `follow`: Aurora takes the old writer back by itself; this waits for it, and opens its edge again.
//!
//! After a switchover the old writer is a secondary at once. After a failover Aurora rebuilds it from the new writer when
//! its region is back, and keeps a snapshot of what it had: `rds:unplanned-global-failover-…`
//! (<https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/aurora-global-database-disaster-recovery.html>).

use dr_core::resource::{
    Basis, Before, Cx, Diff, Divergence, Effect, Follow, FollowHow, Following, Prepared, Promotion,
};
use dr_core::{Error, ErrorKind, Result, async_trait};

use super::cluster::Cluster;
use super::config::SidePlan;
use super::global::Global;
use super::store::Aurora;
use crate::database::status::Condition;
use crate::edge_fence;
use crate::waiting::{Look, Pace, until};

#[async_trait]
impl Effect<Follow> for Aurora {
    async fn prepare(&self, cx: &Cx, call: &Follow) -> Result<Prepared> {
        let plan = self.side(call.side.side()?)?;
        let (cluster, global) = self.pair(cx, call).await?;
        let before = Before::nothing();
        let to = "a secondary of the writer";
        Ok(match waiting(&cluster, &global) {
            Ok(None) if is_closed(plan, &cluster) => {
                Prepared::would(Diff::one(plan.to_string(), "a secondary, cut off at its edge", to), before)
            }
            Ok(None) => Prepared::already(before),
            Ok(Some(why)) => Prepared::would(Diff::one(plan.to_string(), why, to), before),
            Err(why) => Prepared::would(Diff::one(plan.to_string(), why.message().to_owned(), to), before),
        })
    }

    async fn apply(&self, cx: &Cx, call: &Follow, was: &Prepared) -> Result<Following> {
        let side = call.side.side()?;
        let plan = self.side(side)?;
        self.pair(cx, call).await.map_err(Error::not_happened)?;
        let cluster = until(cx, "follow", Pace::STEADY, async || {
            let (cluster, global) = self.pair(cx, call).await?;
            match waiting(&cluster, &global).map_err(|error| error.on(plan.to_string()))? {
                None => Ok(Look::Done(cluster)),
                Some(why) => Ok(Look::Not(format!("{plan}: {why}"))),
            }
        })
        .await?;
        if is_closed(plan, &cluster) {
            // It takes no writes as a secondary: what kept its old sessions out keeps its readers out now.
            edge_fence::open(cx, &self.edge(side)?).await?;
        }
        if was.is_already() {
            return Ok(Following::new(side.clone(), FollowHow::Already));
        }
        let forced = cx.earlier.all::<Promotion>().iter().any(|promotion| {
            matches!((&promotion.basis, call.of.side()), (Basis::Forced { .. }, Ok(of)) if promotion.side == *of)
        });
        if !forced {
            return Ok(Following::new(side.clone(), FollowHow::Attached));
        }
        let kept = format!(
            "Aurora's snapshot rds:unplanned-global-failover-… in {}, if it could take one",
            plan.region
        );
        Ok(Following::new(side.clone(), FollowHow::Reseeded)
            .keeping(Some(kept), Some(Divergence::new(None, None, None))))
    }
}

impl Aurora {
    async fn pair(&self, cx: &Cx, call: &Follow) -> Result<(Cluster, Global)> {
        let (side, of) = (call.side.side()?, call.of.side()?);
        if side == of {
            return Err(Error::invalid("a side cannot follow itself"));
        }
        let (plan, of) = (self.side(side)?, self.side(of)?);
        let (cluster, global) = futures_util::join!(self.present(cx, plan), self.global(cx));
        let (cluster, global) = (cluster?, global?);
        let writes = global.writer().is_some_and(|writer| writer.cluster.is(&of.region, &of.cluster));
        if !writes && global.under_way().is_none() {
            return Err(Error::new(ErrorKind::NotReady, "it is not the writer of the global database")
                .on(of.to_string())
                .not_happened());
        }
        Ok((cluster, global))
    }
}

/// What is missing until it follows; `Err` where waiting does not help. Pure.
fn waiting(cluster: &Cluster, global: &Global) -> Result<Option<String>> {
    if let Some(why) = global.under_way() {
        return Ok(Some(why));
    }
    let Some(member) = global.member(&cluster.arn) else {
        return Err(Error::refused(
            "it is no cluster of the global database any more, and Aurora does not take one back: keep it, and add a new \
             cluster under its name (aws rds create-db-cluster --global-cluster-identifier …)",
        ));
    };
    if member.writer {
        return Err(Error::refused("it is the writer itself"));
    }
    match (cluster.status.condition(), member.synchronization.as_deref()) {
        (Condition::Serving, Some("connected") | None) => Ok(None),
        (Condition::Serving, Some(word)) => Ok(Some(format!("its storage is {word}"))),
        (Condition::Changing | Condition::Unknown, _) => Ok(Some(format!("it is {}", cluster.status))),
        (Condition::Stopped | Condition::Broken, _) => {
            Err(Error::refused(format!("it is {}, and will not follow so", cluster.status)))
        }
    }
}

fn is_closed(plan: &SidePlan, cluster: &Cluster) -> bool {
    plan.fence.as_ref().is_some_and(|fence| cluster.groups.iter().any(|group| group.id == *fence))
}
