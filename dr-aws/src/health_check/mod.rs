//! Kind `route53-health-check`: callers sent to the other side by a health check that says unhealthy.
//!
//! The entry is a pair of failover records whose primary answers only while its check is healthy. This kind never
//! touches the records:
//!
//! | mode | what it does | what it needs |
//! |---|---|---|
//! | `invert` | holds the primary's check at unhealthy | the check's API, control plane in us-east-1 |
//! | `standby-takes-over` | puts an object where the inverted check looks | S3 in the standby's region, no control plane |
//!
//! AWS takes a *disabled* check for healthy, so disabling one moves nobody; that is refused with this reason.
//!
//! An inverted check of an endpoint is a trap: while the endpoint is well it says unhealthy, and as soon as the endpoint
//! fails it says healthy and brings callers back to it. So only a *calculated* check can hold callers: inverted, with a
//! threshold of none of its children, it is unhealthy whatever they say. A plan that inverts an endpoint's check all the
//! same has to say why (`unpinned`), and every observation names what may bring callers back.

mod backend;
mod config;
mod hand;
mod invert;
mod prove;
mod routing;
mod settings;
mod standby;

pub use backend::HealthCheckBackend;
