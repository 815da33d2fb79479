//! What the engine needs of a journal.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use crate::error::{Error, ErrorKind};
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
    /// Appends a batch: all or nothing. After any error nothing more is appended by this owner. An empty batch with
    /// [`Durability::Barrier`] makes durable what is there.
    ///
    /// If the call is dropped, the batch may be there or not, and nothing more is appended by this owner either.
    async fn append(&mut self, batch: &[Entry], how: Durability) -> Result<(), JournalError>;

    /// Every line from `from` on that is committed.
    async fn read(&self, from: Seq) -> Result<Vec<Line>, JournalError>;

    /// How long an effect that starts now may still take. `None`: as long as it likes (a lock, not a lease).
    fn lease_left(&self) -> Option<Duration> {
        None
    }

    /// Keeps the ownership for another term, where it is a lease. An owner that appends nothing for long calls it well
    /// before [`Journal::lease_left`] is spent.
    async fn renew(&mut self) -> Result<(), JournalError> {
        Ok(())
    }

    /// Makes sure that so many more bytes can be appended, so that a disk that fills up meanwhile does not stop the
    /// run. Called before the first effect, with the worst case.
    async fn reserve(&mut self, bytes: u64) -> Result<(), JournalError> {
        let _ = bytes;
        Ok(())
    }

    /// Makes durable what is there and gives up the ownership, so that the next owner need not wait. Nothing is
    /// appended afterwards.
    async fn release(&mut self) -> Result<(), JournalError> {
        self.append(&[], Durability::Barrier).await
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
#[derive(Debug, thiserror::Error)]
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
    /// The batch cannot be written: it does not continue the journal, or could not be read back. Nothing is written.
    #[error("the event cannot be written: {why}")]
    Refused {
        /// What is wrong.
        why: String,
    },
    /// An earlier error ended this owner's appending.
    #[error("nothing more is appended: {why}")]
    Closed {
        /// The earlier error.
        why: String,
    },
    /// The store said no, and nothing is written.
    #[error("the state store cannot be used")]
    Store(#[source] crate::Error),
    /// The folder is of a kind on which exclusive ownership cannot be had.
    #[error("{folder} is on a network file system ({kind}), where a lock does not keep a second owner out")]
    NetworkFileSystem {
        /// The folder.
        folder: String,
        /// The file system.
        kind: String,
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

impl JournalError {
    /// The same as the error that everything else returns.
    pub fn into_error(self) -> Error {
        let (kind, happened) = match &self {
            Self::Lost { .. } => (ErrorKind::Conflict, false),
            Self::InDoubt(_) => (ErrorKind::Unknown, true),
            Self::Damaged { .. } | Self::Refused { .. } => (ErrorKind::Invalid, false),
            Self::Closed { .. } | Self::NetworkFileSystem { .. } => (ErrorKind::Refused, false),
            Self::Store(source) => (source.kind(), false),
            Self::NoSuchRun { .. } => (ErrorKind::NotFound, false),
            Self::Io { .. } => (ErrorKind::Unknown, true),
        };
        let error = Error::new(kind, self.to_string()).permanent();
        let error = if happened { error } else { error.not_happened() };
        match self {
            Self::InDoubt(source) | Self::Store(source) => error.because(source),
            Self::Io { source, .. } => error.because(source),
            Self::Lost { .. }
            | Self::Damaged { .. }
            | Self::Refused { .. }
            | Self::Closed { .. }
            | Self::NetworkFileSystem { .. }
            | Self::NoSuchRun { .. } => error,
        }
    }
}
