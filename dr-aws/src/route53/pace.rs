//! Five requests a second: what Route 53 allows an account, all its callers together.
//!
//! <https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/DNSLimitations.html#limits-api-requests>

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

const REQUESTS: usize = 5;
/// A little more than the second that AWS counts by: two clocks are never one.
const WINDOW: Duration = Duration::from_millis(1_050);

/// Gives out turns, so that this process alone never asks too often. Others in the account may: then Route 53 says so,
/// and the call is repeated.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    given: Mutex<VecDeque<Instant>>,
}

impl Pace {
    /// The pace of an endpoint, shared by the whole process. Which account a call is for is known to AWS alone, so two
    /// accounts of one process share it as well: that is only slower.
    pub(crate) fn shared(endpoint: Option<&str>) -> Arc<Self> {
        static PACES: OnceLock<Mutex<BTreeMap<String, Arc<Pace>>>> = OnceLock::new();
        let paces = PACES.get_or_init(Mutex::default);
        let mut paces = paces.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(paces.entry(endpoint.unwrap_or_default().to_owned()).or_default())
    }

    /// Returns when it is this caller's turn. A caller who leaves while waiting has used its turn up.
    pub(crate) async fn turn(&self) {
        let at = self.book();
        tokio::time::sleep_until(at).await;
    }

    fn book(&self) -> Instant {
        let mut given = self.given.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let at = match given.len() {
            REQUESTS.. => given.pop_front().map_or(now, |oldest| now.max(oldest + WINDOW)),
            _ => now,
        };
        given.push_back(at);
        at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn no_second_sees_more_than_five() {
        let pace = Pace::default();
        let mut times = Vec::new();
        for _ in 0..17 {
            pace.turn().await;
            times.push(Instant::now());
        }
        for window in times.windows(REQUESTS + 1) {
            let spread = window[REQUESTS] - window[0];
            assert!(spread > Duration::from_secs(1), "six requests within {spread:?}");
        }
        assert!(times[16] - times[0] < Duration::from_secs(4), "slower than it has to be");
    }
}
