//! One line of a journal.

use serde::{Deserialize, Serialize};

use super::kinds::Event;
use crate::time::Timestamp;

/// The version of the event format. Adding is compatible; a driver refuses a later one.
pub const FORMAT: u32 = 1;

/// An event's number in its run: 1, 2, 3, … without a gap.
pub type Seq = u64;

/// An event with its number, moment and ownership. The journal adds the hash of the line before and the commit mark.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// Its number.
    pub seq: Seq,
    /// Which ownership of the run wrote it.
    pub epoch: u64,
    /// When, on the owner's wall clock.
    pub at: Timestamp,
    /// Milliseconds since the drive began, on its monotonic clock.
    pub elapsed_ms: u64,
    /// What happened.
    #[serde(flatten)]
    pub event: Event,
}
