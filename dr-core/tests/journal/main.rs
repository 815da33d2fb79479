//! The journal and the state store, on real files and with real processes.

mod chain;
mod local;
mod memory;
mod processes;
mod slots;
mod slotted;
mod store;
mod support;
