//! What is asked, and whether an answer belongs to it.

use hickory_proto::op::{Message, MessageType, Query};
use hickory_proto::rr::{Name, RData, RecordType};

use crate::error::NetError;

/// A name as plans write it, absolute and in lower case.
pub(crate) fn name(text: &str) -> Result<Name, NetError> {
    let mut name = Name::from_utf8(text).map_err(|_| NetError::BadName(text.to_owned()))?.to_lowercase();
    name.set_fqdn(true);
    Ok(name)
}

/// A question with a fresh random id.
pub(crate) fn question(name: &Name, kind: RecordType, recursion: bool) -> Message {
    let mut message = Message::query();
    message.metadata.recursion_desired = recursion;
    message.add_query(Query::query(name.clone(), kind));
    message
}

/// Whether `answer` answers `asked`: same id, same opcode, same question. A refusal may leave the question out.
pub(crate) fn belongs(answer: &Message, asked: &Message) -> bool {
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
        && answer.metadata.op_code == asked.metadata.op_code
        && same_question
}

/// How long the absence that `answer` states may be remembered (RFC 2308); `None` if nothing says so.
pub(crate) fn negative_ttl(answer: &Message) -> Option<u32> {
    answer.authorities.iter().find_map(|record| match &record.data {
        RData::SOA(soa) => Some(record.ttl.min(soa.minimum)),
        _ => None,
    })
}

/// A name for people: without the final dot.
pub(crate) fn plain(name: &Name) -> String {
    let text = name.to_string();
    text.strip_suffix('.').filter(|text| !text.is_empty()).unwrap_or(&text).to_owned()
}
