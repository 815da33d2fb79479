//! What can be wrong with a side.

use std::time::Duration;

use crate::error::{Error, ErrorKind};
use crate::resource::Reach;

/// How a side, or a resource on it, fails to answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// Packets vanish: silence.
    BlackHole,
    /// It accepts connections and never answers. It is alive.
    Hung,
    /// Its host answers, nothing listens.
    Closed,
    /// It answers, and lets nobody in.
    Denied,
}

impl Fault {
    /// How long a caller waits before it knows.
    pub(super) fn delay(self, patience: Duration) -> Duration {
        match self {
            Self::BlackHole | Self::Hung => patience,
            Self::Closed | Self::Denied => Duration::ZERO,
        }
    }

    /// What a caller is told.
    pub(super) fn error(self, node: &str) -> Error {
        let (kind, text) = match self {
            Self::BlackHole => (ErrorKind::Unreachable, "nothing answers"),
            Self::Hung => (ErrorKind::Hung, "it accepts connections and does not answer"),
            Self::Closed => (ErrorKind::Unreachable, "nothing listens"),
            Self::Denied => (ErrorKind::Unauthorized, "it lets nobody in"),
        };
        Error::new(kind, text).on(node)
    }

    pub(super) fn reach(self) -> Reach {
        match self {
            Self::BlackHole => Reach::Unreachable,
            Self::Hung => Reach::Hung,
            Self::Closed => Reach::Closed,
            Self::Denied => Reach::Denied,
        }
    }
}
