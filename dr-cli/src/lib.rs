//! The command as a library: arguments in, events out, no logic of its own.
//!
//! [`main`] takes the backends that a program knows, so that a team with a backend of its own has the whole command
//! with five lines. What it does is next door: `dr-core` plans, checks and carries out, `dr-evidence` seals, `dr-store`
//! keeps.
//!
//! ```no_run
//! use std::process::ExitCode;
//!
//! fn main() -> ExitCode {
//!     dr_cli::main(dr_core::Backends::new(), Vec::new())
//! }
//! ```

mod actor;
mod args;
mod bound;
mod command;
mod confirm;
mod exit;
mod extra;
mod heard;
mod kept;
mod pilot;
mod problem;
mod saved;
mod seats;
mod secrets;
mod snippet;
mod start;
mod state;
mod view;

pub use exit::Exit;
pub use extra::Extra;
pub use start::main;
