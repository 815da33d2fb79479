//! What goes wrong between us and a name server.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use dr_core::time::show_duration;
use hickory_proto::op::ResponseCode;

/// The texts are fragments that stand behind a server's name.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DnsError {
    #[error("{to} cannot be reached ({source})")]
    Unreachable { to: SocketAddr, source: io::Error },
    #[error("the connection to {to} broke ({source})")]
    Broken { to: SocketAddr, source: io::Error },
    #[error("the answer of {from} cannot be understood ({why})")]
    Garbled { from: SocketAddr, why: String },
    #[error("no answer within {}", show_duration(*.0))]
    Silent(Duration),
    #[error("{name} has no address ({why})")]
    NoAddress { name: String, why: String },
    #[error("{from} answers {code}")]
    Rcode { from: SocketAddr, code: ResponseCode },
    #[error("{from} answers without authority")]
    NotAuthoritative { from: SocketAddr },
    #[error("the question cannot be written ({0})")]
    Unwritable(String),
}
