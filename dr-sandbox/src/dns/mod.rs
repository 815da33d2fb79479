//! The name server outside both regions, and the question that callers ask it.

mod question;
mod server;
mod value;
mod zone;

pub(crate) use question::lookup;
pub(crate) use server::Server;
pub(crate) use zone::Zone;
