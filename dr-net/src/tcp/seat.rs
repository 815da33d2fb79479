//! One caller of a TCP port.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use dr_core::async_trait;
use dr_core::resource::{Answer, Ask, Prober, Seat, SeatKind};
use dr_core::time::show_duration;
use tokio::net::TcpStream;
use tokio::time::Instant;

use super::config::TcpPlan;
use crate::connect::{connect, one};
use crate::error::NetError;
use crate::resolver::Resolver;

#[derive(Debug)]
pub(super) struct TcpProber {
    plan: Arc<TcpPlan>,
}

impl TcpProber {
    pub(super) fn new(plan: Arc<TcpPlan>) -> Self {
        Self { plan }
    }
}

impl Prober for TcpProber {
    fn seat(&self, kind: SeatKind) -> Box<dyn Seat> {
        let resolver = Resolver::new(self.plan.source.clone());
        Box::new(TcpSeat { plan: Arc::clone(&self.plan), kind, resolver, kept: None })
    }
}

/// A kept connection says nothing while nobody speaks on it, and a black hole looks like rest. So a kept seat holds
/// its connection and, to each question, lets the very address that it holds prove itself by accepting another.
#[derive(Debug)]
struct TcpSeat {
    plan: Arc<TcpPlan>,
    kind: SeatKind,
    resolver: Resolver,
    kept: Option<(TcpStream, SocketAddr)>,
}

#[async_trait]
impl Seat for TcpSeat {
    async fn ask(&mut self, ask: Ask, within: Duration) -> Answer {
        let begun = Instant::now();
        if ask.write {
            return Answer::bad(
                "no write path configured: a port alone shows no write",
                None,
                begun.elapsed(),
            );
        }
        let limit = within.min(self.plan.timeout);
        match tokio::time::timeout(limit, self.connects()).await {
            Ok(Ok(())) => Answer::good(None, false, begun.elapsed()),
            Ok(Err(error)) => Answer::none(error.to_string(), begun.elapsed()),
            Err(_) => Answer::none(format!("no connection within {}", show_duration(limit)), begun.elapsed()),
        }
    }
}

impl TcpSeat {
    async fn connects(&mut self) -> Result<(), NetError> {
        // Taken out: if this question fails or is given up, the connection goes with it.
        if let Some((stream, peer)) = self.kept.take()
            && stands(&stream)
        {
            one(peer).await?;
            self.kept = Some((stream, peer));
            return Ok(());
        }
        let addresses = self.resolver.addresses(&self.plan.host).await?;
        let connected = connect(&self.plan.host, &addresses, self.plan.port).await?;
        if self.kind == SeatKind::Kept {
            self.kept = Some(connected);
        }
        Ok(())
    }
}

/// Whether the other end has not closed it. What it says (a greeting) is read and dropped.
fn stands(stream: &TcpStream) -> bool {
    let mut buffer = [0; 4096];
    // Bounded: one who never stops speaking is there.
    for _ in 0..64 {
        match stream.try_read(&mut buffer) {
            Ok(0) => return false,
            Ok(_) => {}
            Err(error) => return error.kind() == std::io::ErrorKind::WouldBlock,
        }
    }
    true
}
