//! Durable events: the trait, the local file, slots on a shared store; hash chain, exclusive ownership, claims, inbox.

mod slots;
mod traits;

pub use slots::{Created, Slots, Tag};
pub use traits::{Durability, Journal, JournalError, Line};
