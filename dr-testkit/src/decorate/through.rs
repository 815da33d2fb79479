//! An action's decorator on one effect of a resource.

use std::fmt;
use std::ops::RangeInclusive;
use std::sync::Arc;

use dr_core::resource::{Action, Before, Bound, Call, Cx, Effect, Prepared};
use dr_core::{Error, ErrorKind, Result, async_trait};

type Wrap = dyn Fn(Arc<dyn Action>) -> Arc<dyn Action> + Send + Sync;

/// An effect seen through a decorator of actions.
///
/// ```
/// # fn main() {
/// use dr_core::model::World;
/// use dr_core::resource::Route;
/// use dr_testkit::decorate::{Called, Schedule, Through, Trouble};
/// use std::time::Duration;
///
/// let world = World::new(["east", "west"]);
/// let entry = world.traffic("entry", Duration::from_secs(1)).resource();
/// let schedule = Schedule::new().everywhere(Called::Apply, 1..=1, Trouble::LostReply);
/// let route = entry
///     .effect::<Route>()
///     .map(|inner| Through::new(inner, move |action| schedule.on(&"route".into(), action)));
/// assert!(route.is_some());
/// # }
/// ```
pub struct Through<C: Call> {
    inner: Arc<dyn Effect<C>>,
    wrap: Box<Wrap>,
}

impl<C: Call> Through<C> {
    /// Puts a decorator before an effect.
    pub fn new(
        inner: Arc<dyn Effect<C>>,
        wrap: impl Fn(Arc<dyn Action>) -> Arc<dyn Action> + Send + Sync + 'static,
    ) -> Self {
        Self { inner, wrap: Box::new(wrap) }
    }

    fn action(&self, call: &C) -> Arc<dyn Action> {
        (self.wrap)(Arc::new(Bound::new(Arc::clone(&self.inner), call.clone())))
    }
}

impl<C: Call> fmt::Debug for Through<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Through").field("inner", &self.inner).finish_non_exhaustive()
    }
}

#[async_trait]
impl<C: Call> Effect<C> for Through<C> {
    async fn prepare(&self, cx: &Cx, call: &C) -> Result<Prepared> {
        self.action(call).prepare(cx).await
    }

    async fn apply(&self, cx: &Cx, call: &C, was: &Prepared) -> Result<C::Outcome> {
        let applied = self.action(call).apply(cx, was).await?;
        serde_json::from_value(applied.data)
            .map_err(|error| Error::new(ErrorKind::Invalid, "the outcome cannot be read back").because(error))
    }

    async fn undo(&self, cx: &Cx, call: &C, was: &Before) -> Result<()> {
        self.action(call).undo(cx, was).await
    }

    fn reads(&self) -> RangeInclusive<u32> {
        self.inner.reads()
    }
}
