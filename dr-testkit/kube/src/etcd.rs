//! Forgetting history: etcd drops every revision but the last.

use std::net::SocketAddr;

use hyper::Request;
use kube::Client;
use serde_json::{Value, json};

use crate::access::plain;
use crate::error::KubeFault;

/// Compacts etcd at its present revision, which is returned.
pub(crate) async fn compact(etcd: SocketAddr) -> Result<u64, KubeFault> {
    let client = plain(etcd)?;
    // Any read tells the revision. Bytes are written in base64 there.
    let read = ask(&client, "/v3/kv/range", &json!({ "key": "AA==" })).await?;
    let revision = read.pointer("/header/revision").and_then(Value::as_str);
    let revision = revision.and_then(|text| text.parse::<u64>().ok());
    let revision =
        revision.ok_or_else(|| KubeFault::Garbled(format!("etcd names no revision but says {read}")))?;
    ask(&client, "/v3/kv/compaction", &json!({ "revision": revision.to_string(), "physical": true })).await?;
    Ok(revision)
}

async fn ask(client: &Client, path: &str, body: &Value) -> Result<Value, KubeFault> {
    let request = Request::post(path).body(body.to_string().into_bytes());
    let request = request.map_err(|error| KubeFault::Garbled(format!("not a request: {error}")))?;
    client.request::<Value>(request).await.map_err(KubeFault::asked(format!("ask etcd for {path}")))
}
