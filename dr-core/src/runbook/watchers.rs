//! Who else hears whether a side is silent: the always-on probers, through the state store.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;

use crate::error::Result;
use crate::ids::{ResourceName, Side};
use crate::resource::{Risk, SilencePolicy};
use crate::time::Timestamp;

/// The probers outside a side, asked whether its silence may stand for a fence.
#[async_trait]
pub trait Watchers: fmt::Debug + Send + Sync {
    /// `Ok(Ok(risk))`: the policy's vantage points agree, and for long enough. `Ok(Err(why))`: not so, or not yet, or
    /// a sign of life vetoes it. An error: they could not be asked, which is never silence.
    async fn silence(
        &self,
        resource: &ResourceName,
        side: &Side,
        policy: &SilencePolicy,
        now: Timestamp,
    ) -> Result<Result<Risk, String>>;
}

/// Nobody watches: no silence is ever accepted.
#[derive(Debug)]
pub(super) struct Nobody;

#[async_trait]
impl Watchers for Nobody {
    async fn silence(
        &self,
        _: &ResourceName,
        _: &Side,
        _: &SilencePolicy,
        _: Timestamp,
    ) -> Result<Result<Risk, String>> {
        Ok(Err("no prober outside watches it (`dr measure --keep`)".to_owned()))
    }
}

pub(super) fn nobody() -> Arc<dyn Watchers> {
    Arc::new(Nobody)
}
