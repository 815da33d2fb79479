//! Numbered rows through a service's own write path: the only honest count of lost writes.

use std::collections::BTreeSet;
use std::fmt;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::cx::Cx;
use crate::error::Result;
use crate::ids::Side;

/// A row's number. The run that wrote it stands beside it in the store.
pub type LedgerRow = i64;

/// What became of one write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Written {
    /// The store said that it is done, as it says it to callers. How durable that is the backend's documentation says: a
    /// store that answers before it has written to disk answers callers so too, and what is lost then is a lost write.
    Acked,
    /// It is not there: the store said no, or nothing was sent to it.
    Refused,
    /// Nobody knows: no answer, or an answer that says neither.
    Unknown,
}

/// Which rows of a range a side has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Survivors {
    /// The side that was asked.
    pub side: Side,
    /// The rows that are there.
    pub rows: BTreeSet<LedgerRow>,
}

/// A store or service that takes numbered rows.
///
/// Rows are kept under `book`, so that two runs never count each other's. `open` and `close` are declared effects.
#[async_trait]
pub trait Ledger: fmt::Debug + Send + Sync {
    /// Makes it ready for writing. Convergent. Refused where the right to write is missing.
    async fn open(&self, cx: &Cx, book: &str) -> Result<()>;

    /// Writes one row the way that callers write: to whoever is the writer now. Never returns an error: what is not
    /// known is [`Written::Unknown`]. Bounded by `cx.deadline`.
    async fn write(&self, cx: &Cx, book: &str, row: LedgerRow) -> Written;

    /// Tries to write one row to that very side. An acknowledgement from a fenced side is a broken fence.
    async fn write_to(&self, cx: &Cx, side: &Side, book: &str, row: LedgerRow) -> Written;

    /// The rows from `first` to `last` that a side has.
    async fn survivors(
        &self,
        cx: &Cx,
        side: &Side,
        book: &str,
        first: LedgerRow,
        last: LedgerRow,
    ) -> Result<Survivors>;

    /// Removes the book. Convergent.
    async fn close(&self, cx: &Cx, book: &str) -> Result<()>;
}
