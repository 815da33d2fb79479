//! The one door through which the engine, the dry run and resume reach the world.

use std::fmt;
use std::ops::RangeInclusive;
use std::sync::Arc;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::call::{Call, Class};
use super::cx::Cx;
use super::effect::{Before, Effect, Prepared};
use crate::error::{Error, Result};

/// What an action left: the outcome as the journal keeps it, and the line for people.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Applied {
    /// One line.
    pub said: String,
    /// The verb's [`Call::Outcome`] as JSON.
    pub data: Value,
}

impl Applied {
    /// From a verb's outcome.
    ///
    /// # Errors
    /// `Invalid` if the outcome cannot be written as JSON. The effect has happened then.
    pub fn of(outcome: &(impl fmt::Display + Serialize)) -> Result<Self> {
        let data = serde_json::to_value(outcome).map_err(|error| {
            Error::new(crate::ErrorKind::Invalid, "the outcome cannot be recorded").because(error)
        })?;
        Ok(Self { said: outcome.to_string(), data })
    }
}

/// A call bound to its effect. The contract is [`Effect`]'s.
#[async_trait]
pub trait Action: fmt::Debug + Send + Sync {
    /// The word in the plan.
    fn verb(&self) -> &str;
    /// What kind of change it is.
    fn class(&self) -> Class;
    /// The call as the script holds it.
    fn call(&self) -> Value;
    /// See [`Effect::prepare`].
    async fn prepare(&self, cx: &Cx) -> Result<Prepared>;
    /// See [`Effect::apply`].
    async fn apply(&self, cx: &Cx, was: &Prepared) -> Result<Applied>;
    /// See [`Effect::undo`]. Refuses a version of `was` that it does not read.
    async fn undo(&self, cx: &Cx, was: &Before) -> Result<()>;
    /// See [`Effect::reads`].
    fn reads(&self) -> RangeInclusive<u32>;
}

/// A typed call and the effect that carries it out.
#[derive(Debug)]
pub struct Bound<C: Call> {
    effect: Arc<dyn Effect<C>>,
    call: C,
}

impl<C: Call> Bound<C> {
    /// Binds the two.
    pub fn new(effect: Arc<dyn Effect<C>>, call: C) -> Self {
        Self { effect, call }
    }
}

#[async_trait]
impl<C: Call> Action for Bound<C> {
    fn verb(&self) -> &str {
        C::VERB
    }

    fn class(&self) -> Class {
        self.call.class()
    }

    fn call(&self) -> Value {
        serde_json::to_value(&self.call).unwrap_or(Value::Null)
    }

    async fn prepare(&self, cx: &Cx) -> Result<Prepared> {
        self.effect.prepare(cx, &self.call).await
    }

    async fn apply(&self, cx: &Cx, was: &Prepared) -> Result<Applied> {
        Applied::of(&self.effect.apply(cx, &self.call, was).await?)
    }

    async fn undo(&self, cx: &Cx, was: &Before) -> Result<()> {
        if !self.effect.reads().contains(&was.version) {
            return Err(Error::unsupported(format!(
                "the state before was recorded in version {}, which this release does not read",
                was.version
            )));
        }
        self.effect.undo(cx, &self.call, was).await
    }

    fn reads(&self) -> RangeInclusive<u32> {
        self.effect.reads()
    }
}
