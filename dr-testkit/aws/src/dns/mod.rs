//! The data plane of Route 53: authoritative name servers for what the zones hold.

mod choose;
mod message;
mod server;

pub(crate) use choose::address;
pub(crate) use server::{bind, serve};
