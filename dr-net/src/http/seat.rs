//! One caller of an HTTP service.

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use dr_core::async_trait;
use dr_core::resource::{Answer, Ask, Prober, Seat, SeatKind};
use dr_core::time::show_duration;
use tokio::time::Instant;
use tokio_rustls::TlsConnector;

use super::call::HttpCall;
use super::config::HttpPlan;
use super::connection::{Connection, Failed, Reply};
use crate::connect::connect;
use crate::error::NetError;
use crate::resolver::Resolver;

/// What all callers of one service share: what to ask, and whom to trust.
#[derive(Clone)]
pub(super) struct HttpProber {
    plan: Arc<HttpPlan>,
    tls: Option<TlsConnector>,
}

impl HttpProber {
    pub(super) fn new(plan: Arc<HttpPlan>, tls: Option<TlsConnector>) -> Self {
        Self { plan, tls }
    }
}

impl std::fmt::Debug for HttpProber {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HttpProber").field("plan", &self.plan).finish_non_exhaustive()
    }
}

impl Prober for HttpProber {
    fn seat(&self, kind: SeatKind) -> Box<dyn Seat> {
        Box::new(HttpSeat { caller: Caller::new(self.plan.clone(), self.tls.clone(), kind) })
    }
}

#[derive(Debug)]
struct HttpSeat {
    caller: Caller,
}

#[async_trait]
impl Seat for HttpSeat {
    async fn ask(&mut self, ask: Ask, within: Duration) -> Answer {
        let begun = Instant::now();
        let plan = Arc::clone(&self.caller.plan);
        let call = match (ask.write, &plan.write) {
            (false, _) => &plan.read,
            (true, Some(write)) => write,
            (true, None) => return Answer::bad("no write path configured", None, begun.elapsed()),
        };
        let keep_body = plan.marker.as_ref().is_some_and(super::marker::Marker::in_body);
        let answer = match self.caller.call(call, keep_body, within.min(plan.timeout)).await {
            Ok(reply) => judge(&plan, &reply, ask, begun.elapsed()),
            Err(why) => Answer::none(why, begun.elapsed()),
        };
        if !answer.is_good() {
            // A client that meets a bad answer looks for a better server.
            self.caller.hang_up();
        }
        answer
    }
}

fn judge(plan: &HttpPlan, reply: &Reply, ask: Ask, took: Duration) -> Answer {
    let served_by = plan.marker.as_ref().and_then(|marker| marker.read(&reply.headers, &reply.body));
    let good =
        if ask.write { reply.status.is_success() } else { plan.statuses.contains(&reply.status.as_u16()) };
    if good {
        return Answer::good(served_by, ask.write, took);
    }
    let remark = if reply.status.is_redirection() { ", a redirect, which is not followed" } else { "" };
    Answer::bad(format!("HTTP {}{remark}", reply.status.as_u16()), served_by, took)
}

/// One who calls: its own name cache and, if it keeps one, its connection.
pub(super) struct Caller {
    plan: Arc<HttpPlan>,
    tls: Option<TlsConnector>,
    kind: SeatKind,
    resolver: Resolver,
    /// The connection and where it leads; only a kept seat has one between its questions.
    kept: Mutex<Option<(Line, Connection)>>,
    stage: AtomicU8,
}

/// What a connection can be used again for.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Line {
    secure: bool,
    host: String,
    port: u16,
}

const RESOLVING: u8 = 0;
const CONNECTING: u8 = 1;
const ANSWERING: u8 = 2;

impl Caller {
    pub(super) fn new(plan: Arc<HttpPlan>, tls: Option<TlsConnector>, kind: SeatKind) -> Self {
        let resolver = Resolver::new(plan.source.clone());
        Self { plan, tls, kind, resolver, kept: Mutex::new(None), stage: AtomicU8::new(RESOLVING) }
    }

    /// One request and its answer, or why there is none; within `within`.
    pub(super) async fn call(
        &self,
        call: &HttpCall,
        keep_body: bool,
        within: Duration,
    ) -> Result<Reply, String> {
        self.stage.store(RESOLVING, Ordering::Relaxed);
        match tokio::time::timeout(within, self.exchange(call, keep_body)).await {
            Ok(outcome) => outcome.map_err(|error| error.to_string()),
            Err(_) => {
                let doing = match self.stage.load(Ordering::Relaxed) {
                    RESOLVING => format!("looking up {}", call.host),
                    CONNECTING => format!("connecting to {}:{}", call.host, call.port),
                    _ => "waiting for it".to_owned(),
                };
                Err(format!("no answer within {}, {doing}", show_duration(within)))
            }
        }
    }

    async fn exchange(&self, call: &HttpCall, keep_body: bool) -> Result<Reply, NetError> {
        let line = Line { secure: call.secure, host: call.host.clone(), port: call.port };
        let once = self.kind == SeatKind::Caching;
        // Taken out: if this question fails or is given up, the connection goes with it.
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some((kept_line, mut connection)) = kept
            && kept_line == line
            && connection.is_open().await
        {
            self.stage.store(ANSWERING, Ordering::Relaxed);
            match connection.exchange(call.request(false), keep_body).await {
                Ok(reply) => {
                    self.keep(line, connection);
                    return Ok(reply);
                }
                Err(Failed::Broken(error)) => return Err(error),
                // It was closed while nobody looked and nothing was sent: every client opens a new one then.
                Err(Failed::Unsent) => {}
            }
        }
        let mut connection = self.open(call).await?;
        match connection.exchange(call.request(once), keep_body).await {
            Ok(reply) => {
                self.keep(line, connection);
                Ok(reply)
            }
            Err(Failed::Broken(error)) => Err(error),
            Err(Failed::Unsent) => {
                Err(NetError::Broken { to: connection.peer(), why: "closed at once".to_owned() })
            }
        }
    }

    async fn open(&self, call: &HttpCall) -> Result<Connection, NetError> {
        self.stage.store(RESOLVING, Ordering::Relaxed);
        let addresses = self.resolver.addresses(&call.host).await?;
        self.stage.store(CONNECTING, Ordering::Relaxed);
        let (stream, peer) = connect(&call.host, &addresses, call.port).await?;
        let tls = self.tls.as_ref().filter(|_| call.secure).map(|connector| (connector, call.host.as_str()));
        let connection = Connection::open(stream, peer, tls).await?;
        self.stage.store(ANSWERING, Ordering::Relaxed);
        Ok(connection)
    }

    fn keep(&self, line: Line, connection: Connection) {
        if self.kind == SeatKind::Kept {
            *self.kept.lock().unwrap_or_else(PoisonError::into_inner) = Some((line, connection));
        }
    }

    /// Gives up a kept connection.
    fn hang_up(&self) {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

impl std::fmt::Debug for Caller {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Caller")
            .field("kind", &self.kind)
            .field("resolver", &self.resolver)
            .finish_non_exhaustive()
    }
}
