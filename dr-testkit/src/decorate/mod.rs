//! Decorators: what goes wrong between a run and its resources. Each stands before an [`dr_core::resource::Action`],
//! and so before any verb there will ever be; put them on a whole run with [`crate::Rig::wrapped`] or
//! [`dr_core::runbook::Runbook::wrapped`], or on one effect of a resource with [`Through`].
//!
//! A [`Schedule`] says which calls go wrong and how ([`Trouble`]): told one by one, or drawn from a seed. What it did is
//! its text, and the text read again does the same.

mod draw;
mod recorder;
mod schedule;
mod through;
mod trouble;
mod troubled;

pub use recorder::{Called, Recorder};
pub use schedule::{Schedule, Strike};
pub use through::Through;
pub use trouble::Trouble;
