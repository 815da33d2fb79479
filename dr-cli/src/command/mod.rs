//! One file for each thing that a person can type.

pub(crate) mod abort;
pub(crate) mod approve;
pub(crate) mod check;
pub(crate) mod claims;
pub(crate) mod evidence;
pub(crate) mod guard;
pub(crate) mod history;
pub(crate) mod measure;
pub(crate) mod plan;
pub(crate) mod protect;
pub(crate) mod ready;
pub(crate) mod resume;
pub(crate) mod run;
pub(crate) mod runbook;
pub(crate) mod status;
