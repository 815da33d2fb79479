//! An authoritative server over UDP and TCP that takes signed updates and no others.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use dr_core::{Error, Result, Timestamp};
use hickory_proto::op::{Message, MessageType, OpCode, ResponseCode};
use hickory_proto::rr::rdata::tsig::{TsigAlgorithm, TsigError};
use hickory_proto::rr::{TSigResponseContext, TSigner};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::time::timeout;

use super::value::absolute;
use super::zone::Zone;
use crate::fault;
use crate::state;

/// How long a TCP caller may be silent.
const IDLE: Duration = Duration::from_secs(10);
/// How far a signature's clock may be off, in seconds.
const FUDGE: u16 = 300;

/// A server for one zone, kept in a file.
#[derive(Clone)]
pub(crate) struct Server {
    zone: Arc<Mutex<Zone>>,
    file: PathBuf,
    signer: TSigner,
}

/// What a signature is worth.
enum Signature {
    None,
    Good(Vec<u8>),
    Bad(TSigResponseContext),
}

impl Server {
    /// The zone in `file`, with the key that may change it.
    pub(crate) fn new(file: PathBuf, key_name: &str, key: Vec<u8>) -> Result<Self> {
        let name =
            absolute(key_name).ok_or_else(|| Error::invalid(format!("`{key_name}` is no name for a key")))?;
        let signer = TSigner::new(key, TsigAlgorithm::HmacSha256, name, FUDGE)
            .map_err(|error| Error::invalid("the key cannot be used").because(error))?;
        Ok(Self { zone: Arc::new(Mutex::new(Zone::read(&file)?)), file, signer })
    }

    /// Opens its sockets.
    pub(crate) async fn bind(address: SocketAddr) -> Result<(UdpSocket, TcpListener)> {
        let doing = || format!("listen on {address}");
        let udp = UdpSocket::bind(address).await.map_err(fault::io(doing()))?;
        let tcp = TcpListener::bind(address).await.map_err(fault::io(doing()))?;
        Ok((udp, tcp))
    }

    /// Answers until it is dropped.
    pub(crate) async fn serve(self, udp: UdpSocket, tcp: TcpListener) -> Result<()> {
        let mut buffer = vec![0; 4096];
        loop {
            tokio::select! {
                biased;
                received = udp.recv_from(&mut buffer) => {
                    let Ok((length, caller)) = received else { continue };
                    if let Some(answer) = self.reply(&buffer[..length]) {
                        // A lost datagram is the caller's to repeat.
                        let _ = udp.send_to(&answer, caller).await;
                    }
                }
                accepted = tcp.accept() => {
                    let (stream, _) = accepted.map_err(fault::io("accept a question"))?;
                    let server = self.clone();
                    // It ends with its caller, or when that one is silent for too long.
                    tokio::spawn(async move { server.converse(stream).await });
                }
            }
        }
    }

    async fn converse(&self, mut stream: TcpStream) {
        while let Ok(Ok(length)) = timeout(IDLE, stream.read_u16()).await {
            let mut request = vec![0; usize::from(length)];
            let Ok(Ok(_)) = timeout(IDLE, stream.read_exact(&mut request)).await else { return };
            let Some(answer) = self.reply(&request) else { return };
            let Ok(length) = u16::try_from(answer.len()) else { return };
            let bytes = [&length.to_be_bytes(), answer.as_slice()].concat();
            if !matches!(timeout(IDLE, stream.write_all(&bytes)).await, Ok(Ok(()))) {
                return;
            }
        }
    }

    /// The answer to one message; `None` for what is no question at all.
    fn reply(&self, bytes: &[u8]) -> Option<Vec<u8>> {
        let request = Message::from_vec(bytes).ok()?;
        if request.metadata.message_type != MessageType::Query {
            return None;
        }
        let now = seconds();
        let mut response = Message::response(request.metadata.id, request.metadata.op_code);
        response.metadata.recursion_desired = request.metadata.recursion_desired;
        response.add_queries(request.queries.iter().cloned());
        let signed = match self.signature(&request, bytes, now) {
            Signature::Bad(context) => {
                response.metadata.response_code = ResponseCode::NotAuth;
                Some(context)
            }
            Signature::None => {
                self.carry_out(&request, &mut response, false);
                None
            }
            Signature::Good(mac) => {
                self.carry_out(&request, &mut response, true);
                Some(TSigResponseContext::new(request.metadata.id, now, self.signer.clone(), mac, None))
            }
        };
        if let Some(context) = signed {
            let signature = context.sign(&response.to_vec().ok()?).ok()?;
            response.set_signature(signature);
        }
        response.to_vec().ok()
    }

    fn signature(&self, request: &Message, bytes: &[u8], now: u64) -> Signature {
        let Some(record) = request.signature() else { return Signature::None };
        let id = request.metadata.id;
        if record.name != *self.signer.signer_name() || record.data.algorithm != *self.signer.algorithm() {
            return Signature::Bad(TSigResponseContext::unknown_key(id, now, record.name.clone()));
        }
        match self.signer.verify_message_byte(bytes, None, true) {
            Ok((mac, _, range)) if range.contains(&now) => Signature::Good(mac),
            Ok((mac, ..)) => Signature::Bad(TSigResponseContext::new(
                id,
                now,
                self.signer.clone(),
                mac,
                Some(TsigError::BadTime),
            )),
            Err(_) => Signature::Bad(TSigResponseContext::bad_signature(id, now, self.signer.clone())),
        }
    }

    fn carry_out(&self, request: &Message, response: &mut Message, trusted: bool) {
        let mut zone = self.zone.lock().unwrap_or_else(PoisonError::into_inner);
        match request.metadata.op_code {
            OpCode::Query => zone.answer(request, response),
            OpCode::Update if !trusted => response.metadata.response_code = ResponseCode::Refused,
            OpCode::Update => match zone.updated(request) {
                // On disk first: an update that was confirmed is there after a restart.
                Ok(after) => match state::write(&self.file, &after) {
                    Ok(()) => *zone = after,
                    Err(_) => response.metadata.response_code = ResponseCode::ServFail,
                },
                Err(code) => response.metadata.response_code = code,
            },
            _ => response.metadata.response_code = ResponseCode::NotImp,
        }
    }
}

fn seconds() -> u64 {
    u64::try_from(Timestamp::system().as_millis() / 1_000).unwrap_or_default()
}
