//! Names to addresses as a caller's own cache does it.

mod cache;
mod source;
mod stub;

pub(crate) use source::{ResolverConfig, Source};
pub(crate) use stub::Resolver;
