//! The plan that a run began with, beside its journal: whoever resumes it on another machine needs it.

use bytes::Bytes;

use super::key;
use super::slots::{Created, Slots};
use crate::error::{Error, ErrorKind, Result};
use crate::ids::RunId;

const PLANS: &str = "plans/";

/// Keeps a run's plan. Convergent; a run never has two.
pub(super) async fn keep(slots: &dyn Slots, run: &RunId, text: &str) -> Result<()> {
    match slots.create(&place(run), Bytes::copy_from_slice(text.as_bytes())).await? {
        Created::Yes | Created::Mine => Ok(()),
        Created::Other(_) => Err(Error::new(ErrorKind::Conflict, "another plan is kept for it")
            .on(run.as_str())
            .not_happened()),
    }
}

/// The plan of a run, if one was kept.
pub(super) async fn of(slots: &dyn Slots, run: &RunId) -> Result<Option<Bytes>> {
    Ok(slots.read(&place(run)).await?.map(|(bytes, _)| bytes))
}

fn place(run: &RunId) -> String {
    format!("{PLANS}{}", key::segment(run.as_str()))
}
