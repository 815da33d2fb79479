//! What goes wrong on a network, and what it means to whoever decides.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use dr_core::time::show_duration;
use dr_core::{Error, ErrorKind};
use hickory_proto::op::ResponseCode;

/// Everything that this crate sees go wrong. The text is a fragment that stands in a probe's `why` as well.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NetError {
    #[error("{to} refuses the connection")]
    Refused { to: SocketAddr, source: io::Error },
    #[error("{to} cannot be reached")]
    Unreachable { to: SocketAddr, source: io::Error },
    #[error("the connection to {to} broke ({why})")]
    Broken { to: SocketAddr, why: String },
    #[error("the answer of {from} cannot be understood ({why})")]
    Garbled { from: SocketAddr, why: String },
    #[error("no answer within {}", show_duration(*.0))]
    Silent(Duration),
    #[error("the name {0} does not exist")]
    NoSuchName(String),
    #[error("the name {0} has no address")]
    NoAddress(String),
    #[error("the name {0} leads through too many aliases")]
    AliasLoop(String),
    #[error("no name server is configured")]
    NoServers,
    #[error("{from} answers {code}")]
    Rcode { from: SocketAddr, code: ResponseCode },
    #[error("{from} answers without authority for {name}")]
    NotAuthoritative { from: SocketAddr, name: String },
    #[error("{name} is an alias of {alias}, so it has no records of its own")]
    Alias { name: String, alias: String },
    #[error("the TLS handshake with {to} failed ({source})")]
    Tls { to: SocketAddr, source: io::Error },
    #[error("`{0}` is not a DNS name")]
    BadName(String),
    #[error("the request cannot be made ({0})")]
    BadRequest(String),
}

impl NetError {
    /// Sorts what the system says about one connection attempt.
    pub(crate) fn connecting(to: SocketAddr, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::ConnectionRefused => Self::Refused { to, source },
            _ => Self::Unreachable { to, source },
        }
    }

    /// A connection that stood and then did not.
    pub(crate) fn broken(to: SocketAddr, source: &dyn std::error::Error) -> Self {
        let mut why = source.to_string();
        let mut cause = source.source();
        while let Some(inner) = cause {
            why.push_str(": ");
            why.push_str(&inner.to_string());
            cause = inner.source();
        }
        Self::Broken { to, why }
    }

    fn kind(&self) -> ErrorKind {
        match self {
            Self::Refused { .. } | Self::Unreachable { .. } | Self::Broken { .. } | Self::NoServers => {
                ErrorKind::Unreachable
            }
            Self::Silent(_) => ErrorKind::Timeout,
            Self::NoSuchName(_) | Self::NoAddress(_) => ErrorKind::NotFound,
            Self::Tls { .. } => ErrorKind::Unauthorized,
            Self::Garbled { .. } => ErrorKind::Unknown,
            Self::Rcode { code, .. } => match *code {
                ResponseCode::ServFail => ErrorKind::NotReady,
                ResponseCode::Refused | ResponseCode::NotAuth => ErrorKind::Unauthorized,
                _ => ErrorKind::Unknown,
            },
            Self::NotAuthoritative { .. } | Self::AliasLoop(_) | Self::BadName(_) | Self::BadRequest(_) => {
                ErrorKind::Invalid
            }
            Self::Alias { .. } => ErrorKind::Conflict,
        }
    }
}

impl From<NetError> for Error {
    fn from(error: NetError) -> Self {
        let message = error.to_string();
        let kind = error.kind();
        match error {
            NetError::Refused { source, .. } | NetError::Unreachable { source, .. } => {
                Self::new(kind, message).because(source)
            }
            _ => Self::new(kind, message),
        }
    }
}
