//! One session with one server: how it is opened, asked, and what its silence means.

use std::str::FromStr;
use std::time::Duration;

use dr_core::resource::Secret;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};
use tokio_postgres::tls::MakeTlsConnect;
use tokio_postgres::{Client, Config, NoTls, SimpleQueryMessage, SimpleQueryRow};

use crate::error::Trouble;
use crate::tls::Tls;

/// Where a server listens, and how long it may take to answer.
#[derive(Debug, Clone)]
pub(crate) struct Endpoint {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) tls: Tls,
    pub(crate) connect_timeout: Duration,
}

/// Who we are there.
#[derive(Debug, Clone)]
pub(crate) struct Login {
    pub(crate) user: String,
    pub(crate) password: Option<Secret>,
    pub(crate) database: String,
    /// Settings for the session: `-c name=value`.
    pub(crate) options: &'static str,
}

/// A session. Dropped, its connection ends at once.
pub(crate) struct Session {
    client: Client,
    driver: JoinHandle<()>,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.client.is_closed() { "Session(closed)" } else { "Session(open)" })
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

/// One row of an answer, columns by name.
#[derive(Debug)]
pub(crate) struct Row(SimpleQueryRow);

impl Endpoint {
    /// How long a command on its node may take before it counts as unanswered.
    pub(crate) fn patience(&self) -> Duration {
        (self.connect_timeout * 2).max(Duration::from_secs(2))
    }

    /// Opens a session.
    ///
    /// Silence before the connection stands is `Silent`; silence after it is `Hung`: something accepted it.
    pub(crate) async fn open(&self, login: &Login, deadline: Instant) -> Result<Session, Trouble> {
        let begun = Instant::now();
        let deadline = deadline.min(begun + self.connect_timeout);
        let connecting = TcpStream::connect((self.host.as_str(), self.port));
        let stream = match timeout_at(deadline, connecting).await {
            Err(_) => return Err(Trouble::Silent(begun.elapsed())),
            Ok(Err(error)) if error.kind() == std::io::ErrorKind::ConnectionRefused => {
                return Err(Trouble::Closed(error));
            }
            Ok(Err(error)) => return Err(Trouble::NoWay(error)),
            Ok(Ok(stream)) => stream,
        };
        let _ = stream.set_nodelay(true);
        let mut config = Config::new();
        config.user(&login.user).dbname(&login.database).application_name("dr").options(login.options);
        if let Some(password) = &login.password {
            config.password(password.expose());
        }
        match timeout_at(deadline, self.start(stream, &config)).await {
            Err(_) => Err(Trouble::Hung(begun.elapsed())),
            Ok(opened) => opened,
        }
    }

    async fn start(&self, stream: TcpStream, config: &Config) -> Result<Session, Trouble> {
        match self.tls.connector().cloned() {
            None => {
                let mut config = config.clone();
                config.ssl_mode(tokio_postgres::config::SslMode::Disable);
                let (client, connection) =
                    config.connect_raw(stream, NoTls).await.map_err(Trouble::opening)?;
                let driver = tokio::spawn(async move { drop(connection.await) });
                Ok(Session { client, driver })
            }
            Some(mut connector) => {
                let mut config = config.clone();
                config.ssl_mode(tokio_postgres::config::SslMode::Require);
                let Ok(tls) = MakeTlsConnect::<TcpStream>::make_tls_connect(&mut connector, &self.host);
                let (client, connection) = config.connect_raw(stream, tls).await.map_err(Trouble::opening)?;
                let driver = tokio::spawn(async move { drop(connection.await) });
                Ok(Session { client, driver })
            }
        }
    }
}

impl Session {
    /// Whether it is known to have ended.
    pub(crate) fn is_closed(&self) -> bool {
        self.client.is_closed()
    }

    /// Asks, in one round trip; several statements run in one transaction, and the rows of all are returned.
    pub(crate) async fn rows(&self, sql: &str, deadline: Instant) -> Result<Vec<Row>, Trouble> {
        let begun = Instant::now();
        match timeout_at(deadline, self.client.simple_query(sql)).await {
            Err(_) => Err(Trouble::Hung(begun.elapsed())),
            Ok(Err(error)) => Err(Trouble::asking(error)),
            Ok(Ok(messages)) => Ok(messages
                .into_iter()
                .filter_map(|message| match message {
                    SimpleQueryMessage::Row(row) => Some(Row(row)),
                    _ => None,
                })
                .collect()),
        }
    }

    /// Asks for exactly one row: the last one.
    pub(crate) async fn row(&self, sql: &str, deadline: Instant) -> Result<Row, Trouble> {
        let mut rows = self.rows(sql, deadline).await?;
        rows.pop().ok_or_else(|| Trouble::Nonsense("the server returned no row".to_owned()))
    }
}

impl Row {
    /// A column's text; `None` if it is null or not there.
    pub(crate) fn text(&self, column: &str) -> Option<&str> {
        self.0.try_get(column).ok().flatten()
    }

    /// A column's value; `None` also if it makes no sense.
    pub(crate) fn value<T: FromStr>(&self, column: &str) -> Option<T> {
        self.text(column)?.parse().ok()
    }

    /// A yes or no.
    pub(crate) fn flag(&self, column: &str) -> Option<bool> {
        match self.text(column)? {
            "t" | "true" | "on" => Some(true),
            "f" | "false" | "off" => Some(false),
            _ => None,
        }
    }
}

/// A string literal.
pub(crate) fn literal(text: &str) -> String {
    let quoted = text.replace('\'', "''");
    if quoted.contains('\\') {
        format!(" E'{}'", quoted.replace('\\', "\\\\"))
    } else {
        format!("'{quoted}'")
    }
}

/// A quoted name.
pub(crate) fn name(text: &str) -> String {
    format!("\"{}\"", text.replace('"', "\"\""))
}
