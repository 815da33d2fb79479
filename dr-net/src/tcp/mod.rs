//! Does anything accept a connection there?

mod backend;
mod config;
mod seat;

pub use backend::TcpBackend;
