//! The dry run's guard at the one door: whatever would change something cannot be applied.

use std::ops::RangeInclusive;
use std::sync::Arc;

use async_trait::async_trait;
use serde_json::Value;

use crate::error::{Error, Result};
use crate::resource::{Action, Applied, Before, Class, Cx, Prepared};

/// An action that can look and cannot touch.
#[derive(Debug)]
pub(super) struct PreviewOnly(pub(super) Arc<dyn Action>);

#[async_trait]
impl Action for PreviewOnly {
    fn verb(&self) -> &str {
        self.0.verb()
    }

    fn class(&self) -> Class {
        self.0.class()
    }

    fn call(&self) -> Value {
        self.0.call()
    }

    async fn prepare(&self, cx: &Cx) -> Result<Prepared> {
        self.0.prepare(cx).await
    }

    async fn apply(&self, cx: &Cx, was: &Prepared) -> Result<Applied> {
        match self.class() {
            Class::Read => self.0.apply(cx, was).await,
            Class::Reversible | Class::Irreversible | Class::Fence | Class::PointOfNoReturn => {
                Err(Error::refused("a dry run changes nothing"))
            }
        }
    }

    async fn undo(&self, _cx: &Cx, _was: &Before) -> Result<()> {
        Err(Error::refused("a dry run changes nothing"))
    }

    fn reads(&self) -> RangeInclusive<u32> {
        self.0.reads()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[derive(Debug)]
    struct Of(Class);

    #[async_trait]
    impl Action for Of {
        fn verb(&self) -> &str {
            "scale"
        }

        fn class(&self) -> Class {
            self.0
        }

        fn call(&self) -> Value {
            "up".into()
        }

        async fn prepare(&self, _: &Cx) -> Result<Prepared> {
            Ok(Prepared::already(Before::nothing()))
        }

        async fn apply(&self, _: &Cx, _: &Prepared) -> Result<Applied> {
            Ok(Applied { said: "done".to_owned(), data: Value::Null })
        }

        async fn undo(&self, _: &Cx, _: &Before) -> Result<()> {
            Ok(())
        }

        fn reads(&self) -> RangeInclusive<u32> {
            3..=4
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_previewed_is_called_as_it_is_and_only_a_look_is_carried_out() {
        let cx = Cx::new("20270115T080000Z-dry".into(), "up/scale".into(), Duration::from_secs(1));
        for class in
            [Class::Read, Class::Reversible, Class::Irreversible, Class::Fence, Class::PointOfNoReturn]
        {
            let preview = PreviewOnly(Arc::new(Of(class)));
            assert_eq!((preview.verb(), preview.class(), preview.call()), ("scale", class, "up".into()));
            assert_eq!(preview.reads(), 3..=4);
            let was = preview.prepare(&cx).await.unwrap();
            assert_eq!(preview.apply(&cx, &was).await.is_ok(), class == Class::Read, "{class:?}");
            assert!(preview.undo(&cx, &was.before).await.is_err(), "{class:?}");
        }
    }
}
