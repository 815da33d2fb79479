//! Durable events: the trait, the local file, slots on a shared store; hash chain, exclusive ownership, claims, inbox.

mod chain;
mod digest;
mod filesystem;
mod local;
mod memory;
mod slots;
mod syncer;
mod traits;

pub use chain::{Chain, Head, MAX_LINE, read_lines};
pub use digest::{Digest, NoDigest};
pub use filesystem::Filesystem;
pub use local::{Dropped, LocalJournal, Repair, Taken};
pub use memory::{Crash, MemoryDisk, MemoryJournal};
pub use slots::{Created, Slots, Tag};
pub use traits::{Durability, Journal, JournalError, Line};
