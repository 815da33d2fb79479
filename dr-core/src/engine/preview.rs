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
