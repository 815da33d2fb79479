//! Alarms that nobody hears.

use std::sync::Arc;

use dr_core::resource::{Alarms, Before, Cx, Effect, Observe, Prepared, Trigger, Triggered};
use dr_core::{Result, async_trait};
use dr_testkit::suite;

use super::{breaks, inner};
use crate::fixture::Twin;

/// Is content when the call was accepted.
#[derive(Debug)]
struct Content(Arc<dyn Effect<Trigger>>);

#[async_trait]
impl Effect<Trigger> for Content {
    async fn prepare(&self, cx: &Cx, call: &Trigger) -> Result<Prepared> {
        self.0.prepare(cx, call).await
    }

    async fn apply(&self, cx: &Cx, call: &Trigger, was: &Prepared) -> Result<Triggered> {
        let side = call.side.side()?.clone();
        let reached = vec!["on call".to_owned()];
        Ok(self.0.apply(cx, call, was).await.unwrap_or_else(|_| Triggered::new(side, reached)))
    }

    async fn undo(&self, cx: &Cx, call: &Trigger, was: &Before) -> Result<()> {
        self.0.undo(cx, call, was).await
    }
}

#[tokio::test(start_paused = true)]
async fn an_alarm_that_nobody_heard() {
    let twin = Twin::of(|small| {
        let good = small.pager.resource();
        let wrong = Content(inner(&good));
        good.with::<Trigger>(Arc::new(wrong))
    });
    let report = suite::alarm(&twin).await;
    breaks(&report, "where nobody hears it, it fails");
    breaks(&report, "where it does not act, it fails");
    breaks(&report, "not seen to be quiet again");
}

/// Takes no data for quiet.
#[derive(Debug)]
struct Calm(Arc<dyn Observe<Alarms>>);

#[async_trait]
impl Observe<Alarms> for Calm {
    async fn observe(&self, cx: &Cx) -> Result<Alarms> {
        let mut seen = self.0.observe(cx).await?;
        for alarm in seen.sides.values_mut().flatten().flatten() {
            alarm.stands = dr_core::resource::AlarmStands::Quiet;
        }
        Ok(seen)
    }
}

#[tokio::test(start_paused = true)]
async fn an_alarm_without_data_that_is_taken_for_quiet() {
    let twin = Twin::of(|small| {
        let good = small.pager.resource();
        let wrong = Calm(good.observer::<Alarms>().unwrap());
        good.observing::<Alarms>(Arc::new(wrong))
    });
    breaks(&suite::alarm(&twin).await, "an alarm without data is not quiet");
}
