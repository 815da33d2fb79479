//! Decorators: what goes wrong between a run and its resources. Each stands before an [`dr_core::resource::Action`],
//! and so before any verb there will ever be; put them on a whole run with
//! [`dr_core::runbook::Runbook::wrapped`], or on one effect of a resource with [`Through`].

mod fail;
mod recorder;
mod through;

pub use fail::{FailBefore, LostReply, TimeoutAfter, Times};
pub use recorder::{Called, Recorder};
pub use through::Through;
