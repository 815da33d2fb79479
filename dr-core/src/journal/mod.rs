//! Durable events: the trait, the local file, slots on a shared store; hash chain, exclusive ownership, claims, inbox.

mod chain;
mod digest;
mod slots;
mod traits;

pub use chain::{Chain, Head, MAX_LINE, read_lines};
pub use digest::{Digest, NoDigest};
pub use slots::{Created, Slots, Tag};
pub use traits::{Durability, Journal, JournalError, Line};
