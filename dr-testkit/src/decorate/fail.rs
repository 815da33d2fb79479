//! Failures before and after the effect.

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use dr_core::resource::{Action, Applied, Before, Class, Cx, Prepared};
use dr_core::{Error, ErrorKind, Result, async_trait};
use serde_json::Value;

/// How often it goes wrong before it goes well.
#[derive(Debug, Clone)]
pub struct Times(Arc<AtomicU32>);

impl Times {
    /// The first `times` calls go wrong.
    pub fn first(times: u32) -> Self {
        Self(Arc::new(AtomicU32::new(times)))
    }

    /// Every call goes wrong.
    pub fn always() -> Self {
        Self::first(u32::MAX)
    }

    fn strikes(&self) -> bool {
        let less = |left: u32| left.checked_sub(1).map(|less| if left == u32::MAX { left } else { less });
        self.0.fetch_update(Ordering::SeqCst, Ordering::SeqCst, less).is_ok()
    }
}

macro_rules! decorates {
    ($name:ident) => {
        #[async_trait]
        impl Action for $name {
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
                self.disturbed(cx, was).await
            }

            async fn undo(&self, cx: &Cx, was: &Before) -> Result<()> {
                self.inner.undo(cx, was).await
            }

            fn reads(&self) -> RangeInclusive<u32> {
                self.inner.reads()
            }
        }
    };
}

decorates!(LostReply);
decorates!(FailBefore);
decorates!(TimeoutAfter);

/// The effect happens, and its reply is lost: `Timeout`, which may have happened.
#[derive(Debug)]
pub struct LostReply {
    inner: Arc<dyn Action>,
    times: Times,
}

impl LostReply {
    /// Loses that many replies.
    pub fn new(inner: Arc<dyn Action>, times: Times) -> Self {
        Self { inner, times }
    }
}

impl LostReply {
    async fn disturbed(&self, cx: &Cx, was: &Prepared) -> Result<Applied> {
        let applied = self.inner.apply(cx, was).await?;
        if self.times.strikes() {
            return Err(Error::new(ErrorKind::Timeout, "the reply was lost"));
        }
        Ok(applied)
    }
}

/// The call fails before anything happens, and says so or not.
#[derive(Debug)]
pub struct FailBefore {
    inner: Arc<dyn Action>,
    times: Times,
    kind: ErrorKind,
    says_so: bool,
}

impl FailBefore {
    /// Fails with an error of that kind, which proves that nothing happened.
    pub fn new(inner: Arc<dyn Action>, times: Times, kind: ErrorKind) -> Self {
        Self { inner, times, kind, says_so: true }
    }

    /// The same, but the error does not say whether it happened.
    #[must_use]
    pub fn in_doubt(mut self) -> Self {
        self.says_so = false;
        self
    }
}

impl FailBefore {
    async fn disturbed(&self, cx: &Cx, was: &Prepared) -> Result<Applied> {
        if self.times.strikes() {
            let error = Error::new(self.kind, "failed to order");
            return Err(if self.says_so { error.not_happened() } else { error });
        }
        self.inner.apply(cx, was).await
    }
}

/// The call is made, and whoever made it hears nothing until its deadline: the caller is dropped there.
#[derive(Debug)]
pub struct TimeoutAfter {
    inner: Arc<dyn Action>,
    times: Times,
    patience: Duration,
}

impl TimeoutAfter {
    /// Lets the call run for `patience`, drops it, and never returns by itself.
    pub fn new(inner: Arc<dyn Action>, times: Times, patience: Duration) -> Self {
        Self { inner, times, patience }
    }
}

impl TimeoutAfter {
    async fn disturbed(&self, cx: &Cx, was: &Prepared) -> Result<Applied> {
        if !self.times.strikes() {
            return self.inner.apply(cx, was).await;
        }
        // What it returns is thrown away: nobody hears it.
        let _ = tokio::time::timeout(self.patience, self.inner.apply(cx, was)).await;
        std::future::pending().await
    }
}
