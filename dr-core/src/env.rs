//! What the engine takes from the outside: the wall clock, chance and new names. Injected, so that a run can be
//! repeated to the byte.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio::time::Instant;

use crate::ids::RunId;
use crate::time::Timestamp;

/// A wall clock.
pub trait Clock: fmt::Debug + Send + Sync {
    /// The moment.
    fn now(&self) -> Timestamp;
}

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::system()
    }
}

/// A wall clock that follows tokio's: it stands still and leaps when tokio's time is paused.
#[derive(Debug, Clone)]
pub struct TokioClock {
    origin: Timestamp,
    begun: Instant,
}

impl TokioClock {
    /// A clock that shows `origin` now.
    pub fn starting_at(origin: Timestamp) -> Self {
        Self { origin, begun: Instant::now() }
    }
}

impl Clock for TokioClock {
    fn now(&self) -> Timestamp {
        self.origin.plus(self.begun.elapsed())
    }
}

/// Clock and chance for one drive. Cheap to clone; clones share their chance.
#[derive(Debug, Clone)]
pub struct Env {
    clock: Arc<dyn Clock>,
    rng: Arc<Mutex<StdRng>>,
}

impl Env {
    /// The machine's clock and fresh chance.
    pub fn system() -> Self {
        Self { clock: Arc::new(SystemClock), rng: Arc::new(Mutex::new(rand::make_rng())) }
    }

    /// A repeatable world: tokio's time from `origin`, chance from `seed`.
    pub fn repeatable(origin: Timestamp, seed: u64) -> Self {
        Self {
            clock: Arc::new(TokioClock::starting_at(origin)),
            rng: Arc::new(Mutex::new(StdRng::seed_from_u64(seed))),
        }
    }

    /// The moment.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// The clock itself.
    pub fn clock(&self) -> Arc<dyn Clock> {
        Arc::clone(&self.clock)
    }

    /// A duration drawn evenly from zero to `most`.
    pub fn jitter(&self, most: Duration) -> Duration {
        most.mul_f64(self.rng.lock().unwrap_or_else(PoisonError::into_inner).random_range(0.0..1.0))
    }

    /// A new run's name.
    pub fn run_id(&self) -> RunId {
        let now = self.now();
        let (second, millis) = (now.compact(), now.as_millis().rem_euclid(1_000));
        // To the millisecond: two runs of one second still sort by their beginning.
        RunId::new(format!("{}{millis:03}Z-{}", second.trim_end_matches('Z'), self.letters(6)))
    }

    /// Random lower-case letters.
    pub fn letters(&self, count: usize) -> String {
        let mut rng = self.rng.lock().unwrap_or_else(PoisonError::into_inner);
        (0..count).map(|_| char::from(rng.random_range(b'a'..=b'z'))).collect()
    }
}
