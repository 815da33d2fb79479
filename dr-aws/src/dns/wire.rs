//! One question to one server and the answer that belongs to it. The caller bounds it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use hickory_proto::op::{Message, MessageType, Query};
use hickory_proto::rr::{Name, RecordType};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};

use super::error::DnsError;

const FIRST_REPEAT: Duration = Duration::from_millis(300);
const LONGEST_REPEAT: Duration = Duration::from_secs(4);

/// Asks over UDP, repeated with growing distance until an answer comes; over TCP if it was cut off.
pub(super) async fn ask(
    server: SocketAddr,
    name: &Name,
    kind: RecordType,
    recursion: bool,
) -> Result<Message, DnsError> {
    let mut question = Message::query();
    question.metadata.recursion_desired = recursion;
    question.add_query(Query::query(name.clone(), kind));
    let bytes = question.to_vec().map_err(|error| DnsError::Unwritable(error.to_string()))?;
    let answer = over_udp(server, &question, &bytes).await?;
    if answer.metadata.truncation { over_tcp(server, &question, &bytes).await } else { Ok(answer) }
}

async fn over_udp(server: SocketAddr, asked: &Message, bytes: &[u8]) -> Result<Message, DnsError> {
    let any: IpAddr =
        if server.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let failed = |source| DnsError::Unreachable { to: server, source };
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
                    Ok(answer) if belongs(&answer, asked) => return Ok::<_, DnsError>(answer),
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

async fn over_tcp(server: SocketAddr, asked: &Message, bytes: &[u8]) -> Result<Message, DnsError> {
    let broken = |source| DnsError::Broken { to: server, source };
    let mut stream =
        TcpStream::connect(server).await.map_err(|source| DnsError::Unreachable { to: server, source })?;
    let length =
        u16::try_from(bytes.len()).map_err(|_| DnsError::Unwritable("longer than 65535 bytes".to_owned()))?;
    let framed = [&length.to_be_bytes(), bytes].concat();
    stream.write_all(&framed).await.map_err(broken)?;
    let length = stream.read_u16().await.map_err(broken)?;
    let mut buffer = vec![0; usize::from(length)];
    stream.read_exact(&mut buffer).await.map_err(broken)?;
    let garbled = |why: String| DnsError::Garbled { from: server, why };
    let answer = Message::from_vec(&buffer).map_err(|error| garbled(error.to_string()))?;
    if belongs(&answer, asked) { Ok(answer) } else { Err(garbled("it answers another question".to_owned())) }
}

/// Whether `answer` answers `asked`: same id, same question. A refusal may leave the question out.
fn belongs(answer: &Message, asked: &Message) -> bool {
    let same_question = match (answer.queries.first(), asked.queries.first()) {
        (Some(answer), Some(asked)) => {
            answer.name().to_lowercase() == asked.name().to_lowercase()
                && answer.query_type() == asked.query_type()
                && answer.query_class() == asked.query_class()
        }
        (None, _) => answer.answers.is_empty(),
        (Some(_), None) => false,
    };
    answer.metadata.message_type == MessageType::Response
        && answer.metadata.id == asked.metadata.id
        && same_question
}
