//! What can go wrong with a server, and what that means to the engine.

use std::time::Duration;

use dr_core::resource::Reach;
use dr_core::time::show_duration;
use dr_core::{Error, ErrorKind};
use tokio_postgres::error::SqlState;

/// A server's trouble, before it is classified.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Trouble {
    /// A reset: its host answers, nothing listens.
    #[error("nothing listens there")]
    Closed(#[source] std::io::Error),
    /// No answer at all.
    #[error("no answer within {}", show_duration(*.0))]
    Silent(Duration),
    /// No way to it: no route, no name.
    #[error("cannot be reached")]
    NoWay(#[source] std::io::Error),
    /// It accepted a connection and never answered.
    #[error("accepts connections and does not answer within {}", show_duration(*.0))]
    Hung(Duration),
    /// It answered, and did not let us in.
    #[error("{1}")]
    Denied(SqlState, String),
    /// It answered, and the connection could not be set up: TLS, protocol.
    #[error("no session")]
    NoSession(#[source] tokio_postgres::Error),
    /// The session broke while it was asked.
    #[error("the session broke")]
    Broken(#[source] tokio_postgres::Error),
    /// It said no to a statement.
    #[error("{1}")]
    Said(SqlState, String),
    /// It said something that makes no sense here.
    #[error("{0}")]
    Nonsense(String),
    /// A command on its node failed.
    #[error("{operation} failed with {code}: {said}")]
    Command {
        /// The operation.
        operation: String,
        /// The exit status, or how it ended.
        code: String,
        /// What it wrote.
        said: String,
    },
    /// A command on its node could not be run.
    #[error("a command cannot be run")]
    NoCommand(#[source] std::io::Error),
}

impl Trouble {
    /// What it says about the node.
    pub(crate) fn reach(&self) -> Reach {
        match self {
            Self::Closed(_) => Reach::Closed,
            Self::Silent(_) | Self::NoWay(_) | Self::NoCommand(_) | Self::Command { .. } => {
                Reach::Unreachable
            }
            Self::Hung(_) => Reach::Hung,
            Self::Denied(..) | Self::NoSession(_) => Reach::Denied,
            Self::Broken(_) => Reach::Closed,
            Self::Said(..) | Self::Nonsense(_) => Reach::Answers,
        }
    }

    /// Of an error while a session is asked.
    pub(crate) fn asking(error: tokio_postgres::Error) -> Self {
        match error.as_db_error() {
            Some(said) if !error.is_closed() => Self::Said(said.code().clone(), said.message().to_owned()),
            _ => Self::Broken(error),
        }
    }

    /// Of an error while a session is opened.
    pub(crate) fn opening(error: tokio_postgres::Error) -> Self {
        if let Some(said) = error.as_db_error() {
            return Self::Denied(said.code().clone(), said.message().to_owned());
        }
        let io = std::error::Error::source(&error).and_then(|source| source.downcast_ref::<std::io::Error>());
        match io.map(std::io::Error::kind) {
            Some(
                kind @ (std::io::ErrorKind::ConnectionReset
                | std::io::ErrorKind::BrokenPipe
                | std::io::ErrorKind::UnexpectedEof),
            ) => Self::Closed(kind.into()),
            _ if error.is_closed() => Self::Closed(std::io::ErrorKind::UnexpectedEof.into()),
            _ => Self::NoSession(error),
        }
    }

    /// What it means to the engine.
    pub(crate) fn kind(&self) -> ErrorKind {
        match self {
            Self::Closed(_) | Self::Silent(_) | Self::NoWay(_) | Self::Broken(_) => ErrorKind::Unreachable,
            Self::Hung(_) => ErrorKind::Hung,
            Self::Denied(code, _) if *code == SqlState::CANNOT_CONNECT_NOW => ErrorKind::NotReady,
            Self::Denied(..) | Self::NoSession(_) => ErrorKind::Unauthorized,
            Self::Said(code, _) if *code == SqlState::INSUFFICIENT_PRIVILEGE => ErrorKind::Unauthorized,
            Self::Said(code, _) if *code == SqlState::QUERY_CANCELED => ErrorKind::Timeout,
            Self::Said(code, _)
                if *code == SqlState::ADMIN_SHUTDOWN
                    || *code == SqlState::CRASH_SHUTDOWN
                    || *code == SqlState::CANNOT_CONNECT_NOW =>
            {
                ErrorKind::Unreachable
            }
            Self::Said(..) => ErrorKind::Refused,
            Self::Nonsense(_) => ErrorKind::Unknown,
            Self::Command { code, .. } => match code.as_str() {
                "9" => ErrorKind::Timeout,
                "70" => ErrorKind::Unreachable,
                "73" | "74" | "75" => ErrorKind::Refused,
                "77" | "79" => ErrorKind::Unauthorized,
                _ => ErrorKind::Unknown,
            },
            Self::NoCommand(_) => ErrorKind::Unreachable,
        }
    }
}

impl From<Trouble> for Error {
    fn from(trouble: Trouble) -> Self {
        let error = Error::new(trouble.kind(), trouble.to_string());
        match std::error::Error::source(&trouble) {
            Some(_) => match trouble {
                Trouble::Closed(source) | Trouble::NoWay(source) | Trouble::NoCommand(source) => {
                    error.because(source)
                }
                Trouble::NoSession(source) | Trouble::Broken(source) => error.because(source),
                Trouble::Silent(_)
                | Trouble::Hung(_)
                | Trouble::Denied(..)
                | Trouble::Said(..)
                | Trouble::Nonsense(_)
                | Trouble::Command { .. } => error,
            },
            None => error,
        }
    }
}
