//! Proof that a state store can be written from here: what `dr ready` leaves.

use serde::{Deserialize, Serialize};

use super::claims::json;
use super::key;
use super::slots::{Created, Slots};
use crate::error::{Error, ErrorKind, Result};
use crate::event::Actor;
use crate::time::Timestamp;

const READY: &str = "ready/";

/// Who last proved that the store can be written from a seat, and when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Proven {
    by: Actor,
    at: Timestamp,
}

/// Writes the seat's record: created if it is missing, replaced by compare-and-set if not. These are the two writes that
/// a run rests on.
pub(super) async fn prove(slots: &dyn Slots, seat: &str, by: &Actor, at: Timestamp) -> Result<()> {
    let key = format!("{READY}{}.json", key::segment(seat));
    let bytes = json(&Proven { by: by.clone(), at })?;
    let written = match slots.read(&key).await? {
        Some((_, tag)) => slots.replace_if(&key, &tag, bytes).await?,
        None => matches!(slots.create(&key, bytes).await?, Created::Yes | Created::Mine),
    };
    if written {
        return Ok(());
    }
    let text = "somebody else proves it from this seat at this moment";
    Err(Error::new(ErrorKind::Conflict, text).on(seat).transient(None).not_happened())
}
