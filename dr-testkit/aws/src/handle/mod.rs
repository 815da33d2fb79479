//! What tests and scripts do with a world: seed it, break it, look at it.

mod bucket;
mod cloudwatch;
mod cluster;
mod database;
mod dns;
mod eks;
mod faults;
mod service;
mod snapshot;

pub use cloudwatch::Notification;
pub use cluster::Cluster;
pub use database::{Database, Instance, Region, Row};
pub use dns::{LoadBalancer, Record};
pub use service::ServiceHandle;
pub(crate) use snapshot::text;

use dr_core::{Error, ErrorKind, Result};

use crate::wire::ApiError;

/// What a service would have refused is refused by the handle too.
pub(crate) fn refused<T>(result: std::result::Result<T, ApiError>) -> Result<T> {
    result.map_err(|error| {
        let kind = match error.status {
            404 => ErrorKind::NotFound,
            409 => ErrorKind::Conflict,
            _ => ErrorKind::Invalid,
        };
        Error::new(kind, format!("{}: {}", error.code, error.message))
    })
}
