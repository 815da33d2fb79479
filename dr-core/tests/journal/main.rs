//! The journal and the state store, on real files and with real processes.

mod chain;
mod support;
