//! What can go wrong with a server, and what that means to a run.

use dr_core::resource::Reach;
use dr_core::{Error, ErrorKind};

/// Trouble with a server, before it is classified.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Trouble {
    /// A reset: its host answers.
    #[error("nothing listens there")]
    Closed,
    /// No connection, and no word why.
    #[error("it does not answer")]
    Silent,
    /// A connection, and then nothing.
    #[error("it accepts connections and does not answer")]
    Hung,
    /// A session ended while it was asked.
    #[error("the session broke")]
    Broken,
    /// It let nobody in under that name.
    #[error("it let us not in: {0}")]
    Denied(String),
    /// It said no to a command.
    #[error("it said: {0}")]
    Said(String),
    /// It said something that is not understood.
    #[error("its answer makes no sense: {0}")]
    Nonsense(String),
}

impl Trouble {
    pub(crate) fn reach(&self) -> Reach {
        match self {
            Self::Closed | Self::Broken => Reach::Closed,
            Self::Silent => Reach::Unreachable,
            Self::Hung => Reach::Hung,
            Self::Denied(_) => Reach::Denied,
            Self::Said(_) | Self::Nonsense(_) => Reach::Answers,
        }
    }

    fn kind(&self) -> ErrorKind {
        match self {
            Self::Closed | Self::Silent | Self::Broken => ErrorKind::Unreachable,
            Self::Hung => ErrorKind::Hung,
            // It is starting, or busy with a script.
            Self::Denied(said) | Self::Said(said)
                if said.starts_with("LOADING") || said.starts_with("BUSY") =>
            {
                ErrorKind::NotReady
            }
            Self::Denied(_) => ErrorKind::Unauthorized,
            Self::Said(said) if said.starts_with("NOPERM") => ErrorKind::Unauthorized,
            Self::Said(_) => ErrorKind::Refused,
            Self::Nonsense(_) => ErrorKind::Unknown,
        }
    }
}

impl From<Trouble> for Error {
    fn from(trouble: Trouble) -> Self {
        Self::new(trouble.kind(), trouble.to_string())
    }
}
