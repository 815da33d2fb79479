//! One HTTP request on a connection of its own.

use std::net::SocketAddr;
use std::time::Duration;

use http_body_util::{BodyExt, Empty};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::time::timeout;

use crate::wire;

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    /// Who answered.
    pub(crate) region: Option<String>,
    /// Whether the service says that it wrote nothing.
    pub(crate) not_written: bool,
}

/// No answer.
#[derive(Debug)]
pub(crate) enum Failed {
    /// Nothing was sent.
    BeforeSending(String),
    /// Nobody knows what became of it.
    AfterSending(String),
}

/// Asks once.
pub(crate) async fn ask(
    to: SocketAddr,
    host: &str,
    method: Method,
    path: &str,
    within: Duration,
) -> Result<Answer, Failed> {
    let before = |error: &dyn std::fmt::Display| Failed::BeforeSending(format!("{to}: {error}"));
    let after = |error: &dyn std::fmt::Display| Failed::AfterSending(format!("{to}: {error}"));
    let stream = wire::connect(to, None, within).await.map_err(|error| before(&error))?;
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header("host", format!("{host}:{}", to.port()))
        .header("connection", "close")
        .body(Empty::<Bytes>::new())
        .map_err(|error| before(&error))?;
    let exchange = async {
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        let asking = async {
            let response = sender.send_request(request).await?;
            let (parts, body) = response.into_parts();
            // An answer is one when all of it is there.
            body.collect().await?;
            Ok::<_, hyper::Error>(parts)
        };
        tokio::pin!(asking);
        tokio::select! {
            biased;
            result = &mut asking => result,
            // The connection ends when everything is read; what it failed with, the answer says too.
            _ = connection => asking.await,
        }
    };
    match timeout(within, exchange).await {
        Ok(Ok(parts)) => Ok(Answer {
            status: parts.status,
            region: parts.headers.get("x-region").and_then(|value| value.to_str().ok()).map(str::to_owned),
            not_written: parts.headers.contains_key("x-not-written"),
        }),
        Ok(Err(error)) => Err(after(&error)),
        Err(_) => Err(after(&"no answer in time")),
    }
}

impl std::fmt::Display for Failed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::BeforeSending(why) | Self::AfterSending(why) => f.write_str(why),
        }
    }
}
