//! The journal and the state store, on real files and with real processes.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod behave;
mod chain;
mod lease;
mod local;
mod memory;
mod processes;
mod scripted;
mod slots;
mod slotted;
mod store;
mod support;
