//! A strict simulator of the AWS APIs that `dr` uses.
//!
//! It is an HTTP server that speaks the services' own protocols, so that an AWS SDK that is given its endpoint URL
//! cannot tell the difference, with the name servers of its Route 53, and rows behind its databases. It models what AWS
//! *documents*: states that take time, changes that travel, limits, and errors in AWS's words; each behaviour names its
//! page. What it does not know it refuses: nothing is accepted without effect.
//!
//! It is not a place to keep data, checks no signature's secret, and speaks no TLS. The backends that are tested on it
//! are in `dr-aws`; strict twins without a network are in `dr-core`'s `model`.
//!
//! ```
//! use dr_testkit_aws::{Aws, Failure, Fault, Options, Service};
//!
//! # async fn example() -> dr_core::Result<()> {
//! let aws = Aws::start(Options::new()).await?;
//! let orders = aws.rds("us-east-1").create("orders")?;
//! let copy = aws.rds("us-west-2").replicate("orders-dr", &orders)?;
//! assert_eq!(copy.status(), Some("available"));
//!
//! // Clients are given `aws.endpoint()`; a region can be taken away from them.
//! aws.lose_region("us-east-1", Fault::BlackHole);
//! aws.fail(Failure::new(Fault::Throttled).service(Service::Rds).times(2));
//! # Ok(())
//! # }
//! ```

mod app;
mod aurora;
mod aws;
mod clock;
mod cloudwatch;
mod control;
mod demo;
mod dns;
mod eks;
mod fault;
mod gate;
mod handle;
mod ids;
mod options;
mod place;
mod probe;
mod quotas;
mod rds;
mod recorder;
mod route53;
mod s3;
mod server;
mod service;
mod sts;
mod wire;
mod world;

pub use aws::Aws;
pub use demo::Demo;
pub use fault::{Failure, FailureId, Fault};
pub use handle::{
    Cluster, Database, Instance, LoadBalancer, Notification, Record, Region, Row, ServiceHandle,
};
pub use options::Options;
pub use recorder::{Call, Outcome};
pub use service::Service;
