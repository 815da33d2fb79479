//! The mark of a new owner: it takes the place of a journal's next object, so that no earlier owner can write there.
//!
//! An object can be written once, but whoever was taken over may not know it yet, and would write the next one. With the
//! place taken his append fails, and the first batch of the new owner replaces the mark.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::slots::{Created, Slots, Tag};
use super::traits::JournalError;
use crate::event::Actor;

/// How often a store is asked that gave no answer to rely on.
const TRIES: u32 = 5;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Mark {
    epoch: u64,
    owner: Actor,
}

impl Mark {
    pub(super) fn new(epoch: u64, owner: Actor) -> Self {
        Self { epoch, owner }
    }

    /// `None`: it is no mark.
    pub(super) fn read(object: &[u8]) -> Option<Self> {
        serde_json::from_slice(object).ok()
    }

    /// Who took the run over.
    pub(super) fn owner(&self) -> &Actor {
        &self.owner
    }

    /// Puts it there, also in the place of an earlier owner's mark. The inner error is an object that an earlier owner
    /// wrote there first.
    pub(super) async fn put(&self, slots: &dyn Slots, key: &str) -> Result<Result<Tag, Bytes>, JournalError> {
        let bytes = Bytes::from(serde_json::to_vec(self).unwrap_or_default());
        let mut failure = None;
        for _ in 0..TRIES {
            // One call where nobody writes, and one for each object of somebody who still does: he must not be quicker.
            match slots.create(key, bytes.clone()).await {
                Ok(Created::Other(there)) if Self::read(&there).is_none() => return Ok(Err(there)),
                Ok(Created::Yes | Created::Mine | Created::Other(_)) => {}
                Err(error) => failure = Some(error),
            }
            // What is there decides, whatever the store answered to a write.
            let Some((there, tag)) = slots.read(key).await.map_err(JournalError::Store)? else { continue };
            if there == bytes {
                return Ok(Ok(tag));
            }
            let Some(other) = Self::read(&there) else { return Ok(Err(there)) };
            if other.epoch >= self.epoch {
                return Err(JournalError::Lost { to: other.owner.to_string() });
            }
            if let Err(error) = slots.replace_if(key, &tag, bytes.clone()).await {
                failure = Some(error);
            }
        }
        Err(match failure {
            Some(error) => JournalError::Store(error),
            None => JournalError::Lost { to: "others who take it over at the same moment".to_owned() },
        })
    }
}
