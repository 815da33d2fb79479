//! One question to one server, or to the first of several that has an answer.

use std::net::SocketAddr;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use hickory_proto::op::{Message, ResponseCode};
use tokio::net::TcpStream;

use super::{over_tcp, over_udp};
use crate::error::NetError;

/// After how long without an answer the next server is asked as well.
const NEXT_SERVER: Duration = Duration::from_secs(1);

/// Asks one server over UDP, and again over TCP if the answer was cut off. The caller bounds it.
pub(crate) async fn ask(server: SocketAddr, question: &Message) -> Result<Message, NetError> {
    let bytes = question.to_vec().map_err(|error| NetError::BadRequest(error.to_string()))?;
    let (answer, _) = over_udp(server, question, &bytes).await?;
    if !answer.metadata.truncation {
        return Ok(answer);
    }
    let stream = TcpStream::connect(server).await.map_err(|error| NetError::connecting(server, error))?;
    Ok(over_tcp(stream, server, question, &bytes).await?.0)
}

/// Asks the servers in order and takes the first answer that says something about the name. The next is asked when
/// one fails or is slow; the slow ones stay in the race. The caller bounds it.
pub(crate) async fn ask_any(servers: &[SocketAddr], question: &Message) -> Result<Message, NetError> {
    let mut waiting = servers.iter();
    let mut asked = FuturesUnordered::new();
    let mut last = NetError::NoServers;
    loop {
        let Some(server) = waiting.next() else {
            match asked.next().await {
                Some(Ok(answer)) => return Ok(answer),
                Some(Err(error)) => last = error,
                None => return Err(last),
            }
            continue;
        };
        asked.push(useful(*server, question));
        match tokio::time::timeout(NEXT_SERVER, asked.next()).await {
            Ok(Some(Ok(answer))) => return Ok(answer),
            Ok(Some(Err(error))) => last = error,
            Ok(None) | Err(_) => {}
        }
    }
}

async fn useful(server: SocketAddr, question: &Message) -> Result<Message, NetError> {
    let answer = ask(server, question).await?;
    match answer.metadata.response_code {
        ResponseCode::NoError | ResponseCode::NXDomain => Ok(answer),
        code => Err(NetError::Rcode { from: server, code }),
    }
}
