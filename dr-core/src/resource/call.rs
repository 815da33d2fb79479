//! What a verb is: its options, what kind of change it is, and what it leaves.

use std::fmt;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use serde_json::Value;

use super::at::Roles;

/// What kind of change a call makes. Checks and the engine look at this, never at a verb's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// Changes nothing. A dry run does it for real.
    Read,
    /// Its undo restores what was observed before.
    Reversible,
    /// Cannot be undone, and makes no side writable.
    Irreversible,
    /// Makes one side accept no more writes.
    Fence,
    /// May make another side writable. Its durable intent is the point of no return.
    PointOfNoReturn,
}

/// What a verb leaves when it has succeeded: a value for the journal and, as `Display`, a line for people.
pub trait Outcome: fmt::Debug + fmt::Display + Serialize + DeserializeOwned + Send + Sync + 'static {}

impl<T: fmt::Debug + fmt::Display + Serialize + DeserializeOwned + Send + Sync + 'static> Outcome for T {}

/// A verb's options: what the plan says, what the engine passes and what the journal holds, in one type.
///
/// A new field gets a serde default that means "as before". Deserializing refuses unknown fields.
pub trait Call: fmt::Debug + Clone + Serialize + DeserializeOwned + Send + Sync + 'static {
    /// The word in the plan: `promote`; a backend's own verbs are `vendor.verb`.
    const VERB: &'static str;

    /// What it leaves.
    type Outcome: Outcome;

    /// What kind of change this very call makes.
    fn class(&self) -> Class;

    /// Puts the names of sides where their roles stand. Called once, when a plan is bound.
    fn aim(&mut self, roles: &Roles) {
        let _ = roles;
    }
}

/// A call as a plan gives it, understood: sides by name where roles stood, defaults filled in, and what kind of change it
/// is.
///
/// # Errors
/// If that is not what the verb takes.
pub fn understood<C: Call>(call: Value, roles: &Roles) -> Result<(Value, Class), serde_json::Error> {
    let mut call: C = serde_json::from_value(call)?;
    call.aim(roles);
    Ok((serde_json::to_value(&call)?, call.class()))
}
