//! A journal without a disk, for tests and simulation: the same bytes, the same rules, and crashes to order.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;

use super::chain::{Head, read_lines};
use super::traits::{Durability, Journal, JournalError, Line};
use crate::event::{Entry, Seq};

/// What survives the process: the bytes of one journal, and who owns it. Clones share it.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// use dr_core::journal::{Journal, MemoryDisk};
/// let disk = MemoryDisk::default();
/// let (journal, lines, epoch) = disk.own().unwrap();
/// assert_eq!((lines.len(), epoch), (0, 1));
/// assert!(journal.read(1).await.unwrap().is_empty());
/// # }
/// ```
#[derive(Debug, Clone, Default)]
pub struct MemoryDisk(Arc<Mutex<Platter>>);

#[derive(Debug, Default)]
struct Platter {
    bytes: Vec<u8>,
    /// How many of them survive the machine.
    durable: usize,
    owner: u64,
    crash: Option<(u64, Crash)>,
}

/// Where an append is cut off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Crash {
    /// Before anything of the batch is there.
    Before,
    /// With the batch half there.
    Within,
    /// With the batch there, but before its writer hears of it.
    After,
    /// The machine goes down before the batch: what no barrier made durable is gone as well.
    Power,
}

/// A journal on a [`MemoryDisk`].
#[derive(Debug)]
pub struct MemoryJournal {
    disk: MemoryDisk,
    owner: u64,
    head: Head,
    closed: Option<String>,
}

impl MemoryDisk {
    /// Takes the journal over, from whoever owns it: journal, committed lines, and the number of this ownership.
    ///
    /// # Errors
    /// [`JournalError::Damaged`] if somebody changed the bytes.
    pub fn own(&self) -> Result<(MemoryJournal, Vec<Line>, u64), JournalError> {
        let mut platter = self.platter();
        let chain = read_lines(&Bytes::copy_from_slice(&platter.bytes))?;
        platter.bytes.truncate(chain.committed_len);
        platter.durable = chain.committed_len;
        platter.owner += 1;
        let owner = platter.owner;
        let epoch = chain.head.epoch + 1;
        Ok((MemoryJournal { disk: self.clone(), owner, head: chain.head, closed: None }, chain.lines, epoch))
    }

    /// Lets so many appends of batches pass, then cuts the next one off.
    pub fn crash_after(&self, appends: u64, how: Crash) {
        self.platter().crash = Some((appends, how));
    }

    /// The bytes as written.
    pub fn bytes(&self) -> Vec<u8> {
        self.platter().bytes.clone()
    }

    /// The bytes that would survive the machine: those that a barrier made durable.
    pub fn durable_bytes(&self) -> Vec<u8> {
        let platter = self.platter();
        platter.bytes[..platter.durable.min(platter.bytes.len())].to_vec()
    }

    fn platter(&self) -> MutexGuard<'_, Platter> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl MemoryJournal {
    /// A new journal on a disk of its own.
    pub fn new() -> Self {
        let disk = MemoryDisk::default();
        disk.platter().owner = 1;
        Self { disk, owner: 1, head: Head::start(), closed: None }
    }

    /// The disk, which outlives the journal.
    pub fn disk(&self) -> MemoryDisk {
        self.disk.clone()
    }

    fn try_append(&mut self, batch: &[Entry], how: Durability) -> Result<(), JournalError> {
        let mut platter = self.disk.platter();
        if platter.owner != self.owner {
            return Err(JournalError::Lost { to: format!("owner {}", platter.owner) });
        }
        let (bytes, head) = self.head.encode(batch)?;
        if batch.is_empty() {
            if how == Durability::Barrier {
                platter.durable = platter.bytes.len();
            }
            return Ok(());
        }
        let crash = match &mut platter.crash {
            Some((0, how)) => Some(*how),
            Some((left, _)) => {
                *left -= 1;
                None
            }
            None => None,
        };
        let (kept, crashed) = match crash {
            None => (bytes.len(), false),
            Some(Crash::Before | Crash::Power) => (0, true),
            Some(Crash::Within) => (bytes.len() / 2, true),
            Some(Crash::After) => (bytes.len(), true),
        };
        if crash == Some(Crash::Power) {
            let durable = platter.durable;
            platter.bytes.truncate(durable);
        }
        platter.bytes.extend_from_slice(&bytes[..kept]);
        if crashed {
            platter.crash = None;
            return Err(JournalError::Io {
                what: "append".to_owned(),
                source: std::io::Error::other("crashed to order"),
            });
        }
        if how == Durability::Barrier {
            platter.durable = platter.bytes.len();
        }
        self.head = head;
        Ok(())
    }
}

impl Default for MemoryJournal {
    fn default() -> Self {
        Self::new()
    }
}

#[async_trait]
impl Journal for MemoryJournal {
    async fn append(&mut self, batch: &[Entry], how: Durability) -> Result<(), JournalError> {
        if let Some(why) = &self.closed {
            return Err(JournalError::Closed { why: why.clone() });
        }
        self.closed = Some("an append was cut off".to_owned());
        let result = self.try_append(batch, how);
        self.closed = result.as_ref().err().map(ToString::to_string);
        result
    }

    async fn read(&self, from: Seq) -> Result<Vec<Line>, JournalError> {
        let mut lines = read_lines(&self.disk.bytes().into())?.lines;
        lines.retain(|line| line.entry.seq >= from);
        Ok(lines)
    }
}
