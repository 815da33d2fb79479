//! Kind `s3-replication`: buckets that are kept alike, and what can be had back from their versions.

mod backend;
mod buckets;
mod config;
mod hand;
mod lag;
mod listing;
mod marker;
mod observe;
mod prove;
mod restore;
mod rules;
mod versions;

pub use backend::S3ReplicationBackend;
pub use marker::{Marked, Marker};
