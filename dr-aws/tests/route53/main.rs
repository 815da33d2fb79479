//! Kinds `route53` and `route53-health-check` on a strict simulator of the service and its name servers.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on fails")]

mod config;
mod conformance;
mod credentials;
mod faults;
mod health_check;
mod pinning;
mod proving;
mod routing;
mod standby;
mod support;
