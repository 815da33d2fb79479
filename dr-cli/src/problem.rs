//! What a command failed with: the message, the way on, and the exit code.

use std::fmt;

use dr_core::Error;
use dr_core::journal::JournalError;

use crate::exit::Exit;

/// Ends a command. Shown as `error: …` with each cause on a line of its own, and what to do next.
#[derive(Debug)]
pub(crate) struct Problem {
    /// The process's exit code.
    pub exit: Exit,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub help: Option<String>,
}

/// What commands return.
pub(crate) type Outcome<T = Exit> = Result<T, Problem>;

impl Problem {
    /// With its exit code.
    pub(crate) fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, message: message.into(), help: None }
    }

    /// Refused; nothing was touched.
    pub(crate) fn refused(message: impl Into<String>) -> Self {
        Self::new(Exit::Refused, message)
    }

    /// What to do next.
    #[must_use]
    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Everything that there is to say has been said.
    pub(crate) fn shown(exit: Exit) -> Self {
        Self::new(exit, String::new())
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        Self::new(Exit::Failure, error.chain())
    }
}

impl From<anyhow::Error> for Problem {
    fn from(error: anyhow::Error) -> Self {
        Self::new(Exit::Failure, format!("{error:#}"))
    }
}

impl From<JournalError> for Problem {
    fn from(error: JournalError) -> Self {
        let help = match &error {
            JournalError::Lost { .. } => {
                Some("`dr status` shows who drives it; a dead owner's run goes on with `dr resume`")
            }
            JournalError::Damaged { .. } => {
                Some("nothing was changed: keep the folder as it is, and compare it with its evidence bundle")
            }
            _ => None,
        };
        let exit = match &error {
            JournalError::Lost { .. } => Exit::OwnershipLost,
            _ => Exit::JournalLost,
        };
        let problem = Self::new(exit, format!("{:#}", anyhow::Error::from(error)));
        match help {
            Some(help) => problem.help(help),
            None => problem,
        }
    }
}
