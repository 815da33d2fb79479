//! One call as a service sees it.

use bytes::Bytes;
use hyper::HeaderMap;
use serde_json::Value;

use super::{ApiError, Element, Input, Protocol};
use crate::service::Service;

/// A signed request whose service, region and action are known.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) service: Service,
    pub(crate) region: String,
    pub(crate) account: String,
    pub(crate) access_key: String,
    pub(crate) protocol: Protocol,
    pub(crate) action: String,
    /// The path's segments, decoded.
    pub(crate) path: Vec<String>,
    pub(crate) query: Vec<(String, String)>,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// The body of Query, JSON and CBOR.
    pub(crate) fields: Value,
    /// By what the answer names this request.
    pub(crate) id: String,
}

impl Request {
    /// The body's fields.
    pub(crate) fn input(&self) -> Input<'_> {
        Input(&self.fields)
    }

    /// The body as XML.
    pub(crate) fn xml(&self) -> Result<Element, ApiError> {
        Element::parse(&self.body)
    }

    /// A parameter of the query string.
    pub(crate) fn param(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// A parameter of the query string that is not empty.
    pub(crate) fn filled(&self, name: &str) -> Option<&str> {
        self.param(name).filter(|value| !value.is_empty())
    }

    /// A header as text.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// A segment of the path.
    pub(crate) fn segment(&self, index: usize) -> &str {
        self.path.get(index).map(String::as_str).unwrap_or_default()
    }
}
