//! An action whose calls go wrong.

use std::fmt;
use std::ops::RangeInclusive;
use std::pin::Pin;
use std::sync::Arc;

use dr_core::resource::{Action, Applied, Before, Class, Cx, Prepared};
use dr_core::{Error, ErrorKind, Result, StepId, async_trait};
use serde_json::Value;

use super::recorder::Called;
use super::schedule::Schedule;
use super::trouble::Trouble;

type Calling<'a, T> = Pin<Box<dyn Future<Output = Result<T>> + Send + 'a>>;

pub(super) struct Troubled {
    schedule: Schedule,
    step: StepId,
    inner: Arc<dyn Action>,
}

impl Troubled {
    pub(super) fn new(schedule: Schedule, step: StepId, inner: Arc<dyn Action>) -> Self {
        Self { schedule, step, inner }
    }
}

/// Makes the call, in that trouble.
async fn make<'a, T>(trouble: Option<Trouble>, call: impl Fn() -> Calling<'a, T>) -> Result<T> {
    match trouble {
        None | Some(Trouble::Stale) => call().await,
        Some(Trouble::Late(by)) => {
            tokio::time::sleep(by).await;
            call().await
        }
        Some(Trouble::Fails(kind)) => Err(Trouble::error(kind).not_happened()),
        Some(Trouble::InDoubt(kind)) => Err(Trouble::error(kind)),
        Some(Trouble::LostReply) => {
            call().await?;
            Err(Error::new(ErrorKind::Timeout, "the reply was lost"))
        }
        Some(Trouble::CutAfter(patience)) => {
            // What it returns is thrown away: nobody hears it.
            let _ = tokio::time::timeout(patience, call()).await;
            std::future::pending().await
        }
        Some(Trouble::BlackHole) => std::future::pending().await,
        Some(Trouble::Twice) => {
            call().await?;
            call().await
        }
    }
}

#[async_trait]
impl Action for Troubled {
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
        let trouble = self.schedule.strike(&self.step, Called::Prepare);
        if let (Some(Trouble::Stale), Some(seen)) = (trouble, self.schedule.first_look(&self.step)) {
            return Ok(seen);
        }
        let seen = make(trouble, || self.inner.prepare(cx)).await?;
        self.schedule.looked(&self.step, &seen);
        Ok(seen)
    }

    async fn apply(&self, cx: &Cx, was: &Prepared) -> Result<Applied> {
        let trouble = self.schedule.strike(&self.step, Called::Apply);
        make(trouble, || self.inner.apply(cx, was)).await
    }

    async fn undo(&self, cx: &Cx, was: &Before) -> Result<()> {
        let trouble = self.schedule.strike(&self.step, Called::Undo);
        make(trouble, || self.inner.undo(cx, was)).await
    }

    fn reads(&self) -> RangeInclusive<u32> {
        self.inner.reads()
    }
}

impl fmt::Debug for Troubled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Troubled")
            .field("step", &self.step)
            .field("inner", &self.inner)
            .finish_non_exhaustive()
    }
}
