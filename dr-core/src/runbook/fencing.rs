//! The verb `fence`: a backend's fence, and the one condition under which silence stands for it.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::watchers::Watchers;
use crate::error::{Error, ErrorKind, Result};
use crate::ids::{ResourceName, Side};
use crate::resource::{
    Before, Cx, Effect, Fence, FenceOutcome, Observe, Prepared, Reach, Replication, Role, Standing, Urgency,
};

/// Wraps a backend's fence. Only here silence becomes [`FenceOutcome::Accepted`]: in an unplanned run, where the plan
/// says so, and after every vantage point agrees. `Hung` is alive: it is never accepted by time.
#[derive(Debug)]
pub(super) struct Fencer {
    pub(super) resource: ResourceName,
    pub(super) inner: Arc<dyn Effect<Fence>>,
    pub(super) observer: Option<Arc<dyn Observe<Replication>>>,
    pub(super) watchers: Arc<dyn Watchers>,
}

const AGAIN_AFTER: Duration = Duration::from_millis(250);
const LOOK_WITHIN: Duration = Duration::from_secs(5);

impl Fencer {
    /// The guard: tries again and again while there is no answer, so that the side is fenced as it returns. Not if it
    /// is the rightful writer by then: a guard that was cut off itself may wake long after a failback.
    async fn on_return(&self, cx: &Cx, call: &Fence, was: &Prepared) -> Result<FenceOutcome> {
        let side = call.side.side()?;
        loop {
            let fenced = match self.inner.prepare(cx, call).await {
                Err(error) => Err(error),
                Ok(_) if self.is_only_writer(cx, side).await => {
                    return Err(Error::refused(
                        "it is the only side that takes writes, and the others are proven not to: there is nothing to guard",
                    )
                    .on(side.as_str()));
                }
                Ok(_) => self.inner.apply(cx, call, was).await,
            };
            match fenced {
                Err(error) if matches!(error.kind(), ErrorKind::Unreachable | ErrorKind::Hung) => {
                    cx.progress.say(format!("waiting for {} to return", call.side));
                    if cx.left() <= AGAIN_AFTER || cx.cancel.is_cancelled() {
                        return Err(error);
                    }
                }
                other => return other,
            }
            tokio::time::sleep(AGAIN_AFTER).await;
        }
    }

    /// Whether a side takes writes and every node of every other is known not to.
    async fn is_only_writer(&self, cx: &Cx, side: &Side) -> bool {
        let Some(observer) = &self.observer else { return false };
        let cx = cx.within(LOOK_WITHIN);
        let Ok(seen) = cx.bound("look", observer.observe(&cx)).await else { return false };
        let others = seen.sides.iter().filter(|(other, _)| *other != side);
        let mut others = others.flat_map(|(_, state)| &state.nodes).peekable();
        seen.writable_sides() == [side]
            && others.peek().is_some()
            && others.all(|node| match node.role {
                Role::Standby => node.reach == Reach::Answers,
                Role::Stopped => true,
                Role::Primary | Role::Unknown => false,
            })
    }
}

#[async_trait]
impl Effect<Fence> for Fencer {
    async fn prepare(&self, cx: &Cx, call: &Fence) -> Result<Prepared> {
        match self.inner.prepare(cx, call).await {
            Err(error)
                if error.kind() == ErrorKind::Unreachable
                    && (call.when_unreachable.is_some() || call.await_return) =>
            {
                Ok(Prepared::unknown(error.chain(), Before::nothing()))
            }
            other => other,
        }
    }

    async fn apply(&self, cx: &Cx, call: &Fence, was: &Prepared) -> Result<FenceOutcome> {
        if call.await_return {
            return self.on_return(cx, call, was).await;
        }
        let Some(policy) = call.when_unreachable.as_ref().filter(|_| cx.urgency == Urgency::Unplanned) else {
            return self.inner.apply(cx, call, was).await;
        };
        let side = call.side.side()?;
        loop {
            let error = match self.inner.apply(cx, call, was).await {
                Ok(outcome) => return Ok(outcome),
                Err(error) if error.kind() == ErrorKind::Unreachable => error,
                Err(error) => return Err(error),
            };
            let heard = self.watchers.silence(&self.resource, side, policy, cx.now()).await?;
            let why = match heard {
                Ok(risk) => return Ok(FenceOutcome::Accepted(risk)),
                Err(why) => why,
            };
            cx.progress.say(format!("{side} is silent and not fenced: {why}"));
            if cx.left() <= AGAIN_AFTER || cx.cancel.is_cancelled() {
                return Err(Error::new(
                    ErrorKind::Unreachable,
                    format!("its silence is not accepted: {why}"),
                )
                .because(error)
                .during("fence")
                .on(side.as_str()));
            }
            tokio::time::sleep(AGAIN_AFTER).await;
        }
    }

    async fn undo(&self, cx: &Cx, call: &Fence, was: &Before) -> Result<()> {
        let accepted = cx.earlier.of(&cx.step).map(serde_json::from_value::<FenceOutcome>);
        if matches!(accepted, Some(Ok(FenceOutcome::Accepted(_)))) {
            // Nothing was done to the silent side: there is nothing to lift.
            return Ok(());
        }
        if !was.data.is_null() {
            return self.inner.undo(cx, call, was).await;
        }
        // It was silent when the fence was begun. What it is now says what is to be kept of it.
        let now = self.inner.prepare(cx, call).await?;
        match now.standing {
            Standing::Would { .. } => self.inner.undo(cx, call, &now.before).await,
            Standing::Already | Standing::Unknown { .. } => Err(Error::refused(format!(
                "{} is fenced or cannot be read, and nobody knows what it was before it fell silent: if it is to take writes, lift its fence by hand",
                call.side
            ))),
        }
    }

    fn reads(&self) -> std::ops::RangeInclusive<u32> {
        self.inner.reads()
    }
}

#[cfg(test)]
mod tests;
