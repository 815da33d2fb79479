//! Probers outside a side, for plans that accept its silence.

use async_trait::async_trait;

use crate::error::Result;
use crate::ids::{ResourceName, Side};
use crate::resource::{Risk, SilencePolicy};
use crate::runbook::Watchers;
use crate::time::Timestamp;

/// Two probers who hear nothing whenever they are asked, and for as long as the plan wants. Whether a side is silent the
/// run's own look decides first.
#[derive(Debug, Clone, Copy, Default)]
pub struct Agreeing;

#[async_trait]
impl Watchers for Agreeing {
    async fn silence(
        &self,
        _: &ResourceName,
        side: &Side,
        policy: &SilencePolicy,
        now: Timestamp,
    ) -> Result<Result<Risk, String>> {
        let silent_since = now.minus(policy.accept_after);
        let vantage_points = vec!["west".to_owned(), "office".to_owned()];
        Ok(Ok(Risk { side: side.clone(), silent_since, accepted: now, vantage_points }))
    }
}
