//! Kind `route53` on a strict simulator of the service and its name servers.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod config;
mod conformance;
mod faults;
mod pinning;
mod proving;
mod routing;
mod support;
