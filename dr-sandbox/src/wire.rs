//! Connections that leave from an address of their choice, so that a partition by address means what it says.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use dr_core::{Error, ErrorKind, Result};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;
use tokio_postgres::{Client, Config, NoTls};

use crate::fault;

/// How long a connection may take to be made.
pub(crate) const CONNECT: Duration = Duration::from_secs(1);

/// Connects, from an address if one is given.
pub(crate) async fn connect(to: SocketAddr, from: Option<IpAddr>, within: Duration) -> io::Result<TcpStream> {
    let socket = if to.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    if let Some(from) = from {
        socket.bind(SocketAddr::new(from, 0))?;
    }
    let stream = timeout(within, socket.connect(to))
        .await
        .map_err(|_| io::Error::new(io::ErrorKind::TimedOut, format!("{to} does not answer")))??;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// How to reach a database.
#[derive(Debug, Clone)]
pub(crate) struct Database {
    address: SocketAddr,
    from: Option<IpAddr>,
    config: Config,
}

impl Database {
    pub(crate) fn new(
        address: SocketAddr,
        from: Option<IpAddr>,
        user: &str,
        password: &str,
        database: &str,
    ) -> Self {
        let mut config = Config::new();
        config.user(user).password(password).dbname(database).application_name("sandbox");
        Self { address, from, config }
    }

    /// A new session.
    pub(crate) async fn connect(&self) -> Result<Client> {
        let doing = || format!("connect to {}", self.address);
        let stream = connect(self.address, self.from, CONNECT).await.map_err(fault::io(doing()))?;
        let (client, connection) = timeout(CONNECT, self.config.connect_raw(stream, NoTls))
            .await
            .map_err(|_| Error::new(ErrorKind::Hung, "it accepts and does not answer").during(doing()))?
            .map_err(|error| {
                Error::new(ErrorKind::Unreachable, "no session").during(doing()).because(error)
            })?;
        // It ends with the client.
        tokio::spawn(connection);
        Ok(client)
    }
}
