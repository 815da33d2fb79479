//! Smithy RPC v2 CBOR: <https://smithy.io/2.0/additional-specs/protocols/smithy-rpc-v2.html>.

use minicbor::data::Type;
use minicbor::{Decoder, Encoder};
use serde_json::{Map, Value};

use super::node::seconds;
use super::{ApiError, Node};

/// How deep a request may be nested.
const DEPTH: usize = 32;

/// Reads a request; times (tag 1) become seconds since 1970.
pub(crate) fn decode(body: &[u8]) -> Result<Value, ApiError> {
    if body.is_empty() {
        return Ok(Value::Object(Map::new()));
    }
    read(&mut Decoder::new(body), DEPTH)
        .map_err(|error| ApiError::new(400, "SerializationException", format!("no CBOR: {error}")))
}

fn read(from: &mut Decoder<'_>, deep: usize) -> Result<Value, minicbor::decode::Error> {
    let Some(deep) = deep.checked_sub(1) else {
        return Err(minicbor::decode::Error::message("nested too deeply"));
    };
    Ok(match from.datatype()? {
        Type::Bool => Value::from(from.bool()?),
        Type::Null | Type::Undefined => {
            from.skip()?;
            Value::Null
        }
        Type::U8 | Type::U16 | Type::U32 | Type::U64 => Value::from(from.u64()?),
        Type::I8 | Type::I16 | Type::I32 | Type::I64 => Value::from(from.i64()?),
        Type::F16 | Type::F32 | Type::F64 => Value::from(from.f64()?),
        Type::String => Value::from(from.str()?),
        Type::StringIndef => Value::from(from.str_iter()?.collect::<Result<String, _>>()?),
        Type::Bytes => Value::from(data_encoding::BASE64.encode(from.bytes()?)),
        Type::Tag => {
            from.tag()?;
            read(from, deep)?
        }
        Type::Array | Type::ArrayIndef => {
            let mut values = Vec::new();
            let mut left = from.array()?;
            while more(from, &mut left)? {
                values.push(read(from, deep)?);
            }
            Value::Array(values)
        }
        Type::Map | Type::MapIndef => {
            let mut fields = Map::new();
            let mut left = from.map()?;
            while more(from, &mut left)? {
                let key = from.str()?.to_owned();
                fields.insert(key, read(from, deep)?);
            }
            Value::Object(fields)
        }
        other => return Err(minicbor::decode::Error::type_mismatch(other)),
    })
}

/// Whether another item follows, by count or until the break.
fn more(from: &mut Decoder<'_>, left: &mut Option<u64>) -> Result<bool, minicbor::decode::Error> {
    match left {
        Some(0) => Ok(false),
        Some(count) => {
            *count -= 1;
            Ok(true)
        }
        None if from.datatype()? == Type::Break => {
            from.skip()?;
            Ok(false)
        }
        None => Ok(true),
    }
}

/// Writes an answer.
pub(crate) fn encode(node: &Node) -> Vec<u8> {
    let mut to = Encoder::new(Vec::new());
    // Writing to memory cannot fail: the error type has no value.
    let _ = write(&mut to, node);
    to.into_writer()
}

fn write(
    to: &mut Encoder<Vec<u8>>,
    node: &Node,
) -> Result<(), minicbor::encode::Error<core::convert::Infallible>> {
    match node {
        Node::Text(text) => to.str(text)?.ok(),
        Node::Int(number) => to.i64(*number)?.ok(),
        Node::Float(number) => to.f64(*number)?.ok(),
        Node::Bool(flag) => to.bool(*flag)?.ok(),
        Node::Time(time) => to.tag(minicbor::data::IanaTag::Timestamp)?.f64(seconds(*time))?.ok(),
        Node::List(_, values) | Node::Flat(values) => {
            to.array(values.len() as u64)?;
            values.iter().try_for_each(|value| write(to, value))
        }
        Node::Map(fields) => {
            to.map(fields.len() as u64)?;
            fields.iter().try_for_each(|(name, value)| {
                to.str(name)?;
                write(to, value)
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use dr_core::Timestamp;
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        let node = Node::map()
            .put("Text", "a")
            .put("Int", -7_i64)
            .put("Float", 0.5)
            .put("Flag", true)
            .put("Time", Timestamp::from_millis(1_500))
            .put("List", Node::list("member", ["x", "y"]));
        let value = decode(&encode(&node)).unwrap();
        assert_eq!(
            value,
            json!({"Text": "a", "Int": -7, "Float": 0.5, "Flag": true, "Time": 1.5, "List": ["x", "y"]})
        );
    }

    #[test]
    fn maps_and_arrays_without_a_length_are_read_until_their_break() {
        let bytes = [0xbf, 0x61, b'a', 0x9f, 0x01, 0x02, 0xff, 0xff];
        assert_eq!(decode(&bytes).unwrap(), json!({"a": [1, 2]}));
        assert!(decode(&bytes[..5]).is_err());
    }
}
