//! Time: the machine's own clock, and documented durations that pass faster.

use std::time::Duration;

use dr_core::Timestamp;
use tokio::time::Instant;

/// The world's clock. Moments are real; only what AWS documents as a duration is divided by the pace.
#[derive(Debug, Clone)]
pub(crate) struct Clock {
    origin: Timestamp,
    begun: Instant,
    pace: f64,
    now: Instant,
}

impl Clock {
    pub(crate) fn new(pace: f64) -> Self {
        let begun = Instant::now();
        let mut clock = Self { origin: Timestamp::system(), begun, pace: 1.0, now: begun };
        clock.set_pace(pace);
        clock
    }

    /// How many times faster documented durations pass.
    pub(crate) fn set_pace(&mut self, pace: f64) {
        if pace.is_finite() && pace > 0.0 {
            self.pace = pace;
        }
    }

    /// The moment of this look.
    pub(crate) fn now(&self) -> Instant {
        self.now
    }

    /// Goes on; never backwards.
    pub(crate) fn set_now(&mut self, now: Instant) {
        self.now = self.now.max(now);
    }

    /// The moment of this look on the wall clock.
    pub(crate) fn wall(&self) -> Timestamp {
        self.wall_at(self.now)
    }

    /// A moment on the wall clock.
    pub(crate) fn wall_at(&self, at: Instant) -> Timestamp {
        match at.checked_duration_since(self.begun) {
            Some(since) => self.origin.plus(since),
            None => self.origin.minus(self.begun.saturating_duration_since(at)),
        }
    }

    /// How long a documented duration takes here.
    pub(crate) fn takes(&self, documented: Duration) -> Duration {
        documented.div_f64(self.pace)
    }
}

impl Clock {
    /// The moment that the wall clock showed.
    pub(crate) fn instant_at(&self, wall: Timestamp) -> Instant {
        if wall >= self.origin {
            self.begun + wall.since(self.origin)
        } else {
            self.begun.checked_sub(self.origin.since(wall)).unwrap_or(self.begun)
        }
    }
}
