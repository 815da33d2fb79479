//! The register of evidence bundles: an append-only chain, so that no drill can quietly disappear.

use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::claims::{json, parse};
use super::digest::Digest;
use super::key;
use super::slots::{Created, Slots};
use crate::error::{Error, ErrorKind, Result};
use crate::ids::RunId;

const BUNDLES: &str = "bundles/";

/// One bundle in the register.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Registered {
    /// Its number: 1, 2, 3, … without a gap.
    pub number: u64,
    /// Whose run it proves.
    pub run: RunId,
    /// The hash of its manifest.
    pub manifest_sha256: Digest,
    /// The hash of the manifest of the bundle before; [`Digest::NONE`] for the first.
    pub prev: Digest,
}

/// The place of the next bundle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The number that it will have.
    pub number: u64,
    /// The hash of the manifest of the bundle before; [`Digest::NONE`] for the first.
    pub prev: Digest,
}

/// What became of a registration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Registration {
    /// It is registered.
    Done(Registered),
    /// Another bundle took the place: seal with the next one.
    Taken(Registered),
}

/// The bundles of a state store, oldest first.
#[derive(Debug, Clone)]
pub struct Register {
    slots: Arc<dyn Slots>,
}

impl Register {
    /// That in these slots.
    pub fn new(slots: Arc<dyn Slots>) -> Self {
        Self { slots }
    }

    /// Every bundle. The chain is checked.
    ///
    /// # Errors
    /// `Invalid` if an entry is missing or does not join the one before; what the store says.
    pub async fn list(&self) -> Result<Vec<Registered>> {
        let mut bundles = Vec::new();
        let mut place = Place { number: 1, prev: Digest::NONE };
        for key in self.slots.list(BUNDLES).await? {
            let broken =
                |what: &str| Error::invalid(format!("the register of bundles is broken: {what}")).on(&*key);
            let (bytes, _) = self.slots.read(&key).await?.ok_or_else(|| broken("an entry is gone"))?;
            let bundle: Registered = parse(&key, &bytes)?;
            if key != key::numbered(BUNDLES, place.number) || bundle.number != place.number {
                return Err(broken(&format!("entry {} is missing", place.number)));
            }
            if bundle.prev != place.prev {
                return Err(broken("it does not follow the entry before"));
            }
            place = Place { number: bundle.number + 1, prev: bundle.manifest_sha256 };
            bundles.push(bundle);
        }
        Ok(bundles)
    }

    /// The newest bundle.
    ///
    /// # Errors
    /// As [`Register::list`].
    pub async fn last(&self) -> Result<Option<Registered>> {
        Ok(self.list().await?.pop())
    }

    /// Where the next bundle will stand: its manifest names `prev`.
    ///
    /// # Errors
    /// As [`Register::list`].
    pub async fn next(&self) -> Result<Place> {
        Ok(match self.last().await? {
            None => Place { number: 1, prev: Digest::NONE },
            Some(last) => Place { number: last.number + 1, prev: last.manifest_sha256 },
        })
    }

    /// Registers a sealed bundle at its place. Registering it again there changes nothing.
    ///
    /// # Errors
    /// `Conflict` if the entry before is not there any more; what the store says.
    pub async fn register(
        &self,
        place: &Place,
        run: &RunId,
        manifest_sha256: Digest,
    ) -> Result<Registration> {
        let Place { number, prev } = *place;
        let before = self.list().await?.into_iter().take_while(|bundle| bundle.number < number).last();
        let joins = match &before {
            None => number == 1 && prev == Digest::NONE,
            Some(before) => before.number + 1 == number && before.manifest_sha256 == prev,
        };
        if !joins {
            let text = "the bundle's place does not follow the last entry of the register";
            return Err(Error::new(ErrorKind::Conflict, text).not_happened());
        }
        let bundle = Registered { number, run: run.clone(), manifest_sha256, prev };
        let bytes: Bytes = json(&bundle)?;
        let key = key::numbered(BUNDLES, number);
        match self.slots.create(&key, bytes).await? {
            Created::Yes | Created::Mine => Ok(Registration::Done(bundle)),
            Created::Other(there) => Ok(Registration::Taken(parse(&key, &there)?)),
        }
    }
}
