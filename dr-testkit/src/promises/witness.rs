//! Stands beside the resources and looks, at each call that may change something, whether the journal says so already.

use std::fmt;
use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex, PoisonError};

use dr_core::journal::MemoryDisk;
use dr_core::resource::{Action, Applied, Before, Class, Cx, Prepared};
use dr_core::{Result, StepId, async_trait};
use serde_json::Value;

/// Notes every call that came before its intent was durable.
#[derive(Debug, Clone)]
pub(crate) struct Witness {
    disk: MemoryDisk,
    unannounced: Arc<Mutex<Vec<String>>>,
}

impl Witness {
    pub(crate) fn of(disk: &MemoryDisk) -> Self {
        Self { disk: disk.clone(), unannounced: Arc::default() }
    }

    pub(crate) fn on(&self, step: &StepId, inner: Arc<dyn Action>) -> Arc<dyn Action> {
        Arc::new(Watched { witness: self.clone(), step: step.clone(), inner })
    }

    pub(crate) fn unannounced(&self) -> Vec<String> {
        self.unannounced.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn expects(&self, said: &str, call: impl FnOnce() -> String) {
        let bytes = self.disk.durable_bytes();
        if !String::from_utf8_lossy(&bytes).contains(said) {
            self.unannounced.lock().unwrap_or_else(PoisonError::into_inner).push(call());
        }
    }
}

struct Watched {
    witness: Witness,
    step: StepId,
    inner: Arc<dyn Action>,
}

impl fmt::Debug for Watched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watched")
            .field("step", &self.step)
            .field("inner", &self.inner)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl Action for Watched {
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
        self.inner.prepare(cx).await
    }

    async fn apply(&self, cx: &Cx, was: &Prepared) -> Result<Applied> {
        if self.class() != Class::Read {
            let intent = format!(r#""event":"started","step":"{}","attempt":{},"#, self.step, cx.attempt);
            self.witness.expects(&intent, || format!("{} was applied, attempt {}", self.step, cx.attempt));
        }
        self.inner.apply(cx, was).await
    }

    async fn undo(&self, cx: &Cx, was: &Before) -> Result<()> {
        // A point of no return is only ever cancelled, to settle a doubt: its own intent stands for that.
        let event = if self.class() == Class::PointOfNoReturn { "started" } else { "undo_started" };
        let intent = format!(r#""event":"{event}","step":"{}""#, self.step);
        self.witness.expects(&intent, || format!("{} was undone", self.step));
        self.inner.undo(cx, was).await
    }

    fn reads(&self) -> RangeInclusive<u32> {
        self.inner.reads()
    }
}
