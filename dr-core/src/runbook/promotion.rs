//! The verb `promote`: on what ground another side may be made writable. The same for every backend.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::Instant;

use super::watchers::Watchers;
use crate::error::{Error, ErrorKind, Happened, Result, Retry};
use crate::ids::{ResourceName, Side};
use crate::resource::{
    AcceptLoss, Basis, Before, Cx, Effect, FenceOutcome, FenceProof, Fencing, Holds, LossBound, Observe,
    Prepared, Promote, Promotion, Replication, Risk, Role, SilencePolicy, Urgency,
};
use crate::time::{Timestamp, show_duration};

/// A fence that has to hold while this store is promoted.
#[derive(Debug, Clone)]
pub(super) struct Guarding {
    pub(super) resource: ResourceName,
    pub(super) side: Side,
    pub(super) holds: Arc<dyn Holds>,
    pub(super) policy: Option<SilencePolicy>,
    pub(super) step: crate::ids::StepId,
    /// In which runs that fence is set; in all, if `None`.
    pub(super) when: Option<Urgency>,
}

/// Wraps a backend's promotion: confirms every fence anew in each attempt, bounds the loss, and fills in the basis.
#[derive(Debug)]
pub(super) struct Promoter {
    pub(super) inner: Arc<dyn Effect<Promote>>,
    pub(super) observer: Arc<dyn Observe<Replication>>,
    pub(super) guarding: Vec<Guarding>,
    /// The store and side whose own fence has to be among them, where the store can be fenced itself.
    pub(super) own: Option<(ResourceName, Side)>,
    /// Whether the store's planned promotion fences the old writer by itself.
    pub(super) fences_itself: bool,
    pub(super) watchers: Arc<dyn Watchers>,
    pub(super) outage_since: Option<Timestamp>,
}

/// What the fences say now.
struct Ground {
    proofs: Vec<FenceProof>,
    risk: Option<Risk>,
}

const AGAIN_AFTER: Duration = Duration::from_millis(50);

impl Promoter {
    async fn ground(&self, cx: &Cx) -> Result<Ground> {
        let guarding: Vec<&Guarding> =
            self.guarding.iter().filter(|fence| fence.when.is_none_or(|when| when == cx.urgency)).collect();
        let by_itself = self.fences_itself && cx.urgency == Urgency::Planned;
        if guarding.is_empty() && !by_itself {
            return Err(Error::refused("no fence stands before this promotion").during("promote"));
        }
        if let Some((store, side)) = self.own.as_ref().filter(|_| !by_itself)
            && !guarding.iter().any(|fence| fence.resource == *store && fence.side == *side)
        {
            return Err(Error::refused(format!(
                "no fence of `{store}` itself on {side} stands before this promotion"
            ))
            .during("promote"));
        }
        let mut ground = Ground { proofs: Vec::new(), risk: None };
        for fence in guarding {
            match self.confirm(cx, fence).await? {
                FenceOutcome::Confirmed(proof) => ground.proofs.push(proof),
                FenceOutcome::Accepted(risk) => ground.risk = Some(risk),
            }
        }
        Ok(ground)
    }

    /// Looks at one fence again. A risk that was accepted earlier has to be acceptable still.
    async fn confirm(&self, cx: &Cx, fence: &Guarding) -> Result<FenceOutcome> {
        let open = |why: String| {
            let side = &fence.side;
            let told = format!(
                "{side} is not fenced: {why}; shut {side} by hand and resume, or abort and begin a new run, which fences it anew"
            );
            Err(Error::refused(told).during("promote"))
        };
        let accepted_before = matches!(
            cx.earlier.of(&fence.step).map(serde_json::from_value::<FenceOutcome>),
            Some(Ok(FenceOutcome::Accepted(_)))
        );
        match fence.holds.holds(cx, &fence.side).await {
            Ok(Fencing::Confirmed(proof)) => Ok(FenceOutcome::Confirmed(proof)),
            Ok(Fencing::Open { why } | Fencing::Unknown { why }) => open(why),
            Ok(Fencing::Hung) => {
                open("it accepts connections and does not answer, so it is alive".to_owned())
            }
            Ok(Fencing::Unreachable) if accepted_before => self.silence(cx, fence).await,
            Err(error) if accepted_before && error.kind() == ErrorKind::Unreachable => {
                self.silence(cx, fence).await
            }
            Ok(Fencing::Unreachable) => open("it cannot be reached, and silence is no fence".to_owned()),
            Err(error) => Err(Error::refused(format!("whether {} is fenced cannot be learnt", fence.side))
                .because(error)
                .during("promote")),
        }
    }

    async fn silence(&self, cx: &Cx, fence: &Guarding) -> Result<FenceOutcome> {
        let Some(policy) = &fence.policy else {
            return Err(Error::refused(format!("{} is silent, and the plan accepts no silence", fence.side)));
        };
        match self.watchers.silence(&fence.resource, &fence.side, policy, cx.now()).await? {
            Ok(risk) => Ok(FenceOutcome::Accepted(risk)),
            Err(why) => {
                Err(Error::refused(format!("the silence of {} is not accepted any more: {why}", fence.side)))
            }
        }
    }

    /// What may be missing on the target: from its last replayed commit to the outage's beginning, or to now. A commit
    /// after that beginning shows that the source went on: then to now. One after now shows that the clocks disagree.
    async fn loss(&self, cx: &Cx, side: &Side) -> Result<LossBound> {
        let seen = self.observer.observe(cx).await?;
        let last = seen
            .sides
            .get(side)
            .into_iter()
            .flat_map(|state| &state.nodes)
            .filter(|node| node.role == Role::Standby)
            .filter_map(|node| node.last_commit)
            .max();
        let now = cx.now();
        Ok(match last {
            None => LossBound::Unknown {
                why: "the target does not say when its last transaction was committed".to_owned(),
            },
            Some(last) if last > now => LossBound::Unknown {
                why: format!(
                    "the target's last commit is dated {} from now: the clocks disagree",
                    show_duration(last.since(now))
                ),
            },
            Some(last) => {
                let (until, from) = match self.outage_since.filter(|since| *since >= last) {
                    Some(since) => (since, "the outage's beginning less the target's last commit"),
                    None => (now, "now less the target's last commit"),
                };
                LossBound::AtMost { time: until.since(last), from: from.to_owned() }
            }
        })
    }

    async fn loss_if_unplanned(&self, cx: &Cx, side: &Side) -> Result<LossBound> {
        match cx.urgency {
            Urgency::Planned => Ok(LossBound::Unknown { why: "a planned run loses nothing".to_owned() }),
            Urgency::Unplanned => self.loss(cx, side).await.map_err(Error::not_happened),
        }
    }

    /// Whether the plan accepts that loss. A target that an earlier attempt may be promoting need not tell any more what
    /// it has: nothing is asked anew then, and the next look sees what became of it.
    fn accept(cx: &Cx, call: &Promote, loss: &LossBound) -> Result<()> {
        match (call.accept_loss, loss) {
            (Some(AcceptLoss::Unknown), LossBound::AtMost { .. } | LossBound::Unknown { .. }) => Ok(()),
            (Some(AcceptLoss::AtMost(accepted)), LossBound::AtMost { time, .. }) if *time <= accepted => {
                Ok(())
            }
            (Some(AcceptLoss::AtMost(accepted)), LossBound::AtMost { time, from }) => {
                Err(Error::refused(format!(
                    "up to {} may be lost ({from}), the plan accepts {}: write `accept_loss: unknown`, or a longer time, and resume",
                    show_duration(*time),
                    show_duration(accepted)
                )))
            }
            (Some(AcceptLoss::AtMost(_)), LossBound::Unknown { why }) => {
                let unknown =
                    format!("what may be lost is unknown ({why}): only `accept_loss: unknown` accepts that");
                Err(match cx.may_have_acted {
                    true => Error::new(
                        ErrorKind::NotReady,
                        format!(
                            "an earlier attempt may have asked for it, and it has not ended yet; if it never does, {unknown}"
                        ),
                    ),
                    false => Error::refused(unknown),
                })
            }
            (None, LossBound::AtMost { .. } | LossBound::Unknown { .. }) => Err(Error::refused(
                "an unplanned promotion needs `accept_loss` on its step: a time, or unknown",
            )),
        }
    }

    /// Tries the planned proof for as long as `cx` allows; a `NotReady` that is permanent says that it never comes.
    async fn planned(
        &self,
        cx: &Cx,
        call: &Promote,
        was: &Prepared,
        fences: Vec<FenceProof>,
    ) -> Result<Promotion> {
        let call = Promote { basis: Some(Basis::Planned { fences }), ..call.clone() };
        loop {
            match self.inner.apply(cx, &call, was).await {
                Err(error) if error.kind() == ErrorKind::NotReady => {
                    let hopeless = error.retry() == Retry::Permanent;
                    if hopeless || cx.left() <= AGAIN_AFTER || cx.cancel.is_cancelled() {
                        return Err(error);
                    }
                    cx.progress.say(error.message());
                    tokio::time::sleep(AGAIN_AFTER).await;
                }
                other => return other,
            }
        }
    }
}

/// An error after a try that may have acted is in doubt as well.
fn in_doubt(error: Error, doubt: Happened) -> Error {
    match doubt {
        Happened::No => error,
        Happened::Maybe => Error::new(error.kind(), error.message().to_owned()).because(error),
    }
}

#[async_trait]
impl Effect<Promote> for Promoter {
    async fn prepare(&self, cx: &Cx, call: &Promote) -> Result<Prepared> {
        self.inner.prepare(cx, call).await
    }

    async fn apply(&self, cx: &Cx, call: &Promote, was: &Prepared) -> Result<Promotion> {
        let side = call.side.side()?.clone();
        // Side by side: with the source black-holed each of the two waits for its silence.
        let (ground, loss) = futures_util::join!(self.ground(cx), self.loss_if_unplanned(cx, &side));
        let ground = ground?;
        if was.is_already() && cx.urgency == Urgency::Unplanned {
            // An earlier attempt promoted it and its reply was lost. What it would have found before is gone.
            let why = "it was promoted before its outcome could be recorded".to_owned();
            let loss = LossBound::Unknown { why };
            let basis = Basis::Forced { fences: ground.proofs, risk: ground.risk, loss };
            return self.inner.apply(cx, &Promote { basis: Some(basis), ..call.clone() }, was).await;
        }
        let mut doubt = Happened::No;
        if ground.risk.is_none() {
            // Every writer is fenced: the run may insist on losing nothing, and an unplanned one tries to.
            let tried = match cx.urgency {
                Urgency::Planned => return self.planned(cx, call, was, ground.proofs).await,
                Urgency::Unplanned => {
                    let until = cx.deadline.min(Instant::now() + call.graceful_for);
                    let graceful = cx.within(until.saturating_duration_since(Instant::now()));
                    self.planned(&graceful, call, was, ground.proofs.clone()).await
                }
            };
            match tried {
                Err(error) if error.kind() == ErrorKind::NotReady => {
                    cx.progress.say(format!("the planned proof cannot be had: {}", error.message()));
                    doubt = error.happened();
                }
                other => return other,
            }
        } else if cx.urgency == Urgency::Planned {
            return Err(Error::refused("a planned run does not promote beside a side that is not fenced"));
        }
        let accepted = loss.and_then(|loss| Self::accept(cx, call, &loss).map(|()| loss));
        let loss = accepted.map_err(|error| in_doubt(error, doubt))?;
        let basis = Basis::Forced { fences: ground.proofs, risk: ground.risk, loss };
        self.inner.apply(cx, &Promote { basis: Some(basis), ..call.clone() }, was).await
    }

    async fn undo(&self, cx: &Cx, call: &Promote, was: &Before) -> Result<()> {
        self.inner.undo(cx, call, was).await
    }

    fn reads(&self) -> std::ops::RangeInclusive<u32> {
        self.inner.reads()
    }
}

#[cfg(test)]
mod tests;
