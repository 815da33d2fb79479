//! One HTTP/1.1 connection, held in the hand: no pool stands between it and its caller.

use std::fmt;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::{HeaderMap, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::error::NetError;

/// How much of a body is kept; the rest is read and dropped, so that the connection can be used again.
const BODY_KEPT: usize = 64 * 1024;

type Driver = Pin<Box<dyn Future<Output = hyper::Result<()>> + Send>>;

/// A connection and the future that moves its bytes. The future is polled only while somebody asks, so nothing of it
/// runs, or outlives it, in the background.
pub(super) struct Connection {
    peer: SocketAddr,
    sender: SendRequest<Full<Bytes>>,
    driver: Option<Driver>,
}

/// An answer, read to its end.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    /// Its beginning, if it was asked for.
    pub(super) body: Vec<u8>,
}

/// Why there is no answer.
pub(super) enum Failed {
    /// The connection was gone before the request was sent: it can be sent on another one.
    Unsent,
    /// Anything else: the service may have seen the request.
    Broken(NetError),
}

impl Connection {
    /// Speaks HTTP, over TLS if there is a connector, on a stream that stands.
    pub(super) async fn open(
        stream: TcpStream,
        peer: SocketAddr,
        tls: Option<(&TlsConnector, &str)>,
    ) -> Result<Self, NetError> {
        match tls {
            None => Self::over(stream, peer).await,
            Some((connector, host)) => {
                let bare = host.trim_start_matches('[').trim_end_matches(']').to_owned();
                let name = ServerName::try_from(bare).map_err(|_| NetError::BadName(host.to_owned()))?;
                let stream = connector
                    .connect(name, stream)
                    .await
                    .map_err(|source| NetError::Tls { to: peer, source })?;
                Self::over(stream, peer).await
            }
        }
    }

    async fn over<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
        stream: S,
        peer: SocketAddr,
    ) -> Result<Self, NetError> {
        let (sender, connection) =
            http1::handshake(TokioIo::new(stream)).await.map_err(|error| NetError::broken(peer, &error))?;
        Ok(Self { peer, sender, driver: Some(Box::pin(connection)) })
    }

    /// The address at its other end.
    pub(super) fn peer(&self) -> SocketAddr {
        self.peer
    }

    /// Whether it still stands, as far as this end knows.
    pub(super) async fn is_open(&mut self) -> bool {
        poll_fn(|cx| {
            drive(&mut self.driver, cx);
            Poll::Ready(())
        })
        .await;
        self.driver.is_some() && !self.sender.is_closed()
    }

    /// Sends a request and reads the whole answer; its body is kept only where `keep_body` says so.
    pub(super) async fn exchange(
        &mut self,
        request: Request<Full<Bytes>>,
        keep_body: bool,
    ) -> Result<Reply, Failed> {
        let Self { peer, sender, driver } = self;
        let peer = *peer;
        let mut work = pin!(async move {
            if sender.ready().await.is_err() {
                return Err(Failed::Unsent);
            }
            match sender.try_send_request(request).await {
                Ok(response) => read(response, keep_body)
                    .await
                    .map_err(|error| Failed::Broken(NetError::broken(peer, &error))),
                Err(error) if error.message().is_some() => Err(Failed::Unsent),
                Err(error) => Err(Failed::Broken(NetError::broken(peer, error.error()))),
            }
        });
        poll_fn(|cx| {
            if let Poll::Ready(done) = work.as_mut().poll(cx) {
                return Poll::Ready(done);
            }
            if drive(driver, cx) {
                // What it delivered before it ended still has to be taken.
                return work.as_mut().poll(cx);
            }
            Poll::Pending
        })
        .await
    }
}

/// Moves bytes; true when the connection has just come to its end.
fn drive(driver: &mut Option<Driver>, cx: &mut Context<'_>) -> bool {
    let ended = driver.as_mut().is_some_and(|driver| driver.as_mut().poll(cx).is_ready());
    if ended {
        *driver = None;
    }
    ended
}

async fn read(response: Response<Incoming>, keep_body: bool) -> hyper::Result<Reply> {
    let (head, mut incoming) = response.into_parts();
    let mut body = Vec::new();
    while let Some(frame) = incoming.frame().await {
        if let Ok(data) = frame?.into_data()
            && keep_body
        {
            let room = BODY_KEPT.saturating_sub(body.len()).min(data.len());
            body.extend_from_slice(&data[..room]);
        }
    }
    Ok(Reply { status: head.status, headers: head.headers, body })
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").field("peer", &self.peer).field("open", &self.driver.is_some()).finish()
    }
}
