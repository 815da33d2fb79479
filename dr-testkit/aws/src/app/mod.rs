//! A small service in each region, so that an outage and lost writes can be measured where clients sit.
//!
//! It speaks what `dr-net`'s probes and ledger speak: `GET /health`, `POST /touch`, `POST /ledger/{book}/{row}`. A write
//! is answered with 200 only after its commit; `x-not-written: 1` beside a 503 is the word that it did not happen.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpStream;

use crate::rds::{Admission, SessionId, StoreKey, Wrote};
use crate::world::{Shared, World};

/// How long the service waits for a database that does not answer.
const PATIENCE: Duration = Duration::from_millis(500);

/// A region's service.
#[derive(Debug, Clone)]
pub(crate) struct App {
    /// What its `DATABASE_URL` says.
    pub(crate) database: StoreKey,
    /// How many processes of it run.
    pub(crate) replicas: u32,
    session: Option<(StoreKey, SessionId)>,
    touches: i64,
}

impl App {
    pub(crate) fn new(database: StoreKey) -> Self {
        Self { database, replicas: 1, session: None, touches: 0 }
    }
}

/// What the database says to the service.
enum Database {
    Session(StoreKey, SessionId),
    Silent,
    Refused,
}

/// Whether the service takes connections at all.
pub(crate) fn is_open(world: &World, region: &str) -> bool {
    let refused = matches!(world.lost.get(region), Some(crate::fault::Fault::Refused));
    !refused && world.apps.get(region).is_some_and(|app| app.replicas > 0)
}

/// Serves one caller.
pub(crate) async fn converse(shared: Arc<Shared>, region: String, stream: TcpStream) {
    // What fails here is one caller's connection; the caller sees it.
    let _ = stream.set_nodelay(true);
    let answer = service_fn(|request| {
        let (shared, region) = (Arc::clone(&shared), region.clone());
        async move { Ok::<_, Infallible>(answer(&shared, &region, &request).await) }
    });
    let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), answer).await;
}

async fn answer(shared: &Shared, region: &str, request: &Request<Incoming>) -> Response<Full<Bytes>> {
    if shared.with(|world| world.is_lost(region)) {
        // The region is a black hole: until the caller gives up.
        std::future::pending::<Infallible>().await;
    }
    let path: Vec<&str> = request.uri().path().split('/').filter(|part| !part.is_empty()).collect();
    match (request.method(), path.as_slice()) {
        (&Method::GET, ["ready"]) => reply(region, StatusCode::OK, json!({}), false),
        (&Method::GET, ["health"]) => health(shared, region).await,
        (&Method::POST, ["touch"]) => write(shared, region, None).await,
        (&Method::POST, ["ledger", book, row]) => match row.parse::<i64>() {
            Ok(row) => write(shared, region, Some((book, row))).await,
            Err(_) => {
                reply(region, StatusCode::BAD_REQUEST, json!({ "error": "the row is no number" }), true)
            }
        },
        _ => reply(region, StatusCode::NOT_FOUND, json!({ "error": "no such path" }), true),
    }
}

async fn health(shared: &Shared, region: &str) -> Response<Full<Bytes>> {
    match session(shared, region).await {
        Database::Session(key, _) => {
            let writable = shared.with(|world| world.is_writable(&key)).unwrap_or(false);
            reply(region, StatusCode::OK, json!({ "database": "ok", "writable": writable }), false)
        }
        Database::Silent => unavailable(region, "the database does not answer", false),
        Database::Refused => unavailable(region, "the database takes no connection", false),
    }
}

async fn write(shared: &Shared, region: &str, row: Option<(&str, i64)>) -> Response<Full<Bytes>> {
    let (key, session) = match session(shared, region).await {
        Database::Session(key, session) => (key, session),
        Database::Silent => return unavailable(region, "the database does not answer", true),
        Database::Refused => return unavailable(region, "the database takes no connection", true),
    };
    let wrote = shared.with(|world| match row {
        Some((book, row)) => world.write(&key, session, book, row),
        None => {
            let number = world.apps.get_mut(region).map_or(0, |app| {
                app.touches += 1;
                app.touches
            });
            world.write(&key, session, &format!("touches-{region}"), number)
        }
    });
    match wrote {
        Wrote::Committed => reply(region, StatusCode::OK, json!({ "written": true }), false),
        Wrote::ReadOnly => unavailable(region, "cannot execute INSERT in a read-only transaction", true),
        Wrote::Cut => unavailable(region, "the connection to the database is gone", true),
    }
}

/// The session that was open a moment ago, or a new one.
async fn session(shared: &Shared, region: &str) -> Database {
    let (found, patience) = shared.with(|world| {
        let Some(app) = world.apps.get(region).cloned() else { return (Database::Refused, None) };
        if let Some((key, session)) = &app.session
            && *key == app.database
            && world.is_open(key, *session)
        {
            return (Database::Session(key.clone(), *session), None);
        }
        match world.connect(&app.database) {
            Admission::Session(session) => {
                if let Some(kept) = world.apps.get_mut(region) {
                    kept.session = Some((app.database.clone(), session));
                }
                (Database::Session(app.database, session), None)
            }
            Admission::Silence => (Database::Silent, Some(PATIENCE)),
            Admission::Refused => (Database::Refused, None),
        }
    });
    if let Some(patience) = patience {
        tokio::time::sleep(patience).await;
    }
    found
}

fn unavailable(region: &str, why: &str, not_written: bool) -> Response<Full<Bytes>> {
    reply(region, StatusCode::SERVICE_UNAVAILABLE, json!({ "error": why, "writable": false }), not_written)
}

fn reply(region: &str, status: StatusCode, mut body: Value, not_written: bool) -> Response<Full<Bytes>> {
    if let Some(fields) = body.as_object_mut() {
        fields.insert("region".to_owned(), Value::from(region));
    }
    let mut reply = Response::new(Full::new(Bytes::from(body.to_string())));
    *reply.status_mut() = status;
    let headers = reply.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if let Ok(region) = HeaderValue::from_str(region) {
        headers.insert("x-region", region);
    }
    if not_written {
        headers.insert("x-not-written", HeaderValue::from_static("1"));
    }
    reply
}
