//! Three ways in which a backend is wrong, and that the suites say of each what is wrong, in the words of the trait.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use dr_core::resource::{
    Before, Cx, Effect, Ledger, Observe, Prepared, Promote, Promotion, Replication, Resource,
};
use dr_core::{Error, ErrorKind, Result, Side, async_trait};
use dr_testkit::suite::{self, Report, Verdict};

use crate::fixture::Redis;

fn promotion(resource: &Resource) -> Arc<dyn Effect<Promote>> {
    resource.effect::<Promote>().unwrap()
}

/// What the report says of a sentence that is broken.
#[track_caller]
fn said<'r>(report: &'r Report, sentence: &str) -> &'r str {
    let case = report.cases().iter().find(|(told, _)| told.contains(sentence));
    match case {
        Some((_, Verdict::Broken(seen))) => seen,
        other => panic!("`{sentence}` is not broken but {other:?}:\n{report}"),
    }
}

#[track_caller]
fn tells(report: &Report, sentence: &str, words: &[&str]) {
    let seen = said(report, sentence);
    words.iter().for_each(|words| assert!(seen.contains(words), "`{words}` is not in:\n{report}"));
}

/// Takes the request's reply for the promotion.
#[derive(Debug)]
struct TooEarly(Arc<dyn Effect<Promote>>);

#[async_trait]
impl Effect<Promote> for TooEarly {
    async fn prepare(&self, cx: &Cx, call: &Promote) -> Result<Prepared> {
        self.0.prepare(cx, call).await
    }

    async fn apply(&self, cx: &Cx, call: &Promote, was: &Prepared) -> Result<Promotion> {
        let basis = call.basis.clone().ok_or_else(|| Error::refused("no basis"))?;
        let (inner, later, asked, was) = (Arc::clone(&self.0), cx.clone(), call.clone(), was.clone());
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(400)).await;
            let _ = inner.apply(&later, &asked, &was).await;
        });
        Ok(Promotion::new(call.side.side()?.clone(), cx.now(), basis))
    }

    async fn undo(&self, cx: &Cx, call: &Promote, was: &Before) -> Result<()> {
        self.0.undo(cx, call, was).await
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_promotion_that_is_told_too_early() {
    let wrong = || {
        Redis::wrong(|good| {
            let early = TooEarly(promotion(&good));
            good.with::<Promote>(Arc::new(early))
        })
    };
    let report = suite::promotion(&wrong()).await;
    tells(
        &report,
        "prepare says `already` once it is so",
        &[
            "`apply` had returned, and `prepare` says: would change",
            "Effect::apply says: Makes it so, and returns when it is so, observed in the system itself",
            "so: a request's reply is not yet the change: look until the system itself shows it",
        ],
    );
    let report = suite::copying(&wrong()).await;
    tells(
        &report,
        "a promotion succeeded means that the side takes writes and nobody else does",
        &[
            "`promote` of west had returned, and no side takes writes",
            "Promote says: Succeeded means: a row was written, committed and read back there",
            "so: write a row and read it back as callers do before `apply` returns",
        ],
    );
}

/// Takes the second request of a promotion for a mistake.
#[derive(Debug)]
struct OnceOnly(Arc<dyn Effect<Promote>>);

#[async_trait]
impl Effect<Promote> for OnceOnly {
    async fn prepare(&self, cx: &Cx, call: &Promote) -> Result<Prepared> {
        self.0.prepare(cx, call).await
    }

    async fn apply(&self, cx: &Cx, call: &Promote, was: &Prepared) -> Result<Promotion> {
        if self.0.prepare(cx, call).await?.is_already() {
            return Err(Error::new(ErrorKind::Conflict, "it is a primary already"));
        }
        self.0.apply(cx, call, was).await
    }

    async fn undo(&self, cx: &Cx, call: &Promote, was: &Before) -> Result<()> {
        self.0.undo(cx, call, was).await
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_promotion_that_fails() {
    let report = suite::promotion(&Redis::wrong(|good| {
        let once = OnceOnly(promotion(&good));
        good.with::<Promote>(Arc::new(once))
    }))
    .await;
    tells(
        &report,
        "a repeat ends in the same world and returns the same outcome",
        &[
            "the second `apply` failed: Conflict/Permanent/Maybe it is a primary already",
            "Effect::apply says: Convergent: a repeat, or a repeat after a lost reply, ends in the same world",
            "so: begin `apply` with a look: where it is so already, change nothing and return the outcome",
        ],
    );
}

/// Does it once more at each attempt, and each leaves something behind.
#[derive(Debug)]
struct Again(Arc<dyn Effect<Promote>>, Arc<dyn Ledger>, AtomicI64);

#[async_trait]
impl Effect<Promote> for Again {
    async fn prepare(&self, cx: &Cx, call: &Promote) -> Result<Prepared> {
        self.0.prepare(cx, call).await
    }

    async fn apply(&self, cx: &Cx, call: &Promote, was: &Prepared) -> Result<Promotion> {
        let promotion = self.0.apply(cx, call, was).await?;
        let attempt = self.2.fetch_add(1, Ordering::Relaxed);
        self.1.write_to(cx, &promotion.side, &format!("attempt-{attempt}"), attempt).await;
        Ok(promotion)
    }

    async fn undo(&self, cx: &Cx, call: &Promote, was: &Before) -> Result<()> {
        self.0.undo(cx, call, was).await
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_promotion_that_acts_again() {
    let report = suite::promotion(&Redis::wrong(|good| {
        let again = Again(promotion(&good), good.ledger().unwrap(), AtomicI64::new(1));
        good.with::<Promote>(Arc::new(again))
    }))
    .await;
    tells(
        &report,
        "a repeat ends in the same world and returns the same outcome",
        &[
            "the world changed from",
            "Effect::apply says: Convergent: a repeat, or a repeat after a lost reply, ends in the same world",
            "so: begin `apply` with a look: where it is so already, change nothing and return the outcome",
        ],
    );
}

/// Takes a lag that is not known for none.
#[derive(Debug)]
struct NoLag(Arc<dyn Observe<Replication>>);

#[async_trait]
impl Observe<Replication> for NoLag {
    async fn observe(&self, cx: &Cx) -> Result<Replication> {
        let mut seen = self.0.observe(cx).await?;
        let nodes = seen.sides.values_mut().flat_map(|side| &mut side.nodes);
        nodes.for_each(|node| node.lag = Some(node.lag.unwrap_or_default()));
        Ok(seen)
    }

    async fn observe_side(&self, cx: &Cx, _: &Side) -> Result<Replication> {
        self.observe(cx).await
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lag_that_is_zero_where_it_is_unknown() {
    let wrong = || {
        Redis::wrong(|good| {
            let lagging = NoLag(good.observer::<Replication>().unwrap());
            good.observing::<Replication>(Arc::new(lagging))
        })
    };
    let report = suite::copying(&wrong()).await;
    tells(
        &report,
        "a copy whose replication is cut lags by more than nothing",
        &[
            "replication is cut, and the lag is zero",
            "NodeState::lag says: Idle and caught up is zero; unknown is `None`, never zero.",
            "so: say zero only where the primary and the copy were both read",
        ],
    );
    let report = suite::observe(&wrong()).await;
    tells(
        &report,
        "what is unknown about a part is unknown, never a default",
        &[
            "east is silent, and replication says of it: lag 0ms",
            "Observe says: what is unknown about a part stands as unknown in the observation",
            "so: leave `None` what was not read in this very look",
        ],
    );
}
