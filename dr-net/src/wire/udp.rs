//! One message over UDP, repeated until an answer comes.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use hickory_proto::op::Message;
use tokio::net::UdpSocket;

use super::question::belongs;
use crate::error::NetError;

const FIRST_REPEAT: Duration = Duration::from_millis(300);
const LONGEST_REPEAT: Duration = Duration::from_secs(4);

/// Sends `bytes` (the encoding of `asked`) and returns the answer with its own bytes.
///
/// Repeats with growing distance on the same socket, so that an answer slower than the repeat is still heard; ends by
/// itself only when the server is known not to listen: the caller bounds it.
pub(crate) async fn over_udp(
    server: SocketAddr,
    asked: &Message,
    bytes: &[u8],
) -> Result<(Message, Vec<u8>), NetError> {
    let any: IpAddr =
        if server.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let failed = |source| NetError::connecting(server, source);
    let socket = UdpSocket::bind((any, 0)).await.map_err(failed)?;
    socket.connect(server).await.map_err(failed)?;

    let mut buffer = vec![0; usize::from(u16::MAX)];
    let mut patience = FIRST_REPEAT;
    loop {
        socket.send(bytes).await.map_err(failed)?;
        let heard = tokio::time::timeout(patience, async {
            loop {
                let length = socket.recv(&mut buffer).await.map_err(failed)?;
                // What cannot be read or belongs to another question is somebody else's noise.
                match Message::from_vec(&buffer[..length]) {
                    Ok(answer) if belongs(&answer, asked) => {
                        return Ok::<_, NetError>((answer, buffer[..length].to_vec()));
                    }
                    Ok(_) | Err(_) => {}
                }
            }
        })
        .await;
        match heard {
            Ok(answer) => return answer,
            Err(_) => patience = (patience * 2).min(LONGEST_REPEAT),
        }
    }
}
