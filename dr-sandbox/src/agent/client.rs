//! Asking an agent.

use std::net::SocketAddr;
use std::time::Duration;

use dr_core::{Error, ErrorKind, Result};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::{Ask, Reply, Request, Staff, error_from, nonsense};
use crate::fault;
use crate::wire;

/// How long an agent may take to accept a connection: it is the kernel of this very machine that does.
const CONNECT: Duration = Duration::from_millis(500);

/// An agent by its address.
#[derive(Clone)]
pub(crate) struct Agent {
    address: SocketAddr,
    token: String,
}

impl std::fmt::Debug for Agent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Agent").field(&self.address).finish()
    }
}

impl Agent {
    pub(crate) fn new(address: SocketAddr, token: impl Into<String>) -> Self {
        Self { address, token: token.into() }
    }

    /// Asks, and awaits the answer.
    ///
    /// # Errors
    /// `Unreachable` if it is not there (nothing happened), `Hung` if it accepts and does not answer in time; else
    /// what it says.
    pub(crate) async fn ask(&self, ask: Ask, within: Duration) -> Result<Staff> {
        let exchange = async {
            let mut stream = self.open(&ask, within).await?;
            match read_reply(&mut stream).await? {
                Reply::Done(staff) => Ok(staff),
                Reply::Failed(failure) => Err(error_from(&failure)),
                Reply::Started => Err(nonsense("answer")),
            }
        };
        timeout(within, exchange).await.unwrap_or_else(|_| {
            Err(Error::new(ErrorKind::Hung, "the agent accepts and does not answer")
                .on(self.address.to_string()))
        })
    }

    /// Sends the request; the answer is still to be read.
    pub(super) async fn open(&self, ask: &Ask, within: Duration) -> Result<BufReader<TcpStream>> {
        let on = |error: Error| error.on(self.address.to_string());
        let mut stream = wire::connect(self.address, None, within.min(CONNECT)).await.map_err(|error| {
            on(Error::new(ErrorKind::Unreachable, "the region's agent is not reached")
                .not_happened()
                .because(error))
        })?;
        let request = Request { token: self.token.clone(), ask: ask.clone() };
        let mut line =
            serde_json::to_vec(&request).map_err(|error| Error::invalid("no request").because(error))?;
        line.push(b'\n');
        stream.write_all(&line).await.map_err(fault::io("ask the agent")).map_err(on)?;
        Ok(BufReader::new(stream))
    }
}

/// The one line that answers.
pub(super) async fn read_reply(stream: &mut BufReader<TcpStream>) -> Result<Reply> {
    let mut line = String::new();
    stream.read_line(&mut line).await.map_err(fault::io("read the agent's answer"))?;
    if line.is_empty() {
        return Err(Error::new(ErrorKind::Unreachable, "the agent hung up"));
    }
    serde_json::from_str(&line).map_err(|error| nonsense("answer").because(error))
}
