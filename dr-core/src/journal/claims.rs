//! Claims: one run at a time on an identity, whichever plan it comes from.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::key;
use super::slots::{Created, Slots, Tag};
use crate::env::Clock;
use crate::error::{Error, ErrorKind, Result};
use crate::event::Actor;
use crate::ids::{Identity, RunId};
use crate::time::Timestamp;

const CLAIMS: &str = "claims/";
const BY_HAND: &str = "claims-released/";

/// A run's word that an identity is its own until it ends. It belongs to the run, not to the process that drives it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// What is claimed.
    pub identity: Identity,
    /// By which run.
    pub run: RunId,
    /// Who began it, and from where.
    pub actor: Actor,
    /// Since when.
    pub since: Timestamp,
}

impl fmt::Display for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is claimed by run {} of {} since {}", self.identity, self.run, self.actor, self.since)
    }
}

/// What became of a wish to claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claimed {
    /// Every identity is the run's.
    All,
    /// This one is another run's; nothing was taken.
    Held(Claim),
}

impl Claimed {
    /// The refusal as an error.
    ///
    /// # Errors
    /// `Conflict`, naming who, where and since.
    pub fn or_conflict(self) -> Result<()> {
        match self {
            Self::All => Ok(()),
            Self::Held(claim) => Err(Error::new(ErrorKind::Conflict, claim.to_string()).not_happened()),
        }
    }
}

/// A claim that a person released, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Released {
    /// The claim as it stood.
    pub claim: Claim,
    /// Why.
    pub reason: String,
    /// Who.
    pub actor: Actor,
    /// When.
    pub at: Timestamp,
}

/// The claims of a state store.
#[derive(Debug, Clone)]
pub struct Claims {
    slots: Arc<dyn Slots>,
    clock: Arc<dyn Clock>,
}

impl Claims {
    /// Those in these slots.
    pub fn new(slots: Arc<dyn Slots>, clock: Arc<dyn Clock>) -> Self {
        Self { slots, clock }
    }

    /// Claims all of them for the run or none, in sorted order. What the run has already stays its own; if one is
    /// another's, what this call took is given back.
    ///
    /// # Errors
    /// If the store cannot be asked. Claims that were taken by then are given back where that is possible, and belong
    /// to the run where it is not.
    pub async fn take(&self, run: &RunId, identities: &[Identity], actor: &Actor) -> Result<Claimed> {
        let mut taken = Vec::new();
        let mut outcome = Ok(Claimed::All);
        for identity in identities.iter().collect::<BTreeSet<_>>() {
            let claim = Claim {
                identity: identity.clone(),
                run: run.clone(),
                actor: actor.clone(),
                since: self.clock.now(),
            };
            match self.take_one(&claim).await {
                Ok(None) => taken.push(claim),
                Ok(Some(there)) if there.run == *run => {}
                Ok(Some(there)) => {
                    outcome = Ok(Claimed::Held(there));
                    break;
                }
                Err(error) => {
                    taken.push(claim);
                    outcome = Err(error);
                    break;
                }
            }
        }
        if !matches!(outcome, Ok(Claimed::All)) {
            for claim in &taken {
                if let Err(error) = self.give_back(claim).await {
                    outcome = outcome.and(Err(error));
                }
            }
        }
        outcome
    }

    /// Every claim, sorted by identity.
    ///
    /// # Errors
    /// If the store cannot be asked, or holds something that is no claim.
    pub async fn list(&self) -> Result<Vec<Claim>> {
        let mut claims = Vec::new();
        for key in self.slots.list(CLAIMS).await? {
            if let Some((claim, _)) = self.read(&key).await? {
                claims.push(claim);
            }
        }
        claims.sort_by(|one, other| one.identity.cmp(&other.identity));
        Ok(claims)
    }

    /// Frees every claim of a run: at its end only.
    ///
    /// # Errors
    /// If the store cannot be asked.
    pub async fn release(&self, run: &RunId) -> Result<()> {
        for key in self.slots.list(CLAIMS).await? {
            if let Some((claim, tag)) = self.read(&key).await?
                && claim.run == *run
            {
                self.slots.remove_if(&key, &tag).await?;
            }
        }
        Ok(())
    }

    /// Frees one claim on a person's word, which is kept. `None`: nobody claims it.
    ///
    /// # Errors
    /// If the store cannot be asked; `Conflict` if the claim changed meanwhile.
    pub async fn release_by_hand(
        &self,
        identity: &Identity,
        reason: &str,
        actor: &Actor,
    ) -> Result<Option<Released>> {
        let key = claim_key(identity);
        let Some((claim, tag)) = self.read(&key).await? else { return Ok(None) };
        let (reason, actor, at) = (reason.to_owned(), actor.clone(), self.clock.now());
        let released = Released { claim, reason, actor, at };
        append_numbered(&*self.slots, BY_HAND, &json(&released)?).await?;
        if self.slots.remove_if(&key, &tag).await? {
            Ok(Some(released))
        } else {
            let text = format!("the claim on {identity} changed meanwhile");
            Err(Error::new(ErrorKind::Conflict, text).not_happened())
        }
    }

    /// What was released by hand, oldest first.
    ///
    /// # Errors
    /// If the store cannot be asked.
    pub async fn released_by_hand(&self) -> Result<Vec<Released>> {
        let mut all = Vec::new();
        for key in self.slots.list(BY_HAND).await? {
            if let Some((bytes, _)) = self.slots.read(&key).await? {
                all.push(parse(&key, &bytes)?);
            }
        }
        Ok(all)
    }

    /// `None`: it is ours now; else whose it is.
    async fn take_one(&self, claim: &Claim) -> Result<Option<Claim>> {
        let key = claim_key(&claim.identity);
        match self.slots.create(&key, json(claim)?).await? {
            Created::Yes | Created::Mine => Ok(None),
            Created::Other(there) => parse(&key, &there).map(Some),
        }
    }

    async fn give_back(&self, ours: &Claim) -> Result<()> {
        let key = claim_key(&ours.identity);
        match self.read(&key).await? {
            Some((there, tag)) if there == *ours => self.slots.remove_if(&key, &tag).await.map(drop),
            Some(_) | None => Ok(()),
        }
    }

    async fn read(&self, key: &str) -> Result<Option<(Claim, Tag)>> {
        match self.slots.read(key).await? {
            Some((bytes, tag)) => Ok(Some((parse(key, &bytes)?, tag))),
            None => Ok(None),
        }
    }
}

fn claim_key(identity: &Identity) -> String {
    format!("{CLAIMS}{}.json", key::segment(identity.as_str()))
}

/// Puts a value under the first free number; says which.
pub(super) async fn append_numbered(slots: &dyn Slots, folder: &str, bytes: &Bytes) -> Result<u64> {
    let last = slots.list(folder).await?.iter().filter_map(|key| key::number(key)).max();
    let full = || Error::invalid("no number can follow on the last one").on(folder).not_happened();
    let mut number = last.unwrap_or(0).checked_add(1).ok_or_else(full)?;
    loop {
        match slots.create(&key::numbered(folder, number), bytes.clone()).await? {
            Created::Yes | Created::Mine => return Ok(number),
            Created::Other(_) => number += 1,
        }
    }
}

/// A value as the store holds it.
pub(super) fn json(value: &impl Serialize) -> Result<Bytes> {
    let bytes = serde_json::to_vec(value)
        .map_err(|error| Error::invalid("a value that JSON cannot hold").because(error))?;
    Ok(bytes.into())
}

/// A value as the store held it.
pub(super) fn parse<T: serde::de::DeserializeOwned>(key: &str, bytes: &[u8]) -> Result<T> {
    serde_json::from_slice(bytes).map_err(|error| {
        Error::invalid("the state store holds something that cannot be read").on(key).because(error)
    })
}
