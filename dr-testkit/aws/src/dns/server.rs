//! Sockets of one name server.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::message;
use crate::world::Shared;

/// How long a TCP caller may be silent.
const IDLE: Duration = Duration::from_secs(10);

/// How often a port is looked for that is free for both protocols.
const TRIES: usize = 50;

/// The sockets of a name server on a loopback address, both on one port.
pub(crate) async fn bind() -> std::io::Result<(SocketAddr, UdpSocket, TcpListener)> {
    let mut last = None;
    for _ in 0..TRIES {
        let udp = UdpSocket::bind((IpAddr::V4(Ipv4Addr::LOCALHOST), 0)).await?;
        let address = udp.local_addr()?;
        match TcpListener::bind(address).await {
            Ok(tcp) => return Ok((address, udp, tcp)),
            Err(error) => last = Some(error),
        }
    }
    Err(last.unwrap_or_else(|| std::io::Error::other("no port is free")))
}

/// Answers until it is dropped.
pub(crate) async fn serve(shared: Arc<Shared>, server: usize, udp: UdpSocket, tcp: TcpListener) {
    let mut callers = JoinSet::new();
    let mut buffer = vec![0; 4_096];
    loop {
        tokio::select! {
            received = udp.recv_from(&mut buffer) => {
                let Ok((length, caller)) = received else { continue };
                if let Some(answer) = message::answer(&shared, server, &buffer[..length], true) {
                    // A lost datagram is the caller's to repeat.
                    let _ = udp.send_to(&answer, caller).await;
                }
            }
            accepted = tcp.accept() => {
                let Ok((stream, _)) = accepted else { continue };
                while callers.try_join_next().is_some() {}
                callers.spawn(converse(Arc::clone(&shared), server, stream));
            }
        }
    }
}

async fn converse(shared: Arc<Shared>, server: usize, mut stream: TcpStream) {
    while let Ok(Ok(length)) = timeout(IDLE, stream.read_u16()).await {
        let mut request = vec![0; usize::from(length)];
        let Ok(Ok(_)) = timeout(IDLE, stream.read_exact(&mut request)).await else { return };
        let Some(answer) = message::answer(&shared, server, &request, false) else { return };
        let Ok(length) = u16::try_from(answer.len()) else { return };
        let bytes = [&length.to_be_bytes(), answer.as_slice()].concat();
        if !matches!(timeout(IDLE, stream.write_all(&bytes)).await, Ok(Ok(()))) {
            return;
        }
    }
}
