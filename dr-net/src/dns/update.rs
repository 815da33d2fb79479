//! Changing the record, only where it still is as it was found (RFC 2136), signed (RFC 8945).

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use dr_core::resource::Cx;
use dr_core::{Error, ErrorKind, Result};
use hickory_proto::op::update_message::UpdateMessage;
use hickory_proto::op::{Message, OpCode, Query, ResponseCode};
use hickory_proto::rr::rdata::tsig::TsigError;
use hickory_proto::rr::{DNSClass, Record, RecordType, TSigVerifier, TSigner};
use tokio::net::TcpStream;

use super::record::RoutedRecord;
use super::rrset::RrSet;
use crate::error::NetError;
use crate::wire::{over_tcp, over_udp};

/// How long the server may take to accept a TCP connection before UDP is tried.
const TCP_CONNECTS_WITHIN: Duration = Duration::from_secs(1);

/// What became of a compare-and-set.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Swap {
    /// The server has taken it.
    Done,
    /// The record was not as expected: nothing was changed by this message.
    Otherwise,
}

/// Sends updates to the primary.
pub(super) struct Updater {
    signer: Option<TSigner>,
}

impl Updater {
    pub(super) fn new(signer: Option<TSigner>) -> Self {
        Self { signer }
    }

    /// Replaces `from` by `to`, both whole sets, in one transaction of the server.
    ///
    /// Over TCP, so that a call that is given up leaves nothing on the road that could take effect later; over UDP
    /// only where the server accepts no TCP connection.
    pub(super) async fn swap(
        &self,
        cx: &Cx,
        server: SocketAddr,
        record: &RoutedRecord,
        from: &RrSet,
        to: &RrSet,
    ) -> Result<Swap> {
        let mut message = swap_message(record, from, to)?;
        let now = u64::try_from(cx.now().as_millis() / 1000).unwrap_or(0);
        let verifier = match &self.signer {
            Some(signer) => message.finalize(signer, now).map_err(unsendable)?,
            None => None,
        };
        let bytes = message.to_vec().map_err(unsendable)?;
        let (answer, raw) = deliver(server, &message, &bytes).await?;
        judge(record, server, &answer, verifier, &raw)
    }
}

impl fmt::Debug for Updater {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = self.signer.as_ref().map(|signer| signer.signer_name().to_string());
        f.debug_struct("Updater").field("key", &key).finish()
    }
}

fn unsendable(error: hickory_proto::ProtoError) -> Error {
    Error::invalid("the update cannot be written").during("update").because(error)
}

fn swap_message(record: &RoutedRecord, from: &RrSet, to: &RrSet) -> Result<Message> {
    let kind = record.kind.record_type();
    let mut message = Message::query();
    message.metadata.op_code = OpCode::Update;
    message.metadata.recursion_desired = false;
    message.add_zone(Query::query(record.zone.clone(), RecordType::SOA));

    if from.values.is_empty() {
        message.add_pre_requisite(emptied(record, DNSClass::NONE));
    }
    message.add_pre_requisites(records(record, from, 0)?);
    message.add_update(emptied(record, DNSClass::ANY));
    message.add_updates(records(record, to, to.ttl)?);
    debug_assert!(message.updates().iter().all(|update| update.record_type() == kind));
    Ok(message)
}

/// "No such records" as a condition (class NONE), "all such records" as what is to go (class ANY).
fn emptied(record: &RoutedRecord, class: DNSClass) -> Record {
    let mut empty = Record::update0(record.name.clone(), 0, record.kind.record_type());
    empty.dns_class = class;
    empty
}

fn records(record: &RoutedRecord, set: &RrSet, ttl: u32) -> Result<Vec<Record>> {
    set.values
        .iter()
        .map(|value| match record.kind.parse(value) {
            Ok(data) => Ok(Record::from_rdata(record.name.clone(), ttl, data)),
            Err(message) => Err(Error::invalid(message).during("update")),
        })
        .collect()
}

async fn deliver(server: SocketAddr, message: &Message, bytes: &[u8]) -> Result<(Message, Vec<u8>)> {
    match tokio::time::timeout(TCP_CONNECTS_WITHIN, TcpStream::connect(server)).await {
        Ok(Ok(stream)) => Ok(over_tcp(stream, server, message, bytes).await?),
        Ok(Err(_)) | Err(_) => over_udp(server, message, bytes).await.map_err(|error| match error {
            // Nobody listens on either: nothing was taken.
            NetError::Refused { .. } => Error::from(error).not_happened(),
            _ => Error::from(error),
        }),
    }
}

fn judge(
    record: &RoutedRecord,
    server: SocketAddr,
    answer: &Message,
    verifier: Option<TSigVerifier>,
    raw: &[u8],
) -> Result<Swap> {
    let code = answer.metadata.response_code;
    let genuine = verifier.is_none_or(|mut verifier| verifier.verify(raw).is_ok());
    let error = |kind: ErrorKind, message: String| {
        let error = Error::new(kind, message)
            .during("update")
            .on(record.to_string())
            .with("server", server.to_string());
        // A forged refusal proves nothing.
        if genuine { error.not_happened() } else { error }
    };
    match code {
        ResponseCode::NoError if genuine => Ok(Swap::Done),
        ResponseCode::NoError => Err(error(
            ErrorKind::Unknown,
            "the server's answer is not signed with our key: it proves nothing".to_owned(),
        )),
        ResponseCode::YXDomain | ResponseCode::YXRRSet | ResponseCode::NXRRSet | ResponseCode::NXDomain => {
            Ok(Swap::Otherwise)
        }
        ResponseCode::Refused => {
            Err(error(ErrorKind::Unauthorized, "the server does not allow this update".to_owned()))
        }
        ResponseCode::NotAuth => Err(error(ErrorKind::Unauthorized, not_auth(answer))),
        ResponseCode::NotZone => {
            Err(error(ErrorKind::Invalid, "the server says that the name is not in the zone".to_owned()))
        }
        ResponseCode::NotImp => {
            Err(error(ErrorKind::Unsupported, "the server does not take updates".to_owned()))
        }
        ResponseCode::FormErr => {
            Err(error(ErrorKind::Invalid, "the server cannot read the update".to_owned()))
        }
        // The server failed somewhere on its way: it may have written.
        ResponseCode::ServFail => Err(Error::new(ErrorKind::NotReady, "the server failed (SERVFAIL)")
            .during("update")
            .on(record.to_string())
            .with("server", server.to_string())),
        other => Err(Error::new(ErrorKind::Unknown, format!("the server answers {other}"))
            .during("update")
            .on(record.to_string())
            .with("server", server.to_string())),
    }
}

fn not_auth(answer: &Message) -> String {
    match answer.signature().and_then(|signature| signature.data.error) {
        Some(TsigError::BadKey) => "the server does not know our key".to_owned(),
        Some(TsigError::BadSig) => "the server has another secret for our key".to_owned(),
        Some(TsigError::BadTime) => "the server's clock and ours are too far apart for signatures".to_owned(),
        Some(other) => format!("the server does not accept our signature ({other:?})"),
        None => "the server is not the zone's primary, or does not accept our key".to_owned(),
    }
}
