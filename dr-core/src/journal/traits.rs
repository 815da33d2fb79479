//! What the engine needs of a journal.

use std::fmt;

use async_trait::async_trait;
use bytes::Bytes;
use thiserror::Error;

use crate::event::{Entry, Seq};

/// How long a write may wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// It returns when the batch, and all before it, is durable.
    Barrier,
    /// It becomes durable with the next barrier, or within 100 ms.
    Lazy,
}

/// A run's durable events, owned exclusively by whoever holds this value.
#[async_trait]
pub trait Journal: fmt::Debug + Send {
    /// Appends a batch: all or nothing. After any error nothing more is appended by this owner.
    async fn append(&mut self, batch: &[Entry], how: Durability) -> Result<(), JournalError>;

    /// Every line from `from` on that is committed.
    async fn read(&self, from: Seq) -> Result<Vec<Line>, JournalError>;

    /// How long an effect that starts now may still take. `None`: as long as it likes (a lock, not a lease).
    fn lease_left(&self) -> Option<std::time::Duration> {
        None
    }
}

/// A line as it was written, and what it says. Never serialised again.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// The bytes, without the line feed.
    pub bytes: Bytes,
    /// What they say.
    pub entry: Entry,
}

/// Why a journal could not be written or read.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum JournalError {
    /// Somebody else owns the run now.
    #[error("the run is owned by {to}")]
    Lost {
        /// Who.
        to: String,
    },
    /// The store did not say whether the batch is there.
    #[error("the store did not say whether the event is written")]
    InDoubt(#[source] crate::Error),
    /// A line is not as it was written.
    #[error("damaged at event {at}: {why}")]
    Damaged {
        /// The event's number.
        at: Seq,
        /// What is wrong.
        why: String,
    },
    /// There is no such run.
    #[error("no run {run}")]
    NoSuchRun {
        /// Its name.
        run: String,
    },
    /// The disk or network said no.
    #[error("the journal cannot be used: {what}")]
    Io {
        /// What was tried.
        what: String,
        /// What was said.
        #[source]
        source: std::io::Error,
    },
}
