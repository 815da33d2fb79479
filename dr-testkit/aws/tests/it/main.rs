//! The simulator as AWS's own SDK sees it.

mod dns;
mod faults;
mod rds;
mod route53;
mod sts;
mod support;
