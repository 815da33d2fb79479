//! How long to wait before another attempt.

use std::time::Duration;

use crate::env::Env;
use crate::error::{Error, Retry};

const FIRST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(5);

/// The wait before attempt `attempt + 1`, or `None` if another one will not help. Exponential with full jitter on
/// its upper half, so that two runs that fail together do not retry together.
pub(super) fn pause_after(error: &Error, attempt: u32, env: &Env) -> Option<Duration> {
    let least = match error.retry() {
        Retry::Permanent => return None,
        Retry::Transient { after } => after.unwrap_or_default(),
    };
    let doubled = FIRST.saturating_mul(1 << attempt.saturating_sub(1).min(10)).min(LONGEST);
    Some((doubled / 2 + env.jitter(doubled / 2)).max(least))
}
