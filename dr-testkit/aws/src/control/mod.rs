//! The control surface by HTTP, under a path that no service has: for shell scripts and the command.
//!
//! `GET /_dr/snapshot`, `GET /_dr/calls`, and `POST /_dr/…` with a JSON body; an answer is JSON.

mod command;

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Method, Response, StatusCode};
use serde_json::{Value, json};

use crate::world::Shared;

/// Where it is.
pub(crate) const PREFIX: &str = "/_dr/";

/// Answers one request.
pub(crate) fn answer(
    shared: &Shared,
    parts: &hyper::http::request::Parts,
    body: &Bytes,
) -> Response<Full<Bytes>> {
    let path = parts.uri.path().trim_start_matches(PREFIX);
    let done = match (&parts.method, path) {
        (&Method::GET, "calls") => {
            let calls = shared.with(|world| serde_json::to_value(world.recorder.calls()));
            calls.map_err(|error| error.to_string())
        }
        (&Method::GET, "snapshot") => Ok(json!(shared.with(|world| crate::handle::text(world)))),
        (&Method::POST, path) => command::carry_out(shared, path, body),
        _ => Err(format!("there is no {} {}", parts.method, parts.uri.path())),
    };
    let (status, value) = match done {
        Ok(value) => (StatusCode::OK, value),
        Err(error) => (StatusCode::BAD_REQUEST, json!({ "error": error })),
    };
    reply(status, &value)
}

fn reply(status: StatusCode, value: &Value) -> Response<Full<Bytes>> {
    let mut reply = Response::new(Full::new(Bytes::from(value.to_string())));
    *reply.status_mut() = status;
    reply.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    reply
}
