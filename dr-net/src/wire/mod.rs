//! DNS messages on the wire: one question to one server and the answer that belongs to it.

mod exchange;
mod question;
mod tcp;
mod udp;

pub(crate) use exchange::{ask, ask_any};
pub(crate) use question::{name, negative_ttl, plain, question};
pub(crate) use tcp::over_tcp;
pub(crate) use udp::over_udp;
