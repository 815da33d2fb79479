//! A journal on a shared store: one object a batch, owned by a lease.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use tokio::time::Instant;

use super::chain::{Chain, Head, read_lines};
use super::lease::Lease;
use super::mark::Mark;
use super::slots::{Created, Slots, Tag};
use super::traits::{Durability, Journal, JournalError, Line};
use crate::env::Clock;
use crate::error::{Error, Happened, Retry};
use crate::event::{Actor, Entry, Seq};
use crate::ids::RunId;

/// How many objects are read side by side.
const ABREAST: usize = 16;
/// How long an append may go on trying.
const PATIENCE: Duration = Duration::from_secs(20);
const FIRST_WAIT: Duration = Duration::from_millis(100);

/// A journal of one object a batch, named for its first event. An object can be written once: whoever comes second
/// has lost the run. There is no lazy write here: every append waits for the store.
#[derive(Debug)]
pub struct SlotJournal {
    slots: Arc<dyn Slots>,
    folder: String,
    lease: Lease,
    head: Head,
    /// Of our mark, until the first object takes its place.
    mark: Option<Tag>,
    closed: Option<String>,
}

/// Who wants to own a run, and for how long at a time.
#[derive(Debug, Clone)]
pub struct Tenancy {
    /// Who.
    pub owner: Actor,
    /// The lease's term. No effect may outlast what is left of it; a crashed owner's successor waits for its end.
    pub ttl: Duration,
    /// Takes the run from an owner who may be alive.
    pub take_over: bool,
}

impl SlotJournal {
    /// Begins a run's journal and owns it.
    ///
    /// # Errors
    /// [`JournalError::Refused`] if there is such a run already.
    pub async fn create(
        slots: Arc<dyn Slots>,
        clock: Arc<dyn Clock>,
        run: &RunId,
        who: &Tenancy,
    ) -> Result<Self, JournalError> {
        let lease =
            Lease::create(Arc::clone(&slots), clock, lease_key(run), run, &who.owner, who.ttl).await?;
        Ok(Self { slots, folder: folder(run), lease, head: Head::start(), mark: None, closed: None })
    }

    /// Takes a run over: the journal, every committed line, and the number of this ownership. It waits for the end of
    /// the lease of an owner who did not release it. When it returns, no earlier owner can append any more: the place of
    /// the next object is marked.
    ///
    /// # Errors
    /// [`JournalError::Lost`] if the owner is alive, [`JournalError::NoSuchRun`], [`JournalError::Damaged`].
    pub async fn own(
        slots: Arc<dyn Slots>,
        clock: Arc<dyn Clock>,
        run: &RunId,
        who: &Tenancy,
    ) -> Result<(Self, Vec<Line>, u64), JournalError> {
        let key = lease_key(run);
        let mut lease =
            Lease::take(Arc::clone(&slots), clock, key, run, &who.owner, who.ttl, who.take_over).await?;
        let folder = folder(run);
        let mut whole = read_objects(&*slots, &folder).await?;
        loop {
            let chain = read_whole(&whole)?;
            lease.advance(chain.head.epoch + 1).await?;
            let mark = Mark::new(lease.epoch(), who.owner.clone());
            match mark.put(&*slots, &object_key(&folder, chain.head.next)).await? {
                Ok(tag) => {
                    let (epoch, head) = (lease.epoch(), chain.head);
                    let journal = Self { slots, folder, lease, head, mark: Some(tag), closed: None };
                    return Ok((journal, chain.lines, epoch));
                }
                // An owner who does not know yet that the run was taken from him was quicker: what he wrote counts.
                Err(object) if object.is_empty() => {
                    let why = "an object is empty".to_owned();
                    return Err(JournalError::Damaged { at: chain.head.next, why });
                }
                Err(object) => whole.extend_from_slice(&object),
            }
        }
    }

    /// Reads a run's journal without owning it.
    ///
    /// # Errors
    /// [`JournalError::NoSuchRun`], [`JournalError::Damaged`], or what the store says.
    pub async fn read_only(slots: &dyn Slots, run: &RunId) -> Result<Vec<Line>, JournalError> {
        let chain = read_chain(slots, &folder(run)).await?;
        if chain.lines.is_empty() && slots.read(&lease_key(run)).await.map_err(JournalError::Store)?.is_none()
        {
            return Err(JournalError::NoSuchRun { run: run.to_string() });
        }
        Ok(chain.lines)
    }

    async fn try_append(&mut self, batch: &[Entry]) -> Result<(), JournalError> {
        if self.lease.is_due() {
            self.lease.renew().await?;
        }
        let Some(first) = batch.first() else { return Ok(()) };
        if let Some(stray) = batch.iter().find(|entry| entry.epoch != self.lease.epoch()) {
            let why =
                format!("event {} is of ownership {}, not of {}", stray.seq, stray.epoch, self.lease.epoch());
            return Err(JournalError::Refused { why });
        }
        let (bytes, head) = self.head.encode(batch)?;
        self.put(&object_key(&self.folder, first.seq), bytes.into()).await?;
        self.head = head;
        self.mark = None;
        Ok(())
    }

    /// Puts an object: where there is none, or in the place of our own mark.
    async fn put_once(&self, key: &str, bytes: Bytes) -> Result<Created, Error> {
        let Some(tag) = &self.mark else { return self.slots.create(key, bytes).await };
        if self.slots.replace_if(key, tag, bytes.clone()).await? {
            return Ok(Created::Yes);
        }
        let there = self.slots.read(key).await?.map(|(there, _)| there).unwrap_or_default();
        Ok(if there == bytes { Created::Mine } else { Created::Other(there) })
    }

    /// Puts an object that must be ours. The same bytes may be put again and again, so a store that fails for a moment
    /// is asked again while the lease lasts.
    async fn put(&mut self, key: &str, bytes: Bytes) -> Result<(), JournalError> {
        let deadline = Instant::now() + PATIENCE;
        let mut wait = FIRST_WAIT;
        let mut in_doubt = false;
        loop {
            let left = self.lease.left().min(deadline.saturating_duration_since(Instant::now()));
            let answer = tokio::time::timeout(left, self.put_once(key, bytes.clone())).await;
            let error = match answer {
                Ok(Ok(Created::Yes | Created::Mine)) => return Ok(()),
                Ok(Ok(Created::Other(there))) => return Err(JournalError::Lost { to: writer(&there) }),
                Ok(Err(error)) => error,
                Err(_) => {
                    let text = "no answer within the lease";
                    return Err(JournalError::InDoubt(Error::new(crate::ErrorKind::Timeout, text).on(key)));
                }
            };
            in_doubt |= error.happened() == Happened::Maybe;
            let again = matches!(error.retry(), Retry::Transient { .. });
            if !again || self.lease.left() <= wait || Instant::now() + wait >= deadline {
                return Err(if in_doubt { JournalError::InDoubt(error) } else { JournalError::Store(error) });
            }
            tokio::time::sleep(wait).await;
            wait *= 2;
        }
    }
}

#[async_trait]
impl Journal for SlotJournal {
    async fn append(&mut self, batch: &[Entry], _how: Durability) -> Result<(), JournalError> {
        if let Some(why) = &self.closed {
            return Err(JournalError::Closed { why: why.clone() });
        }
        self.closed = Some("an append was cut off".to_owned());
        let result = self.try_append(batch).await;
        self.closed = result.as_ref().err().map(ToString::to_string);
        result
    }

    async fn read(&self, from: Seq) -> Result<Vec<Line>, JournalError> {
        let mut lines = read_chain(&*self.slots, &self.folder).await?.lines;
        lines.retain(|line| line.entry.seq >= from);
        Ok(lines)
    }

    fn lease_left(&self) -> Option<Duration> {
        Some(self.lease.left())
    }

    async fn renew(&mut self) -> Result<(), JournalError> {
        let result = self.lease.renew().await;
        if let Err(error @ JournalError::Lost { .. }) = &result {
            self.closed = Some(error.to_string());
        }
        result
    }

    async fn release(&mut self) -> Result<(), JournalError> {
        self.closed = Some("the run was released".to_owned());
        self.lease.release().await
    }
}

/// The prefix under which every run has its lease: the list of runs.
pub(super) const LEASES: &str = "leases/";

fn lease_key(run: &RunId) -> String {
    format!("{LEASES}{run}.json")
}

fn folder(run: &RunId) -> String {
    format!("runs/{run}/journal/")
}

fn object_key(folder: &str, first: Seq) -> String {
    format!("{folder}{first:012}.ndjson")
}

async fn read_chain(slots: &dyn Slots, folder: &str) -> Result<Chain, JournalError> {
    read_whole(&read_objects(slots, folder).await?)
}

/// What the objects hold, one behind the other. The mark of an owner who wrote nothing yet is
/// none of it.
async fn read_objects(slots: &dyn Slots, folder: &str) -> Result<BytesMut, JournalError> {
    let keys = slots.list(folder).await.map_err(JournalError::Store)?;
    let mut objects: Vec<Bytes> = stream::iter(keys)
        .map(|key| async move {
            let value = slots.read(&key).await.map_err(JournalError::Store)?;
            let gone = || JournalError::Damaged { at: 0, why: format!("{key} is gone") };
            let (bytes, _) = value.ok_or_else(gone)?;
            Ok::<_, JournalError>(bytes)
        })
        .buffered(ABREAST)
        .try_collect()
        .await?;
    objects.pop_if(|last| Mark::read(last).is_some());
    let mut whole = BytesMut::with_capacity(objects.iter().map(Bytes::len).sum());
    objects.iter().for_each(|object| whole.extend_from_slice(object));
    Ok(whole)
}

fn read_whole(whole: &BytesMut) -> Result<Chain, JournalError> {
    let chain = read_lines(&Bytes::copy_from_slice(whole))?;
    if !chain.tail.is_empty() {
        let why = "an object does not end with a commit".to_owned();
        return Err(JournalError::Damaged { at: chain.head.next, why });
    }
    Ok(chain)
}

/// Who wrote an object, as far as it says.
fn writer(bytes: &[u8]) -> String {
    #[derive(serde::Deserialize)]
    struct Writer {
        epoch: u64,
    }
    if let Some(mark) = Mark::read(bytes) {
        return mark.owner().to_string();
    }
    let first = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
    serde_json::from_slice::<Writer>(first)
        .map_or_else(|_| "somebody unknown".to_owned(), |writer| format!("ownership {}", writer.epoch))
}
