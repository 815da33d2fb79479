//! What the service answers.
//!
//! A write is answered with 200 only after its commit. `x-not-written: 1` beside a 503 is the word that it did not
//! happen: the database said no, or was not reached. A 503 without it means that nobody knows.

use std::time::Duration;

use dr_core::Side;
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use serde_json::{Value, json};
use tokio::time::timeout;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::ToSql;

use super::pool::Pool;

/// How long the database may take for one request.
const DATABASE: Duration = Duration::from_secs(2);

/// The service of one region.
pub(super) struct Service {
    side: Side,
    pool: Pool,
}

/// Why the database did not do it.
struct Failed {
    why: String,
    written: Written,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Written {
    No,
    Maybe,
}

type Reply = Response<Full<Bytes>>;

impl Service {
    pub(super) fn new(side: Side, pool: Pool) -> Self {
        Self { side, pool }
    }

    /// Answers one request.
    pub(super) async fn answer(&self, request: &Request<Incoming>) -> Reply {
        let path: Vec<&str> = request.uri().path().split('/').filter(|part| !part.is_empty()).collect();
        let by = self.side.as_str();
        match (request.method(), path.as_slice()) {
            (&Method::GET, ["ready"]) => self.reply(StatusCode::OK, json!({}), None),
            (&Method::GET, ["health"]) => self.health().await,
            (&Method::GET, ["orders"]) => self.count().await,
            (&Method::POST, ["orders"]) => self.write("insert into orders (by) values ($1)", &[&by]).await,
            (&Method::POST, ["touch"]) => self.write("insert into touches (by) values ($1)", &[&by]).await,
            (&Method::POST, ["ledger", book, row]) => match row.parse::<i64>() {
                Ok(row) => {
                    let sql = "insert into dr_ledger (book, row) values ($1, $2) on conflict do nothing";
                    self.write(sql, &[book, &row]).await
                }
                Err(_) => self.reply(
                    StatusCode::BAD_REQUEST,
                    json!({ "error": "the row is no number" }),
                    Some(Written::No),
                ),
            },
            _ => self.reply(StatusCode::NOT_FOUND, json!({ "error": "no such path" }), Some(Written::No)),
        }
    }

    async fn health(&self) -> Reply {
        let sql = "select not pg_is_in_recovery() and current_setting('transaction_read_only') = 'off'";
        match self.query(sql, &[]).await.and_then(|row| row.try_get::<_, bool>(0).map_err(Failed::of)) {
            Ok(writable) => {
                self.reply(StatusCode::OK, json!({ "database": "ok", "writable": writable }), None)
            }
            Err(failed) => self.reply(
                StatusCode::SERVICE_UNAVAILABLE,
                json!({ "database": failed.why, "writable": false }),
                None,
            ),
        }
    }

    async fn count(&self) -> Reply {
        let row = self.query("select count(*) from orders", &[]).await;
        match row.and_then(|row| row.try_get::<_, i64>(0).map_err(Failed::of)) {
            Ok(orders) => self.reply(StatusCode::OK, json!({ "orders": orders }), None),
            Err(failed) => self.reply(StatusCode::SERVICE_UNAVAILABLE, json!({ "error": failed.why }), None),
        }
    }

    async fn write(&self, sql: &str, values: &[&(dyn ToSql + Sync)]) -> Reply {
        match self.execute(sql, values).await {
            Ok(_) => self.reply(StatusCode::OK, json!({ "written": true }), None),
            Err(failed) => self.reply(
                StatusCode::SERVICE_UNAVAILABLE,
                json!({ "error": failed.why }),
                Some(failed.written),
            ),
        }
    }

    async fn query(&self, sql: &str, values: &[&(dyn ToSql + Sync)]) -> Result<tokio_postgres::Row, Failed> {
        let client = self.pool.session().await.map_err(Failed::before)?;
        match timeout(DATABASE, client.query_one(sql, values)).await {
            Ok(row) => row.map_err(Failed::of),
            Err(_) => {
                self.pool.discard(&client).await;
                Err(Failed::silence())
            }
        }
    }

    async fn execute(&self, sql: &str, values: &[&(dyn ToSql + Sync)]) -> Result<u64, Failed> {
        let client = self.pool.session().await.map_err(Failed::before)?;
        match timeout(DATABASE, client.execute(sql, values)).await {
            Ok(rows) => rows.map_err(Failed::of),
            Err(_) => {
                self.pool.discard(&client).await;
                Err(Failed::silence())
            }
        }
    }

    fn reply(&self, status: StatusCode, mut body: Value, written: Option<Written>) -> Reply {
        if let Some(fields) = body.as_object_mut() {
            fields.insert("region".to_owned(), Value::from(self.side.as_str()));
        }
        let mut reply = Response::new(Full::new(Bytes::from(body.to_string())));
        *reply.status_mut() = status;
        let headers = reply.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Ok(side) = HeaderValue::from_str(self.side.as_str()) {
            headers.insert("x-region", side);
        }
        if written == Some(Written::No) {
            headers.insert("x-not-written", HeaderValue::from_static("1"));
        }
        reply
    }
}

impl Failed {
    /// No session was to be had, so nothing was asked.
    fn before(error: dr_core::Error) -> Self {
        Self { why: error.chain(), written: Written::No }
    }

    fn silence() -> Self {
        Self { why: "the database does not answer".to_owned(), written: Written::Maybe }
    }

    /// A single statement that the server refuses is rolled back; but a server that is going down may have committed
    /// before it said so, and a broken connection says nothing.
    fn of(error: tokio_postgres::Error) -> Self {
        let refused = error.code().is_some_and(|code| !going_down(code));
        let why = error.as_db_error().map_or_else(|| error.to_string(), |error| error.message().to_owned());
        Self { why, written: if refused { Written::No } else { Written::Maybe } }
    }
}

/// Class 57 is an operator's intervention (shutdown, cancel), 58 a system error, 08 a broken connection.
fn going_down(code: &SqlState) -> bool {
    ["57", "58", "08", "XX"].iter().any(|class| code.code().starts_with(class))
}
