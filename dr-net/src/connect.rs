//! A TCP connection to the first address that accepts one.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::net::TcpStream;

use crate::error::NetError;

/// How long one address may be silent before the next is tried beside it (RFC 8305, section 5).
const NEXT_ADDRESS: Duration = Duration::from_millis(250);

/// Tries the addresses in order, the next one when one fails or is slow. The caller bounds it.
pub(crate) async fn connect(
    host: &str,
    addresses: &[IpAddr],
    port: u16,
) -> Result<(TcpStream, SocketAddr), NetError> {
    let mut waiting = addresses.iter();
    let mut trying = FuturesUnordered::new();
    let mut last = NetError::NoAddress(host.to_owned());
    loop {
        let outcome = match waiting.next() {
            Some(address) => {
                trying.push(one(SocketAddr::new(*address, port)));
                match tokio::time::timeout(NEXT_ADDRESS, trying.next()).await {
                    Ok(outcome) => outcome,
                    Err(_) => continue,
                }
            }
            None => match trying.next().await {
                None => return Err(last),
                some => some,
            },
        };
        match outcome {
            Some(Ok(connected)) => return Ok(connected),
            Some(Err(error)) => last = error,
            None => {}
        }
    }
}

/// Connects to one address.
pub(crate) async fn one(to: SocketAddr) -> Result<(TcpStream, SocketAddr), NetError> {
    let stream = TcpStream::connect(to).await.map_err(|error| NetError::connecting(to, error))?;
    // A port of this machine that nobody listens on can be met by our own end of the connection.
    if stream.local_addr().is_ok_and(|own| own == to) {
        return Err(NetError::connecting(to, std::io::ErrorKind::ConnectionRefused.into()));
    }
    // Questions are small and wait for their answers; without it, Nagle's algorithm would delay them.
    let _ = stream.set_nodelay(true);
    Ok((stream, to))
}
