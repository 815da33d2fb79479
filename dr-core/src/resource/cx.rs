//! What every call knows about the run that makes it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::env::{Clock, SystemClock};
use crate::error::{Error, ErrorKind, Result};
use crate::ids::{RunId, StepId};
use crate::time::Timestamp;

/// Whether the run insists on losing nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Urgency {
    /// Zero loss or no switch: waits for the source, refuses without its proof.
    Planned,
    /// The source is lost or may be: every wait on it is bounded, losses are bounded and accepted by name.
    Unplanned,
}

/// What an effect is told about the run, the attempt and its limits. Made by the engine and by test kits only.
///
/// A call may be dropped at any await; its outcome is then in doubt and the engine reads the world again. A child
/// process or blocking thread ends with the call, or the backend's documentation names it.
#[derive(Clone)]
#[non_exhaustive]
pub struct Cx {
    /// No call may outlast this moment of tokio's clock. The engine drops a call that does.
    pub deadline: Instant,
    /// Set when the run is told to stop at once.
    pub cancel: Cancel,
    /// The run.
    pub run: RunId,
    /// Which ownership of the run this is: grows with each take-over.
    pub epoch: u64,
    /// The step.
    pub step: StepId,
    /// 1 for the first attempt.
    pub attempt: u32,
    /// Whether an earlier attempt of the step may have acted: what it asked for may still be on its way.
    pub may_have_acted: bool,
    /// The same for every attempt of one step in one run: an idempotency token for systems that take one.
    pub token: String,
    /// Whether the run insists on losing nothing.
    pub urgency: Urgency,
    /// The run's wall clock.
    pub clock: Arc<dyn Clock>,
    /// What the succeeded steps of this run left, by step.
    pub earlier: Earlier,
    /// The gates that a person told the run to pass over, by name.
    pub overrides: Arc<BTreeSet<String>>,
    /// Where to say what is going on.
    pub progress: Progress,
}

impl Cx {
    /// A context with that much time, for a run and a step; the rest as in a first attempt of a planned run.
    pub fn new(run: RunId, step: StepId, within: Duration) -> Self {
        let token = format!("{run}/{step}");
        Self {
            deadline: Instant::now() + within,
            cancel: Cancel::never(),
            run,
            epoch: 1,
            step,
            attempt: 1,
            may_have_acted: false,
            token,
            urgency: Urgency::Planned,
            clock: Arc::new(SystemClock),
            earlier: Earlier::default(),
            overrides: Arc::default(),
            progress: Progress::default(),
        }
    }

    /// With that much time from now, or what is left if that is less.
    #[must_use]
    pub fn within(&self, time: Duration) -> Self {
        Self { deadline: self.deadline.min(Instant::now() + time), ..self.clone() }
    }

    /// What is left of the deadline.
    pub fn left(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }

    /// The moment on the run's wall clock.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Awaits `work`, but not beyond the deadline or a cancellation.
    ///
    /// # Errors
    /// `Timeout` or `Cancelled`, both of which may have happened; else what `work` returns.
    pub async fn bound<T>(&self, what: &str, work: impl Future<Output = Result<T>>) -> Result<T> {
        tokio::select! {
            biased;
            () = self.cancel.cancelled() => Err(Error::new(ErrorKind::Cancelled, "the run was told to stop").during(what)),
            result = tokio::time::timeout_at(self.deadline, work) => result.unwrap_or_else(|_| {
                Err(Error::new(ErrorKind::Timeout, "no answer within the deadline").during(what))
            }),
        }
    }
}

impl fmt::Debug for Cx {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cx")
            .field("run", &self.run)
            .field("epoch", &self.epoch)
            .field("step", &self.step)
            .field("attempt", &self.attempt)
            .field("left", &self.left())
            .field("urgency", &self.urgency)
            .finish_non_exhaustive()
    }
}

/// What the succeeded steps of a run left, by step. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Earlier(Arc<RwLock<BTreeMap<StepId, Value>>>);

impl Earlier {
    /// What a step left: its verb's outcome as JSON.
    pub fn of(&self, step: &StepId) -> Option<Value> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(step).cloned()
    }

    /// Every outcome that is a `T`.
    pub fn all<T: serde::de::DeserializeOwned>(&self) -> Vec<T> {
        let left = self.0.read().unwrap_or_else(PoisonError::into_inner);
        left.values().filter_map(|data| serde_json::from_value(data.clone()).ok()).collect()
    }

    /// A step has succeeded.
    pub fn leave(&self, step: StepId, data: Value) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).insert(step, data);
    }
}

/// Hears of a cancellation.
#[derive(Debug, Clone)]
pub struct Cancel(watch::Receiver<bool>);

/// Cancels. Dropped without a word, it never will.
#[derive(Debug, Clone)]
pub struct Canceller(watch::Sender<bool>);

impl Cancel {
    /// A pair.
    pub fn pair() -> (Canceller, Self) {
        let (sender, receiver) = watch::channel(false);
        (Canceller(sender), Self(receiver))
    }

    /// One that is never set.
    pub fn never() -> Self {
        Self::pair().1
    }

    /// Whether it is set.
    pub fn is_cancelled(&self) -> bool {
        *self.0.borrow()
    }

    /// Returns when it is set; never, if it never is.
    pub async fn cancelled(&self) {
        if self.0.clone().wait_for(|cancelled| *cancelled).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

impl Canceller {
    /// Sets it, once and for all.
    pub fn cancel(&self) {
        self.0.send_replace(true);
    }
}

type Listener = dyn Fn(&str) + Send + Sync;

/// Where a call says what it is waiting for. By default nobody listens.
#[derive(Clone, Default)]
pub struct Progress(Option<Arc<Listener>>);

impl Progress {
    /// Calls `listener` with each sentence. It must not block.
    pub fn to(listener: impl Fn(&str) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(listener)))
    }

    /// Says it: a lowercase fragment, `waiting for 3 of 15 to be ready`.
    pub fn say(&self, text: impl AsRef<str>) {
        if let Some(listener) = &self.0 {
            listener(text.as_ref());
        }
    }
}

impl fmt::Debug for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Progress(heard)" } else { "Progress(unheard)" })
    }
}
