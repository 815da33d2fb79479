//! Callers who are sent where nobody asked for.

use std::sync::Arc;

use dr_core::resource::{Before, Cx, Effect, Prepared, Route, Routed, Share};
use dr_core::{Result, async_trait};
use dr_testkit::suite;

use super::{breaks, inner};
use crate::fixture::Twin;

/// Sends all callers where a share was asked for, to its own address, and says otherwise.
#[derive(Debug)]
struct AllOfThem(Arc<dyn Effect<Route>>);

impl AllOfThem {
    fn all(call: &Route) -> Route {
        Route { share: Share::ALL, values: None, ..call.clone() }
    }
}

#[async_trait]
impl Effect<Route> for AllOfThem {
    async fn prepare(&self, cx: &Cx, call: &Route) -> Result<Prepared> {
        self.0.prepare(cx, &Self::all(call)).await
    }

    async fn apply(&self, cx: &Cx, call: &Route, was: &Prepared) -> Result<Routed> {
        Ok(self.0.apply(cx, &Self::all(call), was).await?.sharing(call.share))
    }

    async fn undo(&self, cx: &Cx, call: &Route, was: &Before) -> Result<()> {
        self.0.undo(cx, call, was).await
    }
}

#[tokio::test(start_paused = true)]
async fn all_callers_where_a_share_was_asked_for() {
    let wrong = |small: &crate::fixture::Small| {
        let good = small.entry.resource();
        let wrong = AllOfThem(inner(&good));
        good.with::<Route>(Arc::new(wrong))
    };
    let report = suite::traffic(&Twin::shared(wrong)).await;
    breaks(&report, "a share is what the side gets");
    breaks(&report, "an address that the call brings is used");
    breaks(&suite::all_or_none(&Twin::of(wrong)).await, "a share of the callers is refused");
}

/// Puts every caller back to where the run began, whatever step is undone.
#[derive(Debug)]
struct BackToNone(Arc<dyn Effect<Route>>);

#[async_trait]
impl Effect<Route> for BackToNone {
    async fn prepare(&self, cx: &Cx, call: &Route) -> Result<Prepared> {
        self.0.prepare(cx, call).await
    }

    async fn apply(&self, cx: &Cx, call: &Route, was: &Prepared) -> Result<Routed> {
        self.0.apply(cx, call, was).await
    }

    async fn undo(&self, cx: &Cx, _call: &Route, _was: &Before) -> Result<()> {
        let home = Route::to("east");
        let was = self.0.prepare(cx, &home).await?;
        self.0.apply(cx, &home, &was).await.map(drop)
    }
}

#[tokio::test(start_paused = true)]
async fn an_undo_that_takes_every_caller_back() {
    let twin = Twin::shared(|small| {
        let good = small.entry.resource();
        let wrong = BackToNone(inner(&good));
        good.with::<Route>(Arc::new(wrong))
    });
    breaks(&suite::traffic(&twin).await, "puts back the share before it, not none");
}
