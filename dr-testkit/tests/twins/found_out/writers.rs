//! Fleets that remember or believe the wrong thing.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use dr_core::resource::{Before, Cx, Effect, FenceHow, FenceProof, Fencing, Holds, Prepared, Scale, Scaled};
use dr_core::{Result, Side, Timestamp, async_trait};
use dr_testkit::suite;

use super::{as_if, breaks, inner};
use crate::fixture::Twin;

/// Notes at every scale how many there were.
#[derive(Debug)]
struct NotesAlways(Arc<dyn Effect<Scale>>, AtomicU32);

#[async_trait]
impl Effect<Scale> for NotesAlways {
    async fn prepare(&self, cx: &Cx, call: &Scale) -> Result<Prepared> {
        self.0.prepare(cx, call).await
    }

    async fn apply(&self, cx: &Cx, call: &Scale, was: &Prepared) -> Result<Scaled> {
        let nth = self.1.fetch_add(1, Ordering::SeqCst);
        self.0.apply(&as_if(cx, &format!("run-{nth}"), "a/step"), call, was).await
    }

    async fn undo(&self, cx: &Cx, call: &Scale, was: &Before) -> Result<()> {
        self.0.undo(cx, call, was).await
    }
}

/// Never notes anew.
#[derive(Debug)]
struct NotesOnce(Arc<dyn Effect<Scale>>);

#[async_trait]
impl Effect<Scale> for NotesOnce {
    async fn prepare(&self, cx: &Cx, call: &Scale) -> Result<Prepared> {
        self.0.prepare(cx, call).await
    }

    async fn apply(&self, cx: &Cx, call: &Scale, was: &Prepared) -> Result<Scaled> {
        self.0.apply(&as_if(cx, "run-for-ever", "a/step"), call, was).await
    }

    async fn undo(&self, cx: &Cx, call: &Scale, was: &Before) -> Result<()> {
        self.0.undo(cx, call, was).await
    }
}

#[tokio::test(start_paused = true)]
async fn a_before_that_is_not_before_the_run() {
    let always = Twin::of(|small| {
        let good = small.services.resource();
        let wrong = NotesAlways(inner(&good), AtomicU32::new(0));
        good.with::<Scale>(Arc::new(wrong))
    });
    breaks(&suite::workloads(&always).await, "before the run first scaled that side");
    let once = Twin::of(|small| {
        let good = small.services.resource();
        let wrong = NotesOnce(inner(&good));
        good.with::<Scale>(Arc::new(wrong))
    });
    breaks(&suite::workloads(&once).await, "a later run notes anew");
}

/// Believes for ever in a fence that it once set.
#[derive(Debug)]
struct Believes;

#[async_trait]
impl Holds for Believes {
    async fn holds(&self, _cx: &Cx, side: &Side) -> Result<Fencing> {
        let since = Timestamp::from_millis(1_800_000_000_000);
        Ok(Fencing::Confirmed(FenceProof::new(side.clone(), FenceHow::NoWriters, since)))
    }
}

#[tokio::test(start_paused = true)]
async fn a_fence_that_is_believed_in() {
    let twin = Twin::of(|small| small.services.resource().fencing(Arc::new(Believes)));
    let report = suite::fence(&twin).await;
    breaks(&report, "a fence that somebody lifted is not confirmed");
    breaks(&report, "silence is no fence");
    breaks(&report, "before, it is open");
}
