//! Answers and errors, written as each protocol writes them.

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use hyper::{Response, StatusCode};

use super::{ApiError, Node, Protocol, Request, encode_cbor};

/// What a service answers.
#[derive(Debug, Clone, Default)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Body,
}

/// The body of an answer.
#[derive(Debug, Clone, Default)]
pub(crate) enum Body {
    /// Nothing at all.
    #[default]
    None,
    /// A tree under the name of its root; protocols without names leave it out.
    Tree(&'static str, Node),
    /// Bytes as they are (an object).
    Raw(Bytes),
}

impl Answer {
    /// 200 with a tree; REST-XML names its root.
    pub(crate) fn tree(root: &'static str, node: Node) -> Self {
        Self { status: 200, headers: Vec::new(), body: Body::Tree(root, node) }
    }

    /// 200 with a tree in protocols whose root has no name of its own.
    pub(crate) fn of(node: Node) -> Self {
        Self::tree("", node)
    }

    /// A status and nothing more.
    pub(crate) fn empty(status: u16) -> Self {
        Self { status, ..Self::default() }
    }

    /// 200 with bytes.
    pub(crate) fn raw(bytes: Bytes) -> Self {
        Self { status: 200, headers: Vec::new(), body: Body::Raw(bytes) }
    }

    /// With another status.
    #[must_use]
    pub(crate) fn status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    /// With a header.
    #[must_use]
    pub(crate) fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    /// As bytes on the wire.
    pub(crate) fn write(self, request: &Request) -> Response<Full<Bytes>> {
        let (kind, body) = match self.body {
            Body::None => (None, Bytes::new()),
            Body::Raw(bytes) => (None, bytes),
            Body::Tree(root, node) => {
                let (kind, body) = write_tree(request, root, &node);
                (Some(kind), body)
            }
        };
        let mut response = Response::new(Full::new(body));
        *response.status_mut() = StatusCode::from_u16(self.status).unwrap_or(StatusCode::OK);
        let headers = response.headers_mut();
        if let Some(kind) = kind {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        }
        for (name, value) in self.headers {
            if let (Ok(name), Ok(value)) =
                (HeaderName::try_from(name), HeaderValue::from_bytes(value.as_bytes()))
            {
                headers.insert(name, value);
            }
        }
        sign_off(&mut response, request.protocol, &request.id);
        response
    }
}

/// An error before or after its request was understood.
pub(super) fn write_error(error: &ApiError, protocol: Protocol, id: &str) -> Response<Full<Bytes>> {
    let (kind, body) = error_body(error, protocol, id);
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = StatusCode::from_u16(error.status).unwrap_or(StatusCode::BAD_REQUEST);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    if matches!(protocol, Protocol::RestJson)
        && let Ok(code) = HeaderValue::from_str(&error.code)
    {
        headers.insert("x-amzn-errortype", code);
    }
    sign_off(&mut response, protocol, id);
    response
}

impl ApiError {
    /// As bytes on the wire.
    pub(crate) fn write(&self, protocol: Protocol, id: &str) -> Response<Full<Bytes>> {
        write_error(self, protocol, id)
    }
}

fn sign_off(response: &mut Response<Full<Bytes>>, protocol: Protocol, id: &str) {
    let headers = response.headers_mut();
    let name = if protocol == Protocol::S3 { "x-amz-request-id" } else { "x-amzn-requestid" };
    if let Ok(id) = HeaderValue::from_str(id) {
        headers.insert(HeaderName::from_static(name), id);
    }
    if protocol == Protocol::Cbor {
        headers.insert("smithy-protocol", HeaderValue::from_static("rpc-v2-cbor"));
    }
}

const XML: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";

fn write_tree(request: &Request, root: &str, node: &Node) -> (&'static str, Bytes) {
    match request.protocol {
        Protocol::Query(namespace) => {
            let action = &request.action;
            let mut out = format!("{XML}<{action}Response xmlns=\"{namespace}\"><{action}Result>");
            node.write_xml(&mut out);
            out.push_str(&format!(
                "</{action}Result><ResponseMetadata><RequestId>{}</RequestId></ResponseMetadata></{action}Response>",
                request.id
            ));
            ("text/xml", Bytes::from(out))
        }
        Protocol::RestXml => {
            ("text/xml", document(root, "https://route53.amazonaws.com/doc/2013-04-01/", node))
        }
        Protocol::S3 => ("application/xml", document(root, "http://s3.amazonaws.com/doc/2006-03-01/", node)),
        Protocol::RestJson => ("application/json", Bytes::from(node.json().to_string())),
        Protocol::Json11 => ("application/x-amz-json-1.1", Bytes::from(node.json().to_string())),
        Protocol::Cbor => ("application/cbor", Bytes::from(encode_cbor(node))),
    }
}

fn document(root: &str, namespace: &str, node: &Node) -> Bytes {
    let mut out = format!("{XML}<{root} xmlns=\"{namespace}\">");
    node.write_xml(&mut out);
    out.push_str(&format!("</{root}>"));
    Bytes::from(out)
}

fn error_body(error: &ApiError, protocol: Protocol, id: &str) -> (&'static str, Bytes) {
    let sender = if error.status < 500 { "Sender" } else { "Receiver" };
    match protocol {
        Protocol::Query(namespace) => ("text/xml", error_response(namespace, error, sender, id)),
        Protocol::RestXml => {
            ("text/xml", error_response("https://route53.amazonaws.com/doc/2013-04-01/", error, sender, id))
        }
        Protocol::S3 => {
            let mut node = Node::map().put("Code", &error.code).put("Message", &error.message);
            for (name, value) in &error.more {
                node = node.put(*name, value.clone());
            }
            let node = node.put("RequestId", id).put("HostId", "simulated");
            let mut out = format!("{XML}<Error>");
            node.write_xml(&mut out);
            out.push_str("</Error>");
            ("application/xml", Bytes::from(out))
        }
        Protocol::RestJson | Protocol::Json11 => {
            let mut node = Node::map().put("__type", &error.code).put("message", &error.message);
            for (name, value) in &error.more {
                node = node.put(*name, value.clone());
            }
            let kind =
                if protocol == Protocol::Json11 { "application/x-amz-json-1.1" } else { "application/json" };
            (kind, Bytes::from(node.json().to_string()))
        }
        Protocol::Cbor => {
            let name = format!("com.amazonaws.cloudwatch#{}", error.code);
            let node =
                Node::map().put("__type", name).put("message", &error.message).put("Message", &error.message);
            ("application/cbor", Bytes::from(encode_cbor(&node)))
        }
    }
}

fn error_response(namespace: &str, error: &ApiError, sender: &str, id: &str) -> Bytes {
    let node = Node::map().put("Type", sender).put("Code", &error.code).put("Message", &error.message);
    let mut out = format!("{XML}<ErrorResponse xmlns=\"{namespace}\"><Error>");
    node.write_xml(&mut out);
    out.push_str(&format!("</Error><RequestId>{id}</RequestId></ErrorResponse>"));
    Bytes::from(out)
}
