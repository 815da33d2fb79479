//! One line of a measurement: what a caller was answered, what became of a numbered row.

use serde::{Deserialize, Serialize};

use crate::ids::Side;
use crate::resource::{Answer, Health, LedgerRow, SeatKind, Written};
use crate::time::Timestamp;

/// One question's fate, dated by when it was due and not by when it was answered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// When it was due, on the wall clock.
    pub due: Timestamp,
    /// When it was due, in milliseconds since the prober's begin on its monotonic clock.
    pub due_ms: u64,
    /// Which kind of caller asked.
    pub seat: SeatKind,
    /// How the answer was.
    #[serde(flatten)]
    pub health: Health,
    /// Who answered, if it said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub served_by: Option<Side>,
    /// Whether a write was acknowledged.
    #[serde(default)]
    pub wrote: bool,
    /// How long the caller waited, in milliseconds.
    pub took_ms: f64,
}

impl Sample {
    /// From an answer.
    pub fn new(due: Timestamp, due_ms: u64, seat: SeatKind, answer: Answer) -> Self {
        Self {
            due,
            due_ms,
            seat,
            health: answer.health,
            served_by: answer.served_by,
            wrote: answer.wrote,
            took_ms: answer.took.as_secs_f64() * 1e3,
        }
    }

    /// Whether it was answered well, and wrote if it had to.
    pub fn is_well(&self, write: bool) -> bool {
        match &self.health {
            Health::Good => self.wrote || !write,
            Health::Bad { .. } | Health::None { .. } => false,
        }
    }

    /// Why it was not answered well.
    pub fn why(&self) -> String {
        match &self.health {
            Health::Good if self.wrote => "a good answer".to_owned(),
            Health::Good => "a good answer, but no write".to_owned(),
            Health::Bad { why } | Health::None { why } => why.clone(),
        }
    }
}

/// One state of one row. A row has a line when it is attempted, and another when its fate is known: after a crash
/// between the two it is [`RowState::Attempted`] for ever, and nobody knows about it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LedgerSample {
    /// The row.
    pub row: LedgerRow,
    /// When it was sent, on the wall clock.
    pub at: Timestamp,
    /// When it was sent, in milliseconds since the ledger's begin on its monotonic clock.
    pub sent_ms: u64,
    /// What became of it.
    pub state: RowState,
    /// How long that took, in milliseconds. `None` while it is on its way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub took_ms: Option<f64>,
}

/// What became of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RowState {
    /// It is about to be sent, or was when the process died.
    Attempted,
    /// The store said that it is durable.
    Acked,
    /// The store said no.
    Refused,
    /// Nobody knows.
    Unknown,
}

impl From<Written> for RowState {
    fn from(written: Written) -> Self {
        match written {
            Written::Acked => Self::Acked,
            Written::Refused => Self::Refused,
            Written::Unknown => Self::Unknown,
        }
    }
}
