//! Asking a name server, without any cache.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use dr_core::{Error, ErrorKind, Result};
use hickory_proto::op::{Message, Query, ResponseCode};
use hickory_proto::rr::rdata::A;
use hickory_proto::rr::{RData, RecordType};
use tokio::net::UdpSocket;
use tokio::time::timeout;

use super::value::absolute;
use crate::fault;

/// The addresses of a name, and for how long they may be remembered.
pub(crate) async fn lookup(
    server: SocketAddr,
    name: &str,
    within: Duration,
) -> Result<(Vec<IpAddr>, Duration)> {
    let doing = || format!("ask {server} for {name}");
    let name = absolute(name).ok_or_else(|| Error::invalid(format!("`{name}` is no name")))?;
    let mut question = Message::query();
    question.add_query(Query::query(name, RecordType::A));
    let bytes = question.to_vec().map_err(|error| Error::invalid("no question").because(error))?;
    let exchange = async {
        let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).await?;
        socket.connect(server).await?;
        socket.send(&bytes).await?;
        let mut buffer = vec![0; 4096];
        loop {
            let length = socket.recv(&mut buffer).await?;
            match Message::from_vec(&buffer[..length]) {
                Ok(answer) if answer.metadata.id == question.metadata.id => return Ok(answer),
                Ok(_) | Err(_) => {}
            }
        }
    };
    let answer = timeout(within, exchange)
        .await
        .map_err(|_| Error::new(ErrorKind::Timeout, "no answer").during(doing()))?
        .map_err(fault::io(doing()))?;
    if answer.metadata.response_code != ResponseCode::NoError {
        return Err(
            Error::new(ErrorKind::NotFound, answer.metadata.response_code.to_string()).during(doing())
        );
    }
    let ttl = answer.answers.iter().map(|record| record.ttl).min().unwrap_or_default();
    let addresses: Vec<IpAddr> = answer
        .answers
        .iter()
        .filter_map(|record| match record.data {
            RData::A(A(address)) => Some(IpAddr::V4(address)),
            _ => None,
        })
        .collect();
    if addresses.is_empty() {
        return Err(Error::new(ErrorKind::NotFound, "no address").during(doing()));
    }
    Ok((addresses, Duration::from_secs(u64::from(ttl))))
}
