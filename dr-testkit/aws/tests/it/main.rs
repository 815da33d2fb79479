//! The simulator as AWS's own SDK sees it.

mod aurora;
mod cloudwatch;
mod dns;
mod eks;
mod faults;
mod rds;
mod route53;
mod s3;
mod sts;
mod support;
