//! Asking a service over HTTP the way its callers do.

mod backend;
mod call;
mod config;
mod connection;
mod ledger;
mod marker;
mod reference;
mod seat;
mod tls;

pub use backend::HttpBackend;
