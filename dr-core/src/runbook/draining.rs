//! `scale … after_drain`: capacity is taken from a side only after its callers are gone.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::error::{Error, Result};
use crate::resource::{Before, Cx, Effect, Prepared, Routed, Scale, Scaled};
use crate::time::{Timestamp, show_duration};

/// How long after a caller's cache should have ended it is believed to have.
const MARGIN: Duration = Duration::from_secs(1);

/// Wraps a backend's scale: waits out the old TTL and a margin after the last old answer of every route before it.
#[derive(Debug)]
pub(super) struct Drainer(pub(super) Arc<dyn Effect<Scale>>);

impl Drainer {
    fn drained_at(cx: &Cx) -> Option<Timestamp> {
        cx.earlier
            .all::<Routed>()
            .into_iter()
            .map(|routed| routed.last_old_answer.plus(routed.old_ttl).plus(MARGIN))
            .max()
    }
}

#[async_trait]
impl Effect<Scale> for Drainer {
    async fn prepare(&self, cx: &Cx, call: &Scale) -> Result<Prepared> {
        self.0.prepare(cx, call).await
    }

    async fn apply(&self, cx: &Cx, call: &Scale, was: &Prepared) -> Result<Scaled> {
        if call.after_drain && !was.is_already() {
            let drained = Self::drained_at(cx).ok_or_else(|| {
                Error::refused("after_drain needs a route before it in this run").during("scale")
            })?;
            let left = drained.since(cx.now());
            if !left.is_zero() {
                cx.progress.say(format!("waiting {} for callers' caches to end", show_duration(left)));
                cx.bound("drain", async {
                    tokio::time::sleep(left).await;
                    Ok(())
                })
                .await
                .map_err(Error::not_happened)?;
            }
        }
        self.0.apply(cx, call, was).await
    }

    async fn undo(&self, cx: &Cx, call: &Scale, was: &Before) -> Result<()> {
        self.0.undo(cx, call, was).await
    }

    fn reads(&self) -> std::ops::RangeInclusive<u32> {
        self.0.reads()
    }
}
