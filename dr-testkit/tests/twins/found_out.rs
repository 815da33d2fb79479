//! Backends that are wrong in the usual ways, each found out by a sentence.

mod alarms;
mod callers;
mod copies;
mod settings;
mod words;
mod writers;

use std::sync::Arc;

use dr_core::resource::{Call, Cx, Effect, Resource};
use dr_testkit::suite::Report;

/// That sentence is broken.
fn breaks(report: &Report, sentence: &str) {
    assert!(report.broken().iter().any(|broken| broken.contains(sentence)), "`{sentence}` holds:\n{report}");
}

/// The effect of a twin.
fn inner<C: Call>(resource: &Resource) -> Arc<dyn Effect<C>> {
    resource.effect::<C>().unwrap_or_else(|| unreachable!("the twin can `{}`", C::VERB))
}

/// A context as another step's, of another run.
fn as_if(cx: &Cx, run: &str, step: &str) -> Cx {
    Cx::new(run.into(), step.into(), cx.left())
}
