//! Ownership of a run on a shared store: a lease under a key of its own.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::slots::{Created, Slots, Tag};
use super::traits::JournalError;
use crate::env::Clock;
use crate::error::{Error, Happened};
use crate::event::Actor;
use crate::ids::RunId;
use crate::time::{Timestamp, human};

/// What the lease's key holds. Two terms are never alike: each renewal counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Term {
    run: RunId,
    epoch: u64,
    renewals: u64,
    owner: Actor,
    at: Timestamp,
    #[serde(with = "human")]
    ttl: Duration,
    #[serde(default)]
    released: bool,
}

/// A lease that we hold, or held.
///
/// The owner counts its term from before it asked for it and takes a tenth off; whoever waits for its end counts the
/// whole of it from after seeing it. No two clocks are compared. An owner whose machine slept sees that its wall
/// clock went further than its monotonic one, and believes the worse.
#[derive(Debug)]
pub(super) struct Lease {
    slots: Arc<dyn Slots>,
    clock: Arc<dyn Clock>,
    key: String,
    term: Term,
    asked: Instant,
}

impl Lease {
    /// Of a new run.
    pub(super) async fn create(
        slots: Arc<dyn Slots>,
        clock: Arc<dyn Clock>,
        key: String,
        run: &RunId,
        owner: &Actor,
        ttl: Duration,
    ) -> Result<Self, JournalError> {
        let asked = Instant::now();
        let at = clock.now();
        let term =
            Term { run: run.clone(), epoch: 1, renewals: 0, owner: owner.clone(), at, ttl, released: false };
        match slots.create(&key, term.bytes()).await.map_err(store)? {
            Created::Yes | Created::Mine => Ok(Self { slots, clock, key, term, asked }),
            Created::Other(_) => Err(JournalError::Refused { why: format!("run {run} is there already") }),
        }
    }

    /// Takes it over: at once if it was released or if `at_once` says so, else after it stood unchanged for its whole
    /// term. An owner who renews it meanwhile keeps it.
    pub(super) async fn take(
        slots: Arc<dyn Slots>,
        clock: Arc<dyn Clock>,
        key: String,
        run: &RunId,
        owner: &Actor,
        ttl: Duration,
        at_once: bool,
    ) -> Result<Self, JournalError> {
        let (mut there, mut tag) = known(&*slots, &key, run).await?;
        if !at_once {
            let seen = Instant::now();
            while !there.released && seen.elapsed() < there.ttl {
                tokio::time::sleep(pace(there.ttl).min(there.ttl.saturating_sub(seen.elapsed()))).await;
                let (now, now_tag) = known(&*slots, &key, run).await?;
                if now != there && !now.released {
                    return Err(lost(&now.owner.to_string()));
                }
                (there, tag) = (now, now_tag);
            }
        }
        let asked = Instant::now();
        let why = || format!("the lease {key}: no ownership can follow on {}", there.epoch);
        let epoch = there.epoch.checked_add(1).ok_or_else(|| JournalError::Damaged { at: 0, why: why() })?;
        let at = clock.now();
        let term =
            Term { run: run.clone(), epoch, renewals: 0, owner: owner.clone(), at, ttl, released: false };
        let mut lease = Self { slots, clock, key, term: there, asked };
        lease.replace(tag, term, asked).await?;
        Ok(lease)
    }

    /// The ownership's number.
    pub(super) fn epoch(&self) -> u64 {
        self.term.epoch
    }

    /// The number to write with, if the journal knows a later one than the lease did.
    pub(super) async fn advance(&mut self, epoch: u64) -> Result<(), JournalError> {
        if epoch > self.term.epoch { self.next(|term| term.epoch = epoch).await } else { Ok(()) }
    }

    /// How long an effect that starts now may take.
    pub(super) fn left(&self) -> Duration {
        let sure = self.term.ttl.saturating_sub(self.term.ttl / 10);
        let elapsed = self.asked.elapsed().max(self.clock.now().since(self.term.at));
        if self.term.released { Duration::ZERO } else { sure.saturating_sub(elapsed) }
    }

    /// Whether a third of the term is spent.
    pub(super) fn is_due(&self) -> bool {
        self.left() < self.term.ttl * 6 / 10
    }

    /// For another term.
    pub(super) async fn renew(&mut self) -> Result<(), JournalError> {
        self.next(|_| {}).await
    }

    /// Gives it up.
    pub(super) async fn release(&mut self) -> Result<(), JournalError> {
        self.next(|term| term.released = true).await
    }

    async fn next(&mut self, change: impl FnOnce(&mut Term)) -> Result<(), JournalError> {
        let asked = Instant::now();
        let mut term = Term { renewals: self.term.renewals + 1, at: self.clock.now(), ..self.term.clone() };
        change(&mut term);
        let (there, tag) = known(&*self.slots, &self.key, &self.term.run).await?;
        if there != self.term {
            return Err(lost(&there.owner.to_string()));
        }
        self.replace(tag, term, asked).await
    }

    /// Puts `term` in the place of ours. After an answer that is none, what is there decides.
    async fn replace(&mut self, tag: Tag, term: Term, asked: Instant) -> Result<(), JournalError> {
        let answer = self.slots.replace_if(&self.key, &tag, term.bytes()).await;
        if !matches!(answer, Ok(true)) {
            let (there, _) = known(&*self.slots, &self.key, &term.run).await?;
            if there != term {
                return Err(match answer {
                    Err(error) if there == self.term => store(error),
                    Ok(_) | Err(_) => lost(&there.owner.to_string()),
                });
            }
        }
        self.term = term;
        self.asked = asked;
        Ok(())
    }
}

impl Term {
    fn bytes(&self) -> Bytes {
        serde_json::to_vec(self).unwrap_or_default().into()
    }
}

/// How often somebody who waits for the end looks.
fn pace(ttl: Duration) -> Duration {
    (ttl / 10).min(Duration::from_secs(1))
}

async fn known(slots: &dyn Slots, key: &str, run: &RunId) -> Result<(Term, Tag), JournalError> {
    let value = slots.read(key).await.map_err(JournalError::Store)?;
    let (bytes, tag) = value.ok_or_else(|| JournalError::NoSuchRun { run: run.to_string() })?;
    let term = serde_json::from_slice(&bytes)
        .map_err(|error| JournalError::Damaged { at: 0, why: format!("the lease {key}: {error}") })?;
    Ok((term, tag))
}

fn store(error: Error) -> JournalError {
    match error.happened() {
        Happened::No => JournalError::Store(error),
        Happened::Maybe => JournalError::InDoubt(error),
    }
}

fn lost(to: &str) -> JournalError {
    JournalError::Lost { to: to.to_owned() }
}
