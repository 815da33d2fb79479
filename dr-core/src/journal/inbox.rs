//! How others talk to a running run: one message a key; only the run's owner turns messages into events.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::claims::{append_numbered, json, parse};
use super::key;
use super::slots::Slots;
use crate::env::Clock;
use crate::error::Result;
use crate::event::{Actor, Request};
use crate::ids::RunId;
use crate::time::Timestamp;

/// What somebody asked of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// What.
    #[serde(flatten)]
    pub request: Request,
    /// Who.
    pub actor: Actor,
    /// Why.
    pub reason: String,
    /// When.
    pub at: Timestamp,
}

/// A message as the owner finds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Incoming {
    /// Its number in the inbox.
    pub number: u64,
    /// What it says, or why it cannot be read: a later release's request, a file of somebody's.
    pub message: std::result::Result<Message, String>,
}

/// A run's inbox.
#[derive(Debug, Clone)]
pub struct Inbox {
    slots: Arc<dyn Slots>,
    clock: Arc<dyn Clock>,
    folder: String,
    taken_folder: String,
    seen: BTreeSet<u64>,
}

impl Inbox {
    /// The inbox of a run.
    pub fn new(slots: Arc<dyn Slots>, clock: Arc<dyn Clock>, run: &RunId) -> Self {
        let folder = format!("runs/{run}/inbox/");
        let taken_folder = format!("runs/{run}/inbox-taken/");
        Self { slots, clock, folder, taken_folder, seen: BTreeSet::new() }
    }

    /// Leaves a message; says its number. When it returns, the message is durable.
    ///
    /// # Errors
    /// If the store cannot be asked.
    pub async fn post(&self, request: Request, actor: Actor, reason: impl Into<String>) -> Result<u64> {
        let message = Message { request, actor, reason: reason.into(), at: self.clock.now() };
        append_numbered(&*self.slots, &self.folder, &json(&message)?).await
    }

    /// The messages that this value has not returned yet and no owner has marked as taken, in the order in which they
    /// came.
    ///
    /// # Errors
    /// If the store cannot be asked. A message that cannot be read is no error: it is returned as such.
    pub async fn take_new(&mut self) -> Result<Vec<Incoming>> {
        let mut waiting = self.numbers(&self.folder).await?;
        waiting.retain(|number| !self.seen.contains(number));
        if waiting.is_empty() {
            return Ok(Vec::new());
        }
        let taken = self.numbers(&self.taken_folder).await?;
        let mut incoming = Vec::new();
        for number in waiting {
            if !taken.contains(&number) {
                let key = key::numbered(&self.folder, number);
                let Some((bytes, _)) = self.slots.read(&key).await? else { continue };
                let message = parse::<Message>(&key, &bytes).map_err(|error| error.chain());
                incoming.push(Incoming { number, message });
            }
        }
        self.seen.extend(taken);
        self.seen.extend(incoming.iter().map(|incoming| incoming.number));
        Ok(incoming)
    }

    /// Marks a message as taken: after its event is durable. A crash between the two shows it to the next owner once
    /// more.
    ///
    /// # Errors
    /// If the store cannot be asked.
    pub async fn mark_taken(&self, number: u64) -> Result<()> {
        self.slots.create(&key::numbered(&self.taken_folder, number), json(&number)?).await.map(drop)
    }

    async fn numbers(&self, folder: &str) -> Result<BTreeSet<u64>> {
        Ok(self.slots.list(folder).await?.iter().filter_map(|key| key::number(key)).collect())
    }
}
