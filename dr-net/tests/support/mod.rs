//! What the tests of this crate share: plans made short, real and scripted servers.

#![allow(
    clippy::allow_attributes,
    reason = "each test binary uses its own part, so that nothing can be expected"
)]
#![allow(dead_code, unreachable_pub, missing_debug_implementations, clippy::unwrap_used, clippy::expect_used)]

pub mod named;
pub mod nameserver;
pub mod relay;
pub mod service;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use dr_core::resource::{Connect, Cx, Redactor, Secret, SecretRef, SecretSource};
use dr_core::{Backend, Clock, Resource, Result, RunId, StepId, SystemClock, async_trait};
use serde_json::Value;

/// Secrets by name: `${test:TEXT}` is TEXT.
#[derive(Debug)]
struct Literal;

#[async_trait]
impl SecretSource for Literal {
    async fn fetch(&self, reference: &SecretRef) -> Result<Secret> {
        Ok(Secret::new(reference.name()))
    }
}

pub async fn connected(backend: &dyn Backend, config: Value) -> Resource {
    try_connected(backend, config).await.expect("it connects")
}

pub async fn try_connected(backend: &dyn Backend, config: Value) -> Result<Resource> {
    let configured = backend.configure(config).expect("the configuration makes sense");
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    configured.connect(&Connect::new(&Literal, &Redactor::default(), &clock)).await
}

pub fn cx(within: Duration) -> Cx {
    Cx::new(RunId::new("test"), StepId::new("test/route:entry"), within)
}

pub const SECOND: Duration = Duration::from_secs(1);

/// An address of this machine that no other test uses.
pub fn free_address() -> SocketAddr {
    loop {
        let tcp = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = tcp.local_addr().unwrap();
        if std::net::UdpSocket::bind(address).is_ok() {
            return address;
        }
    }
}

/// Awaits a condition, but not for ever.
pub async fn eventually<F: Future<Output = bool>>(what: &str, mut holds: impl FnMut() -> F) {
    let end = tokio::time::Instant::now() + 10 * SECOND;
    while !holds().await {
        assert!(tokio::time::Instant::now() < end, "never came: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
