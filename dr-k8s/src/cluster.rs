//! One side's API server: asked, told and watched.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use dr_core::resource::{Cx, Redactor};
use dr_core::{Error, ErrorKind, Region, Result, Side};
use http_body_util::BodyExt;
use hyper::{Method, Request, Response, header};
use kube::Client;
use kube::client::Body;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::time::Instant;

use crate::access::{Access, Door, chain};
use crate::config::Limits;
use crate::discovery::{Served, Versions};
use crate::error::Fault;
use crate::login;
use crate::objects::{List, Status};

/// How many objects are asked for at a time.
const PAGE: u32 = 500;
/// How often a read is tried in one call; the engine repeats the whole step beyond that.
const TRIES: u32 = 4;
/// The first pause between two tries.
const PAUSE: Duration = Duration::from_millis(100);
/// How many calls of one step are under way at a time.
pub(crate) const AT_ONCE: usize = 32;

/// One side: an API server and a namespace of it. Opened when it is first asked.
#[derive(Debug)]
pub(crate) struct Cluster {
    pub(crate) side: Side,
    pub(crate) region: Region,
    pub(crate) namespace: String,
    pub(crate) manager: String,
    access: Access,
    limits: Limits,
    /// Knows what the login holds, once there is one.
    redactor: Redactor,
    client: tokio::sync::Mutex<Option<(u64, Made)>>,
    groups: tokio::sync::OnceCell<Versions>,
    served: Mutex<BTreeMap<String, Arc<Served>>>,
}

struct Made(Client, Door);

impl std::fmt::Debug for Made {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Client")
    }
}

/// A call that changes something, or would with `dry`.
#[derive(Debug, Clone)]
pub(crate) struct Write<'a> {
    /// What is done: `PATCH`, `PUT`, `POST`, `DELETE`.
    pub(crate) method: Method,
    /// Where.
    pub(crate) path: String,
    /// With what.
    pub(crate) body: &'a Value,
    /// Whether the server only says what it would do.
    pub(crate) dry: bool,
}

impl<'a> Write<'a> {
    /// A merge patch.
    pub(crate) fn patch(path: impl Into<String>, body: &'a Value) -> Self {
        Self { method: Method::PATCH, path: path.into(), body, dry: false }
    }

    /// The whole object, over the version that it names.
    pub(crate) fn put(path: impl Into<String>, body: &'a Value) -> Self {
        Self { method: Method::PUT, path: path.into(), body, dry: false }
    }

    /// A new object.
    pub(crate) fn post(path: impl Into<String>, body: &'a Value) -> Self {
        Self { method: Method::POST, path: path.into(), body, dry: false }
    }

    /// An object less; `body` holds the options.
    pub(crate) fn delete(path: impl Into<String>, body: &'a Value) -> Self {
        Self { method: Method::DELETE, path: path.into(), body, dry: false }
    }

    /// Only to see what would happen.
    pub(crate) fn dry(mut self) -> Self {
        self.dry = true;
        self
    }
}

impl Cluster {
    pub(crate) fn new(
        side: Side,
        config: &crate::config::SideConfig,
        limits: Limits,
        manager: impl Into<String>,
        redactor: &Redactor,
    ) -> Self {
        Self {
            side,
            region: config.region.clone(),
            namespace: config.namespace.clone(),
            manager: manager.into(),
            access: config.access.clone(),
            limits,
            redactor: redactor.clone(),
            client: tokio::sync::Mutex::new(None),
            groups: tokio::sync::OnceCell::new(),
            served: Mutex::new(BTreeMap::new()),
        }
    }

    /// What the server offers in an API group; asked once.
    pub(crate) async fn served(&self, cx: &Cx, group: &str) -> Result<Arc<Served>> {
        let known = self.served.lock().unwrap_or_else(PoisonError::into_inner).get(group).cloned();
        if let Some(known) = known {
            return Ok(known);
        }
        let served = Arc::new(Served::ask(cx, self, group).await?);
        self.served
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(group.to_owned(), Arc::clone(&served));
        Ok(served)
    }

    /// The versions in which the server offers a group; none if it does not. Asked once.
    pub(crate) async fn versions(&self, cx: &Cx, group: &str) -> Result<Vec<String>> {
        let groups = self.groups.get_or_try_init(|| self.groups(cx)).await?;
        Ok(groups.get(group).cloned().unwrap_or_default())
    }

    /// Reads one object.
    pub(crate) async fn get<T: DeserializeOwned>(&self, cx: &Cx, path: &str) -> Result<T> {
        let what = format!("GET {path}");
        self.told(&what, self.read(cx, path).await)
    }

    /// Reads one object that need not be there.
    pub(crate) async fn find<T: DeserializeOwned>(&self, cx: &Cx, path: &str) -> Result<Option<T>> {
        match self.get(cx, path).await {
            Ok(found) => Ok(Some(found)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Reads all objects at a place, with the version of the whole.
    pub(crate) async fn list<T: DeserializeOwned>(
        &self,
        cx: &Cx,
        path: &str,
        labels: Option<&str>,
    ) -> Result<(Vec<T>, String)> {
        let what = format!("LIST {path}");
        let labels = labels.map(|labels| format!("&labelSelector={}", encoded(labels))).unwrap_or_default();
        let mut items = Vec::new();
        let mut from = String::new();
        loop {
            let page = format!("{path}?limit={PAGE}{labels}{from}");
            match self.read::<List<T>>(cx, &page).await {
                Ok(mut page) => {
                    items.append(&mut page.items);
                    match page.metadata.next.filter(|next| !next.is_empty()) {
                        Some(next) => from = format!("&continue={}", encoded(&next)),
                        None => return Ok((items, page.metadata.resource_version.unwrap_or_default())),
                    }
                }
                // The list grew too old while it was turned over: from the beginning.
                Err(Fault::Said { code: 410, .. }) if !from.is_empty() => {
                    items.clear();
                    from.clear();
                }
                Err(fault) => return self.told(&what, Err(fault)),
            }
        }
    }

    /// Changes something. Only what proves that nothing was done is tried again here.
    pub(crate) async fn write<T: DeserializeOwned>(&self, cx: &Cx, write: &Write<'_>) -> Result<T> {
        let what = format!("{}{} {}", write.method, if write.dry { " (dry run)" } else { "" }, write.path);
        let content = match write.method {
            Method::PATCH => "application/merge-patch+json",
            _ => "application/json",
        };
        let dry = if write.dry { "&dryRun=All" } else { "" };
        let path = format!("{}?fieldManager={}{dry}", write.path, encoded(&self.manager));
        let body = write.body.to_string().into_bytes();
        let mut tried = 0;
        let result = loop {
            let fault = match self.once(cx, &write.method, &path, Some((content, &body))).await {
                Ok(bytes) => break serde_json::from_slice(&bytes).map_err(Fault::Garbled),
                Err(fault) => fault,
            };
            tried += 1;
            let again = fault.is_throttled() || (fault.is_passing() && fault.proves_nothing_done());
            if !again || !self.paused(cx, tried, &fault).await {
                break Err(fault);
            }
        };
        self.told(&what, result)
    }

    /// Opens a stream of what happens at a place.
    pub(crate) async fn open(&self, cx: &Cx, path: &str) -> Result<Response<Body>, Fault> {
        self.sent(cx, &Method::GET, path, None).await
    }

    /// Whether something takes connections where the server should be: what takes them and does not answer is alive.
    pub(crate) async fn takes_connections(&self, within: Duration) -> bool {
        let door = self.client.lock().await.as_ref().map(|(_, Made(_, door))| door.clone());
        let Some(door) = door else { return false };
        let connect = tokio::net::TcpStream::connect((door.host.as_str(), door.port));
        matches!(tokio::time::timeout(within, connect).await, Ok(Ok(_)))
    }

    /// An error of this side.
    pub(crate) fn tell(&self, what: &str, fault: Fault) -> Error {
        Error::from(fault).during(what).on(self.side.as_str())
    }

    fn told<T>(&self, what: &str, result: Result<T, Fault>) -> Result<T> {
        result.map_err(|fault| self.tell(what, fault))
    }

    async fn read<T: DeserializeOwned>(&self, cx: &Cx, path: &str) -> Result<T, Fault> {
        let mut tried = 0;
        loop {
            let asked = Instant::now();
            let fault = match self.once(cx, &Method::GET, path, None).await {
                Ok(bytes) => match serde_json::from_slice(&bytes) {
                    Ok(value) => return Ok(value),
                    Err(error) => return Err(garbled(200, &bytes, error, &self.redactor)),
                },
                Err(fault) => fault,
            };
            tried += 1;
            // A server that was silent for as long as a connection may take has been waited for: a lost region must not
            // cost a look at all sides that time again and again.
            let waited = asked.elapsed() >= self.limits.connect && !fault.is_throttled();
            if waited || !fault.is_passing() || !self.paused(cx, tried, &fault).await {
                return Err(fault);
            }
        }
    }

    /// Waits before the next try; `false` if there is no time for one. Throttling is waited out as long as there is.
    async fn paused(&self, cx: &Cx, tried: u32, fault: &Fault) -> bool {
        if tried >= TRIES && !fault.is_throttled() {
            return false;
        }
        let pause = PAUSE * 2_u32.pow(tried.min(6) - 1);
        let pause = pause.max(fault.after().unwrap_or_default());
        if pause >= cx.left() {
            return false;
        }
        tokio::select! {
            biased;
            () = cx.cancel.cancelled() => false,
            () = tokio::time::sleep(pause) => true,
        }
    }

    async fn once(
        &self,
        cx: &Cx,
        method: &Method,
        path: &str,
        body: Option<(&str, &[u8])>,
    ) -> Result<bytes::Bytes, Fault> {
        let began = Instant::now();
        let until = cx.deadline.min(began + self.limits.request);
        let whole = async {
            let answer = self.sent(cx, method, path, body).await?;
            let collected = answer.into_body().collect().await;
            collected.map(|body| body.to_bytes()).map_err(|error| unreachable(error.into()))
        };
        tokio::select! {
            biased;
            () = cx.cancel.cancelled() => Err(Fault::Stopped),
            result = tokio::time::timeout_at(until, whole) => {
                result.unwrap_or_else(|_| Err(Fault::Silent(began.elapsed())))
            }
        }
    }

    /// Sends one request; an answer that is no success is a fault. Credentials that are not accepted are made anew, once.
    async fn sent(
        &self,
        cx: &Cx,
        method: &Method,
        path: &str,
        body: Option<(&str, &[u8])>,
    ) -> Result<Response<Body>, Fault> {
        let mut stale = None;
        loop {
            let (made, client) = self.client(stale).await?;
            let until = cx.deadline.min(Instant::now() + self.limits.request);
            let asked = Instant::now();
            let answer = tokio::time::timeout_at(until, client.send(request(method, path, body)?)).await;
            let answer = answer.map_err(|_| Fault::Silent(asked.elapsed()))?.map_err(refused)?;
            if answer.status().is_success() {
                return Ok(answer);
            }
            let fault = tokio::time::timeout_at(until, not_a_success(answer, &self.redactor)).await;
            let fault = fault.unwrap_or_else(|_| Fault::Silent(asked.elapsed()));
            if fault.is_unauthenticated() && stale.is_none() {
                stale = Some(made);
                continue;
            }
            return Err(fault);
        }
    }

    /// The client, made anew if it is the stale one or its certificate has expired.
    async fn client(&self, stale: Option<u64>) -> Result<(u64, Client), Fault> {
        let mut held = self.client.lock().await;
        let next = match &*held {
            Some((made, Made(client, _))) if stale != Some(*made) && !is_over(client) => {
                return Ok((*made, client.clone()));
            }
            Some((made, _)) => made + 1,
            None => 0,
        };
        let (client, door) = self.access.client(&self.limits, &self.redactor).await?;
        *held = Some((next, Made(client.clone(), door)));
        Ok((next, client))
    }
}

fn is_over(client: &Client) -> bool {
    let until = client.valid_until().as_ref().map(|until| until.as_microsecond());
    until.is_some_and(|until| until <= dr_core::Timestamp::system().as_micros())
}

fn request(method: &Method, path: &str, body: Option<(&str, &[u8])>) -> Result<Request<Body>, Fault> {
    let mut request = Request::builder()
        .method(method.clone())
        .uri(path)
        .header(header::ACCEPT, "application/json")
        .header(header::USER_AGENT, concat!("dr/", env!("CARGO_PKG_VERSION")));
    if let Some((content, _)) = body {
        request = request.header(header::CONTENT_TYPE, content);
    }
    let body = body.map_or_else(Body::empty, |(_, bytes)| Body::from(bytes.to_vec()));
    request.body(body).map_err(|error| Fault::Access(format!("`{path}` makes no address: {error}")))
}

/// What a call that got no answer means.
fn refused(error: kube::Error) -> Fault {
    match error {
        kube::Error::Service(cause) => unreachable(cause),
        kube::Error::HyperError(error) => unreachable(Box::new(error)),
        kube::Error::Auth(error) => Fault::Credentials(login::why(&error)),
        error => Fault::Access(chain(&error)),
    }
}

fn unreachable(cause: Box<dyn std::error::Error + Send + Sync>) -> Fault {
    let mut connecting = false;
    let mut kind = None;
    let mut untrusted = false;
    let mut credentials = None;
    let mut next: Option<&(dyn std::error::Error + 'static)> = Some(cause.as_ref());
    while let Some(error) = next {
        if let Some(error) = error.downcast_ref::<hyper_util::client::legacy::Error>() {
            connecting |= error.is_connect();
        }
        if let Some(error) = error.downcast_ref::<std::io::Error>() {
            kind = Some(error.kind());
        }
        if let Some(error) = error.downcast_ref::<kube::client::AuthError>() {
            credentials = Some(login::why(error));
        }
        untrusted |= error.to_string().contains("invalid peer certificate");
        next = error.source();
    }
    if let Some(text) = credentials {
        return Fault::Credentials(text);
    }
    if untrusted {
        return Fault::Untrusted(cause);
    }
    match (connecting, kind) {
        (true, Some(std::io::ErrorKind::ConnectionRefused)) => Fault::Closed(cause),
        (true, _) => Fault::NoWay(cause),
        (false, _) => Fault::Broken(cause),
    }
}

async fn not_a_success(answer: Response<Body>, redactor: &Redactor) -> Fault {
    let code = answer.status().as_u16();
    let after = answer
        .headers()
        .get(header::RETRY_AFTER)
        .and_then(|value| value.to_str().ok())
        .and_then(|text| text.trim().parse().ok())
        .map(Duration::from_secs);
    let bytes = match answer.into_body().collect().await {
        Ok(body) => body.to_bytes(),
        Err(error) => return unreachable(error.into()),
    };
    match serde_json::from_slice::<Status>(&bytes) {
        Ok(status) if status.kind == "Status" => {
            let details = status.details.and_then(|details| details.retry_after_seconds);
            let after = after.or(details.filter(|seconds| *seconds > 0).map(Duration::from_secs));
            Fault::Said { code, reason: status.reason, message: login::unsigned(&status.message), after }
        }
        Ok(_) | Err(_) => Fault::Foreign { code, text: beginning(&bytes, redactor), after },
    }
}

fn garbled(code: u16, bytes: &[u8], error: serde_json::Error, redactor: &Redactor) -> Fault {
    let is_json = bytes.iter().find(|byte| !byte.is_ascii_whitespace()).is_some_and(|byte| *byte == b'{');
    if is_json {
        Fault::Garbled(error)
    } else {
        Fault::Foreign { code, text: beginning(bytes, redactor), after: None }
    }
}

/// The first words, on one line. Masked before they are cut: half a token is known to nobody, and half is too much.
fn beginning(bytes: &[u8], redactor: &Redactor) -> String {
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(16_384)]);
    let text = login::unsigned(&redactor.redact(&text));
    let line: Vec<&str> = text.split_whitespace().collect();
    let line: String = line.join(" ").chars().filter(|c| !c.is_control()).take(120).collect();
    if line.is_empty() { "nothing".to_owned() } else { format!("`{line}`") }
}

/// As it stands in a query.
pub(crate) fn encoded(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                char::from(byte).to_string()
            }
            _ => format!("%{byte:02X}"),
        })
        .collect()
}

/// What became of something that need not be understood.
#[derive(Debug, Deserialize)]
pub(crate) struct Whatever {}
