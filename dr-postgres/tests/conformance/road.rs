//! A road to a server on which packets can vanish: what is under way stands still, and nobody gets a connection.

use std::net::TcpStream as Plain;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

#[derive(Debug)]
pub(crate) struct Road {
    pub(crate) port: u16,
    silent: watch::Sender<bool>,
    /// Connections that fill the listener's queue: the kernel drops what comes after them.
    queue: Mutex<Vec<Plain>>,
    task: JoinHandle<()>,
}

impl Road {
    /// A road from a port of its own to a server's.
    pub(crate) fn to(server: u16) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(([127, 0, 0, 1], 0).into()).unwrap();
        let listener = socket.listen(1).unwrap();
        let port = listener.local_addr().unwrap().port();
        let (silent, mut heard) = watch::channel(false);
        let gate = silent.subscribe();
        let task = tokio::spawn(async move {
            while heard.wait_for(|silent| !silent).await.is_ok() {
                tokio::select! {
                    biased;
                    _ = heard.changed() => {}
                    accepted = listener.accept() => {
                        if let Ok((caller, _)) = accepted {
                            tokio::spawn(carry(caller, server, gate.clone()));
                        }
                    }
                }
            }
        });
        Self { port, silent, queue: Mutex::default(), task }
    }

    /// Nothing passes any more.
    pub(crate) fn silence(&self) {
        self.silent.send_replace(true);
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        let address = ([127, 0, 0, 1], self.port).into();
        while let Ok(stream) = Plain::connect_timeout(&address, Duration::from_millis(200)) {
            queue.push(stream);
        }
    }

    /// Everything passes again.
    pub(crate) fn heal(&self) {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner).clear();
        self.silent.send_replace(false);
    }
}

impl Drop for Road {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn carry(caller: TcpStream, server: u16, mut gate: watch::Receiver<bool>) {
    if gate.wait_for(|silent| !silent).await.is_err() {
        return;
    }
    let Ok(server) = TcpStream::connect(("127.0.0.1", server)).await else {
        // A reset, as from a host on which nothing listens.
        let _ = caller.set_zero_linger();
        return;
    };
    let (_, _) = (caller.set_nodelay(true), server.set_nodelay(true));
    let ((from_caller, to_caller), (from_server, to_server)) = (caller.into_split(), server.into_split());
    tokio::join!(one_way(from_caller, to_server, gate.clone()), one_way(from_server, to_caller, gate));
}

async fn one_way(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut gate: watch::Receiver<bool>) {
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let read = from.read(&mut buffer).await.unwrap_or(0);
        if gate.wait_for(|silent| !silent).await.is_err() {
            return;
        }
        if read == 0 || to.write_all(&buffer[..read]).await.is_err() {
            let _ = to.shutdown().await;
            return;
        }
    }
}
