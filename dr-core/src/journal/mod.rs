//! Durable events and everything else that outlives a process.
//!
//! A [`StateStore`] is what a command opens: a folder, or a shared store behind [`Slots`] (`dr-store` adapts object
//! stores). In it stand the runs, each with its [`Journal`] (a [`LocalJournal`] under a lock, or a [`SlotJournal`]
//! under a lease) and its [`Inbox`]; and beside them [`Claims`], [`Debts`] and the [`Register`] of bundles. The bytes
//! of a journal are told by [`read_lines`], which needs no store at all.

mod chain;
mod claims;
mod debts;
mod digest;
mod filesystem;
mod folder;
mod inbox;
mod key;
mod lease;
mod local;
mod mark;
mod memory;
mod memory_slots;
mod plans;
mod proven;
mod register;
mod slots;
mod slotted;
mod store;
mod syncer;
mod traits;

pub use chain::{Chain, Head, MAX_LINE, read_lines};
pub use claims::{Claim, Claimed, Claims, Released};
pub use debts::{Debts, OpenDebt};
pub use digest::{Digest, NoDigest};
pub use filesystem::Filesystem;
pub use folder::FolderSlots;
pub use inbox::{Inbox, Incoming, Message};
pub use local::{Dropped, LocalJournal, Repair, Taken};
pub use memory::{Crash, MemoryDisk, MemoryJournal};
pub use memory_slots::MemorySlots;
pub use register::{Place, Register, Registered, Registration};
pub use slots::{Created, Slots, Tag};
pub use slotted::{SlotJournal, Tenancy};
pub use store::{Application, AppliedPlan, Owned, StateStore};
pub use traits::{Durability, Journal, JournalError, Line};
