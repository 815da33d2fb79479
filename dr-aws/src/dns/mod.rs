//! Asking name servers directly: what callers are told, whatever an API says.
//!
//! The same small wire code as in `dr-net`; backends do not depend on each other.

mod authority;
mod endpoint;
mod error;
mod kind;
mod names;
mod wire;

pub(crate) use authority::{Authority, Heard, Reading, nobody_answers};
pub(crate) use endpoint::Endpoint;
pub(crate) use kind::Kind;
pub(crate) use names::{name, plain, same_name};
