//! What is known of the requests that one call has made.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use dr_core::resource::Cx;
use dr_core::{Error, ErrorKind, Happened, Result};
use tokio::time::Instant;

use crate::waiting::Look;

/// After how long a request that shows no effect is made again: it may never have arrived.
const AGAIN: Duration = Duration::from_secs(60);

/// Whether and when something was asked for that cannot be taken back.
#[derive(Debug)]
pub(crate) struct Asked(Mutex<State>);

#[derive(Debug)]
struct State {
    last: Option<Instant>,
    doubtful: bool,
}

impl Asked {
    /// Nothing yet in this attempt; an earlier one may have asked.
    pub(crate) fn new(cx: &Cx) -> Self {
        Self(Mutex::new(State { last: None, doubtful: cx.attempt > 1 }))
    }

    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether it is time to ask: it was not asked yet, or long ago without an effect.
    pub(crate) fn is_due(&self) -> bool {
        self.change(|state| state.last.is_none_or(|at| at.elapsed() > AGAIN))
    }

    /// It is under way, whoever asked for it.
    pub(crate) fn is_under_way(&self) {
        self.change(|state| state.doubtful = true);
    }

    /// Takes the answer to a request: what may have acted is looked at again, what cannot be ends it.
    pub(crate) fn take<T>(&self, what: &str, answer: Result<()>) -> Result<Look<T>> {
        let error = match answer {
            Ok(()) => {
                self.change(|state| *state = State { last: Some(Instant::now()), doubtful: true });
                return Ok(Look::Not(format!("{what} was asked for")));
            }
            Err(error) => error,
        };
        let nothing = error.happened() == Happened::No;
        self.change(|state| {
            state.doubtful |= !nothing;
            state.last = (!nothing).then(Instant::now);
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
