//! A subcommand that a program adds to the command.

use std::fmt;
use std::process::ExitCode;

use clap::{ArgMatches, Command};

/// Its arguments and what it does.
pub struct Extra {
    /// Name, help and arguments.
    pub command: Command,
    /// Carries it out.
    pub run: Box<dyn Fn(&ArgMatches) -> ExitCode>,
}

impl fmt::Debug for Extra {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Extra").field("command", &self.command.get_name()).finish_non_exhaustive()
    }
}
