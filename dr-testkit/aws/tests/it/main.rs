//! The simulator as AWS's own SDK sees it.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

mod aurora;
mod cloudwatch;
mod dns;
mod eks;
mod faults;
mod moto;
mod rds;
mod route53;
mod s3;
mod sts;
mod support;
