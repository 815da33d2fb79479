//! AWS backends for `dr`.
//!
//! It is *not* the place for what is not AWS's own: a PostgreSQL that happens to run there is `dr-postgres`, pods on EKS
//! are `dr-k8s`, probes are `dr-net`. Next door: `dr-core`, whose traits these backends implement.
//!
//! # How AWS is reached
//!
//! Every kind takes the same part `aws:`, and everything in it may be left out:
//!
//! ```yaml
//! aws:
//!   profile: dr                                       # or `keys: { id: …, secret: "${env:…}" }`
//!   role_arn: arn:aws:iam::123456789012:role/dr
//!   sts: regional                                     # default; `global` depends on us-east-1
//!   endpoint: http://127.0.0.1:4566                   # an emulator: the evidence says so
//!   endpoints: { s3: "http://127.0.0.1:9000" }        # or for single services
//!   connects_within: 3s
//!   answers_within: 20s
//! ```
//!
//! - **Credentials** are those that the `aws` command would use, looked for when the first call needs them. A role's
//!   come from STS in the sides' own regions, from whichever answers first. The environment and the shared files are
//!   read when a resource connects and at no other time.
//! - **Timeouts**: a connection has 3 seconds, an answer 20; nothing outlasts the call's deadline.
//! - **Repeats**: what was throttled or never sent is repeated; a call that only reads is repeated after a failure that
//!   may pass; one that may have changed something is never repeated before the world was read again.
//! - **Clients** are made for one region when it is asked: connecting contacts nobody, and a region that is gone hides
//!   no other.
//!
//! # The rooms
//!
//! | module | what it is |
//! |---|---|
//! | `access` | the part `aws:` of a configuration |
//! | `credentials`, `client` | who we are; one client for each service and region |
//! | `asking` | one call: what is repeated, and what is not |
//! | `error` | what AWS's errors mean |
//! | `waiting` | looking until a thing is in a state |
//! | `together` | several things side by side, and what their errors mean together |
//! | `metric` | the newest sample of a CloudWatch metric |
//! | `eks` | kind `eks-nodegroup` |
//! | `alarm` | kind `cloudwatch-alarm` |
//! | `s3` | kind `s3-replication` |
//! | `rds`, `aurora` | kinds `rds` and `aurora-global` |
//! | `edge_fence` | a database cut off at its own edge |
//! | `database` | what RDS instances and Aurora clusters have in common |
//! | `route53`, `health_check` | kinds `route53` and `route53-health-check` |
//! | `dns` | asking name servers directly |
//! | `needs` | which control planes live where |
//! | `hand` | the `aws` command that does the same |

mod access;
mod alarm;
mod asking;
mod aurora;
mod client;
mod config;
mod credentials;
mod database;
mod dns;
mod edge_fence;
mod eks;
mod error;
mod hand;
mod health_check;
mod metric;
mod needs;
mod rds;
mod route53;
mod s3;
mod service;
mod together;
mod waiting;

pub use alarm::CloudwatchAlarmBackend;
pub use aurora::AuroraGlobalBackend;
pub use eks::EksNodegroupBackend;
pub use health_check::HealthCheckBackend;
pub use rds::RdsBackend;
pub use route53::Route53Backend;
pub use s3::{Marked, Marker, S3ReplicationBackend};
