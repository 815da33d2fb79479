//! How the services speak: REST-XML, Query, JSON and CBOR around one tree of values.

mod answer;
mod cbor;
mod chunked;
mod error;
mod input;
mod node;
mod query;
mod request;
mod scope;
mod xml;

pub(crate) use answer::Answer;
pub(crate) use chunked::plain_body;
pub(crate) use error::ApiError;
pub(crate) use input::Input;
pub(crate) use node::Node;
pub(crate) use query::parse_form;
pub(crate) use request::Request;
pub(crate) use scope::Scope;
pub(crate) use xml::Element;
pub(crate) use {cbor::decode as decode_cbor, cbor::encode as encode_cbor};

/// How a service writes what it answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// AWS Query: form in, XML with `<ActionResponse><ActionResult>` out (STS, RDS, older CloudWatch clients).
    Query(&'static str),
    /// REST with XML bodies (Route 53).
    RestXml,
    /// REST with S3's own kind of errors.
    S3,
    /// REST with JSON bodies (EKS).
    RestJson,
    /// JSON 1.1: the operation stands in `x-amz-target` (Service Quotas).
    Json11,
    /// Smithy RPC v2 CBOR (CloudWatch).
    Cbor,
}
