//! Settings that are put back, kept or told wrongly.

use std::sync::Arc;

use dr_core::resource::{Before, Configure, Cx, Effect, Prepared, Setting, Settled};
use dr_core::{Error, Result, async_trait};
use dr_testkit::suite;

use super::{breaks, inner};
use crate::fixture::Twin;

/// Puts back an empty text where there was nothing.
#[derive(Debug)]
struct Empties(Arc<dyn Effect<Configure>>);

#[async_trait]
impl Effect<Configure> for Empties {
    async fn prepare(&self, cx: &Cx, call: &Configure) -> Result<Prepared> {
        self.0.prepare(cx, call).await
    }

    async fn apply(&self, cx: &Cx, call: &Configure, was: &Prepared) -> Result<Settled> {
        self.0.apply(cx, call, was).await
    }

    async fn undo(&self, cx: &Cx, call: &Configure, was: &Before) -> Result<()> {
        let text = was.data.to_string().replace("null", "\"\"");
        let data = serde_json::from_str(&text).map_err(|error| Error::invalid(error.to_string()))?;
        let was = Before { data, ..was.clone() };
        self.0.undo(cx, call, &was).await
    }
}

#[tokio::test(start_paused = true)]
async fn settings_that_are_emptied_instead_of_removed() {
    let twin = Twin::configured(|small| {
        let good = small.services.resource();
        let wrong = Empties(inner(&good));
        good.with::<Configure>(Arc::new(wrong))
    });
    breaks(&suite::configure(&twin).await, "an absent one is absent again");
}

/// Tells the secret's value where it fails, and in what it keeps.
#[derive(Debug)]
struct Leaks(Arc<dyn Effect<Configure>>);

#[async_trait]
impl Effect<Configure> for Leaks {
    async fn prepare(&self, cx: &Cx, call: &Configure) -> Result<Prepared> {
        let mut prepared = self.0.prepare(cx, call).await?;
        prepared.before.data["note"] = serde_json::json!({ "was": "old-canary-71" });
        Ok(prepared)
    }

    async fn apply(&self, cx: &Cx, call: &Configure, was: &Prepared) -> Result<Settled> {
        self.0.apply(cx, call, was).await.map_err(|error| error.with("url", "new-canary-72"))
    }

    async fn undo(&self, cx: &Cx, call: &Configure, was: &Before) -> Result<()> {
        let mut was = was.clone();
        if let Some(data) = was.data.as_object_mut() {
            data.remove("note");
        }
        self.0.undo(cx, call, &was).await
    }
}

/// P28: a backend that shows one is found out by the suite.
#[tokio::test(start_paused = true)]
async fn secrets_that_show_in_the_journal_and_in_errors() {
    let twin = Twin::configured(|small| {
        let good = small.services.resource();
        let wrong = Leaks(inner(&good));
        good.with::<Configure>(Arc::new(wrong))
    });
    let report = suite::configure(&twin).await;
    breaks(&report, "no outcome, no state before");
    breaks(&report, "in no error");
    assert!(!report.to_string().contains("canary"), "the report shows it itself:\n{report}");
}

/// Sets it for all, whoever it is for.
#[derive(Debug)]
struct Everybody(Arc<dyn Effect<Configure>>);

#[async_trait]
impl Effect<Configure> for Everybody {
    async fn prepare(&self, cx: &Cx, call: &Configure) -> Result<Prepared> {
        self.0.prepare(cx, &Configure { of: Vec::new(), ..call.clone() }).await
    }

    async fn apply(&self, cx: &Cx, call: &Configure, was: &Prepared) -> Result<Settled> {
        let settled = self.0.apply(cx, &Configure { of: Vec::new(), ..call.clone() }, was).await?;
        let of = if call.of.is_empty() { settled.workloads } else { call.of.clone() };
        Ok(Settled::new(settled.side, settled.settings, of))
    }

    async fn undo(&self, cx: &Cx, call: &Configure, was: &Before) -> Result<()> {
        self.0.undo(cx, call, was).await
    }
}

#[tokio::test(start_paused = true)]
async fn settings_that_are_set_for_everybody() {
    let twin = Twin::configured(|small| {
        let good = small.services.resource();
        let wrong = Everybody(inner(&good));
        good.with::<Configure>(Arc::new(wrong))
    });
    let report = suite::configure(&twin).await;
    breaks(&report, "set for no other");
    breaks(&report, "a workload that is not there is an error");
}

/// Returns as soon as the settings are written, before anything runs with them.
#[derive(Debug)]
struct Hasty(Arc<dyn Effect<Configure>>);

#[async_trait]
impl Effect<Configure> for Hasty {
    async fn prepare(&self, cx: &Cx, call: &Configure) -> Result<Prepared> {
        self.0.prepare(cx, call).await
    }

    async fn apply(&self, cx: &Cx, call: &Configure, was: &Prepared) -> Result<Settled> {
        let patience = std::time::Duration::from_millis(5);
        let cut = tokio::time::timeout(patience, self.0.apply(cx, call, was)).await;
        let side = call.side.side()?.clone();
        let of = vec!["api".to_owned(), "web".to_owned()];
        cut.unwrap_or_else(|_| Ok(Settled::new(side, call.set.keys().cloned().collect(), of)))
    }

    async fn undo(&self, cx: &Cx, call: &Configure, was: &Before) -> Result<()> {
        self.0.undo(cx, call, was).await
    }
}

#[tokio::test(start_paused = true)]
async fn settings_that_nothing_runs_with_yet() {
    let twin = Twin::configured(|small| {
        let good = small.services.resource();
        let wrong = Hasty(inner(&good));
        good.with::<Configure>(Arc::new(wrong))
    });
    breaks(&suite::configure(&twin).await, "when every workload runs with what was set");
}

/// A fixture whose secret has no value is an error of the test, not of the twin.
#[tokio::test(start_paused = true)]
async fn a_secret_that_the_resource_does_not_know_is_refused_by_name() {
    let twin = Twin::configured(|small| small.services.resource());
    let subject = dr_testkit::suite::Fixture::fresh(&twin).await.unwrap();
    let set = [("env/TOKEN".to_owned(), Setting::Secret { secret: "nobodys".to_owned() })];
    let call = Configure { side: subject.target.clone().into(), of: Vec::new(), set: set.into() };
    let error: Error = inner::<Configure>(&subject.resource).prepare(&subject.cx(), &call).await.unwrap_err();
    assert!(error.to_string().contains("no secret `nobodys`"), "{error}");
}
