//! The verb `promote`: another cluster of the global database becomes its writer.

use std::time::Duration;

use dr_core::resource::{Basis, Before, Cx, Diff, Effect, Prepared, Promote, Promotion};
use dr_core::{Error, ErrorKind, Result, async_trait};
use serde::{Deserialize, Serialize};

use super::cluster::Cluster;
use super::config::SidePlan;
use super::global::Global;
use super::store::Aurora;
use crate::database::asked::Asked;
use crate::database::note::{KEYS, Note};
use crate::waiting::{Look, Pace, until};

/// Nothing that moves by itself: a saved plan is held against it.
#[derive(Debug, Serialize, Deserialize)]
struct Was {
    cluster: String,
    writer: Option<String>,
}

/// Which of the two ways.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// `SwitchoverGlobalCluster`: Aurora stops writes, waits for the secondary, and loses nothing.
    Switchover,
    /// `FailoverGlobalCluster` with `AllowDataLoss`.
    Failover,
}

#[async_trait]
impl Effect<Promote> for Aurora {
    async fn prepare(&self, cx: &Cx, call: &Promote) -> Result<Prepared> {
        let plan = self.side(call.side.side()?)?;
        let (cluster, global) = self.both(cx, plan).await?;
        let was = Was {
            cluster: cluster.arn.to_string(),
            writer: global.writer().map(|member| member.cluster.to_string()),
        };
        let before = Before::of(&was)?;
        let would =
            |from: String| Prepared::would(Diff::one(plan.to_string(), from, "the writer"), before.clone());
        let Some(member) = global.member(&cluster.arn) else {
            return Ok(Prepared::unknown("it is no cluster of the global database any more", before));
        };
        Ok(match (global.under_way(), member.writer) {
            (Some(why), _) => would(why),
            (None, false) => would("secondary".to_owned()),
            (None, true) if is_closed(plan, &cluster) => would("the writer, cut off at its edge".to_owned()),
            (None, true) if cluster.status.serves() => Prepared::already(before),
            (None, true) => would(format!("the writer, {}", cluster.status)),
        })
    }

    async fn apply(&self, cx: &Cx, call: &Promote, _: &Prepared) -> Result<Promotion> {
        let side = call.side.side()?;
        let plan = self.side(side)?;
        let first = |error: Error| if cx.attempt == 1 { error.not_happened() } else { error };
        let basis = grounded(call).map_err(first)?;
        let (cluster, global) = self.both(cx, plan).await.map_err(|error| match cx.attempt {
            1 => error.not_happened(),
            _ => Error::new(error.kind(), "whether it became the writer could not be read").because(error),
        })?;
        let is_writer = global.member(&cluster.arn).is_some_and(|member| member.writer);
        // A request that was noted may still arrive, and be the one that is carried out.
        let asked_before = !matches!(Note::read(&cluster.tags), Ok(None));
        let joined = is_writer || asked_before || global.switches_to(&cluster.arn);
        let way = match &basis {
            Basis::Planned { .. } => Way::Switchover,
            Basis::Forced { .. } => Way::Failover,
        };
        let promoted = self.carry_out(cx, plan, way).await?;
        if is_closed(plan, &promoted) {
            return Err(Error::refused("it is the writer, and cut off at its edge: `unfence` it")
                .on(plan.to_string()));
        }
        self.forget(cx, plan, &promoted).await;
        let basis = if joined { basis.of_an_earlier_attempt(cx) } else { basis };
        // As with `rds`: the moment is the one at which RDS said so, not a row that was read back.
        Ok(Promotion::new(side.clone(), cx.now(), basis).told_by("Aurora"))
    }

    /// Cancels. Aurora takes no request to cancel, so this only proves that nothing was begun and nothing can be: no
    /// switch is told of, the secondary is one, and the last request was so long ago that it can have no effect any more.
    async fn undo(&self, cx: &Cx, call: &Promote, was: &Before) -> Result<()> {
        let plan = self.side(call.side.side()?)?;
        let was: Was = was.read()?;
        let on = |error: Error| error.on(plan.to_string());
        let (cluster, global) = self.both(cx, plan).await?;
        let writer = global.writer().map(|member| member.cluster.to_string());
        if writer.is_none() || writer != was.writer || writer == Some(was.cluster) {
            let message = "too late: the writer is not the one that it was before";
            return Err(on(Error::new(ErrorKind::Conflict, message).permanent()));
        }
        if let Some(why) = global.under_way() {
            return Err(on(Error::new(
                ErrorKind::NotReady,
                format!("{why}, and Aurora takes no request to cancel it"),
            )));
        }
        let note = Note::read(&cluster.tags).map_err(|why| on(Error::new(ErrorKind::Unknown, why)))?;
        let Some(note) = note else { return Ok(()) };
        let now = cx.now();
        if !note.is_over(now) {
            let left = note.over_at().since(now).max(Duration::from_secs(1));
            let message = format!("{}; undo it then", note.pending());
            return Err(on(Error::new(ErrorKind::NotReady, message).transient(Some(left))));
        }
        self.api(plan).untag(cx, &cluster.arn, &KEYS).await
    }
}

impl Aurora {
    async fn both(&self, cx: &Cx, plan: &SidePlan) -> Result<(Cluster, Global)> {
        let (cluster, global) = futures_util::join!(self.present(cx, plan), self.global(cx));
        Ok((cluster?, global?))
    }

    /// Asks for it and looks until it is so; joins one that is under way.
    async fn carry_out(&self, cx: &Cx, plan: &SidePlan, way: Way) -> Result<Cluster> {
        let asked = Asked::new(cx);
        let result = until(cx, "promotion", Pace::STEADY, async || {
            let (cluster, global) = self.both(cx, plan).await?;
            let member = global.member(&cluster.arn).ok_or_else(|| {
                Error::new(ErrorKind::Conflict, "it is no cluster of the global database any more")
                    .permanent()
            })?;
            if global.switches_to(&cluster.arn) {
                asked.is_under_way();
            }
            match (member.writer, global.under_way()) {
                (true, None) if cluster.status.serves() => return Ok(Look::Done(cluster)),
                // A failover is over for the callers when the cluster writes, whatever becomes of the lost region.
                (true, Some(_))
                    if way == Way::Failover && global.switch.is_none() && cluster.status.serves() =>
                {
                    return Ok(Look::Done(cluster));
                }
                (true, why) => {
                    let why = why.unwrap_or_else(|| format!("{plan} is {}", cluster.status));
                    return Ok(Look::Not(why));
                }
                (false, Some(why)) => {
                    let elsewhere = global.switch.as_ref().and_then(|switch| switch.to.as_ref());
                    if elsewhere.is_some_and(|to| *to != cluster.arn) {
                        return Err(Error::new(ErrorKind::Conflict, format!("{why}, which is not this one"))
                            .permanent());
                    }
                    if global.switch.is_some() || way == Way::Switchover {
                        return Ok(Look::Not(why));
                    }
                }
                (false, None) => {}
            }
            if !cluster.status.serves() || !asked.is_due() {
                return Ok(Look::Not(format!("{plan} is {}", cluster.status)));
            }
            let note = Note { run: cx.run.as_str().to_owned(), asked: cx.now() };
            self.api(plan).tag(cx, &cluster.arn, &note.to_tags()?).await?;
            let answer = self.request(cx, plan, &cluster, &global, way).await;
            asked.take(&format!("{plan}: its promotion"), answer)
        });
        result.await.map_err(|error| asked.judge(error).on(plan.to_string()))
    }

    /// A switchover is asked for where the writer is, a failover where the new one is: nothing of the lost region is
    /// needed for it.
    async fn request(
        &self,
        cx: &Cx,
        plan: &SidePlan,
        cluster: &Cluster,
        global: &Global,
        way: Way,
    ) -> Result<()> {
        let to = cluster.arn.to_string();
        match way {
            Way::Switchover => {
                let writer = global.writer().and_then(|member| self.side_of(&member.cluster));
                let (_, writer) = writer.ok_or_else(|| {
                    Error::refused("the writer of the global database is no side of the plan")
                        .on(self.plan.global.clone())
                })?;
                let api = self.api(writer);
                api.changes("rds:SwitchoverGlobalCluster")
                    .ask(cx, || {
                        api.client
                            .switchover_global_cluster()
                            .global_cluster_identifier(&self.plan.global)
                            .target_db_cluster_identifier(&to)
                            .send()
                    })
                    .await?;
            }
            Way::Failover => {
                let api = self.api(plan);
                api.changes("rds:FailoverGlobalCluster")
                    .ask(cx, || {
                        api.client
                            .failover_global_cluster()
                            .global_cluster_identifier(&self.plan.global)
                            .target_db_cluster_identifier(&to)
                            .allow_data_loss(true)
                            .send()
                    })
                    .await?;
            }
        }
        Ok(())
    }

    /// The note has served its end. That it stays would harm nobody: it speaks of a request, and ages.
    async fn forget(&self, cx: &Cx, plan: &SidePlan, cluster: &Cluster) {
        if matches!(Note::read(&cluster.tags), Ok(None)) {
            return;
        }
        if let Err(error) = self.api(plan).untag(cx, &cluster.arn, &KEYS).await {
            cx.progress.say(format!("the note of the promotion stays on {plan}: {error}"));
        }
    }
}

fn is_closed(plan: &SidePlan, cluster: &Cluster) -> bool {
    plan.fence.as_ref().is_some_and(|fence| cluster.groups.iter().any(|group| group.id == *fence))
}

/// A switchover stops the old writer by itself and needs no fence; to lose data needs one, or an accepted risk.
fn grounded(call: &Promote) -> Result<Basis> {
    let none = || Error::refused("a promotion without a confirmed fence or an accepted risk");
    match call.basis.clone() {
        None => Err(none()),
        Some(Basis::Forced { fences, risk, .. }) if fences.is_empty() && risk.is_none() => Err(none()),
        Some(basis) => Ok(basis),
    }
}
