//! What is known of the requests that one call has made.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use dr_core::resource::Cx;
use dr_core::{Error, ErrorKind, Happened, Result};
use tokio::time::Instant;

use crate::waiting::Look;

/// After how long a request that was accepted and shows no effect is made again.
const AGAIN: Duration = Duration::from_secs(60);
/// The same, where it is not known whether it arrived. RDS refuses a second one for what it is at already.
const AGAIN_IN_DOUBT: Duration = Duration::from_secs(5);

/// Whether and when something was asked for that cannot be taken back.
#[derive(Debug)]
pub(crate) struct Asked(Mutex<State>);

#[derive(Debug)]
struct State {
    not_before: Option<Instant>,
    doubtful: bool,
}

impl Asked {
    /// Nothing yet in this attempt; an earlier one may have asked.
    pub(crate) fn new(cx: &Cx) -> Self {
        Self(Mutex::new(State { not_before: None, doubtful: cx.attempt > 1 }))
    }

    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether it is time to ask: it was not asked yet, or long ago without an effect.
    pub(crate) fn is_due(&self) -> bool {
        self.change(|state| state.not_before.is_none_or(|at| Instant::now() >= at))
    }

    /// It is under way, whoever asked for it.
    pub(crate) fn is_under_way(&self) {
        self.change(|state| state.doubtful = true);
    }

    /// Takes the answer to a request: what may have acted is looked at again, what cannot be ends it.
    pub(crate) fn take<T>(&self, what: &str, answer: Result<()>) -> Result<Look<T>> {
        let error = match answer {
            Ok(()) => {
                self.change(|state| {
                    *state = State { not_before: Some(Instant::now() + AGAIN), doubtful: true }
                });
                return Ok(Look::Not(format!("{what} was asked for")));
            }
            Err(error) => error,
        };
        let nothing = error.happened() == Happened::No;
        self.change(|state| {
            state.doubtful |= !nothing;
            state.not_before = (!nothing).then(|| Instant::now() + AGAIN_IN_DOUBT);
        });
        match error.kind() {
            // It may have acted, or somebody was quicker: the next look says.
            ErrorKind::NotReady | ErrorKind::Timeout | ErrorKind::Unreachable | ErrorKind::Throttled => {
                Ok(Look::Not(format!("{what}: {error}")))
            }
            _ => Err(error),
        }
    }

    /// An error of the whole, as far as it is known whether anything was done.
    pub(crate) fn judge(&self, error: Error) -> Error {
        match (self.change(|state| state.doubtful), error.happened()) {
            (false, _) => error.not_happened(),
            (true, Happened::Maybe) => error,
            (true, Happened::No) => crate::together::in_doubt(error),
        }
    }
}
