//! The state store on object stores.
//!
//! This room adapts object stores to [`dr_core::journal::Slots`] and opens a [`StateStore`] at a location that a plan
//! or a command line names. What a journal, a claim or a register *is* stands next door, in `dr_core::journal`.
//!
//! | location | what it is |
//! |---|---|
//! | `./state`, `/var/lib/dr`, `file:/var/lib/dr` | a folder of this machine |
//! | `s3://bucket/prefix` | a bucket of S3 or of anything that speaks it with conditional writes |
//! | `memory:` | gone with the process; for tests |
//!
//! ```
//! # fn main() -> Result<(), dr_core::Error> {
//! use std::path::Path;
//!
//! let store = dr_store::open("memory:", Path::new("/tmp/spool"))?;
//! assert!(!store.is_local());
//! assert!(dr_store::open("ftp://state", Path::new("/tmp/spool")).is_err());
//! # Ok(()) }
//! ```
//!
//! [`StateStore`]: dr_core::journal::StateStore

mod error;
mod location;
mod object;
mod open;

pub use location::Location;
pub use object::ObjectSlots;
pub use open::{Opening, open, open_with_env};
