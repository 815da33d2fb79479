//! One message over TCP.

use std::net::SocketAddr;

use hickory_proto::op::Message;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::question::belongs;
use crate::error::NetError;

/// Sends `bytes` (the encoding of `asked`) and returns the answer with its own bytes. The caller bounds it.
pub(crate) async fn over_tcp(
    mut stream: TcpStream,
    server: SocketAddr,
    asked: &Message,
    bytes: &[u8],
) -> Result<(Message, Vec<u8>), NetError> {
    let broken = |source: std::io::Error| NetError::broken(server, &source);
    let length = u16::try_from(bytes.len())
        .map_err(|_| NetError::BadRequest("the message is longer than 65535 bytes".to_owned()))?;
    let mut framed = Vec::with_capacity(bytes.len() + 2);
    framed.extend_from_slice(&length.to_be_bytes());
    framed.extend_from_slice(bytes);
    stream.write_all(&framed).await.map_err(broken)?;

    let length = stream.read_u16().await.map_err(broken)?;
    let mut buffer = vec![0; usize::from(length)];
    stream.read_exact(&mut buffer).await.map_err(broken)?;
    let garbled = |why: String| NetError::Garbled { from: server, why };
    let answer = Message::from_vec(&buffer).map_err(|error| garbled(error.to_string()))?;
    if !belongs(&answer, asked) {
        return Err(garbled("it answers another question".to_owned()));
    }
    Ok((answer, buffer))
}
