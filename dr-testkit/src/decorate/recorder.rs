//! Who called what.

use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};

use dr_core::resource::{Action, Applied, Before, Class, Cx, Prepared};
use dr_core::{Result, StepId, async_trait};
use serde_json::Value;

/// One call through the door.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Called {
    /// It was looked at.
    Prepare,
    /// It was to be made so.
    Apply,
    /// It was to be put back.
    Undo,
}

impl fmt::Display for Called {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Prepare => "prepare",
            Self::Apply => "apply",
            Self::Undo => "undo",
        })
    }
}

impl FromStr for Called {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, Self::Err> {
        [Self::Prepare, Self::Apply, Self::Undo]
            .into_iter()
            .find(|call| call.to_string() == text)
            .ok_or_else(|| format!("`{text}` is no call: prepare, apply or undo"))
    }
}

/// Notes every call of a run. Clones share the notes.
#[derive(Debug, Clone, Default)]
pub struct Recorder(Arc<Mutex<Vec<(StepId, Class, Called)>>>);

impl Recorder {
    /// No notes yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The action, with every call of it noted.
    pub fn on(&self, step: &StepId, inner: Arc<dyn Action>) -> Arc<dyn Action> {
        Arc::new(Recorded { notes: self.clone(), step: step.clone(), inner })
    }

    /// How often a step was called.
    pub fn count(&self, step: &str, called: Called) -> usize {
        self.notes().into_iter().filter(|(id, _, what)| id.as_str() == step && *what == called).count()
    }

    /// Every call that may have changed something: anything but looking, of anything but a read.
    pub fn mutating(&self) -> Vec<(StepId, Called)> {
        self.notes()
            .into_iter()
            .filter(|(_, class, called)| *class != Class::Read && *called != Called::Prepare)
            .map(|(id, _, called)| (id, called))
            .collect()
    }

    /// The steps in the order in which they were called so.
    pub fn order(&self, wanted: Called) -> Vec<String> {
        let notes = self.notes().into_iter().filter(|(_, _, called)| *called == wanted);
        notes.map(|(id, _, _)| id.to_string()).collect()
    }

    fn notes(&self) -> Vec<(StepId, Class, Called)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn note(&self, step: &StepId, class: Class, called: Called) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push((step.clone(), class, called));
    }
}

struct Recorded {
    notes: Recorder,
    step: StepId,
    inner: Arc<dyn Action>,
}

impl fmt::Debug for Recorded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recorded")
            .field("step", &self.step)
            .field("inner", &self.inner)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl Action for Recorded {
    fn verb(&self) -> &str {
        self.inner.verb()
    }

    fn class(&self) -> Class {
        self.inner.class()
    }

    fn call(&self) -> Value {
        self.inner.call()
    }

    async fn prepare(&self, cx: &Cx) -> Result<Prepared> {
        self.notes.note(&self.step, self.class(), Called::Prepare);
        self.inner.prepare(cx).await
    }

    async fn apply(&self, cx: &Cx, was: &Prepared) -> Result<Applied> {
        self.notes.note(&self.step, self.class(), Called::Apply);
        self.inner.apply(cx, was).await
    }

    async fn undo(&self, cx: &Cx, was: &Before) -> Result<()> {
        self.notes.note(&self.step, self.class(), Called::Undo);
        self.inner.undo(cx, was).await
    }

    fn reads(&self) -> RangeInclusive<u32> {
        self.inner.reads()
    }
}
