//! Where callers are sent, by a DNS record: read at its authoritative servers, changed by RFC 2136.

mod authority;
mod backend;
mod config;
mod hand;
mod probe;
mod record;
mod route;
mod routing;
mod rrset;
mod update;

pub use backend::DnsBackend;
