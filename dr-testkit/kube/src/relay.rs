//! A TCP relay in front of a server: the network's weather.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::thread::JoinHandle;
use std::time::Duration;

use dr_core::Result;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, sleep_until};

use crate::error::KubeFault;
use crate::own;

/// What happens to bytes on their way. A change holds for open connections too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Passage {
    /// They pass.
    Open,
    /// Answers come that much later, in their order and at full width. A handshake is an answer too.
    Slow(Duration),
    /// Connections are accepted, and nothing passes in either direction. What was held passes when it ends.
    BlackHole,
}

/// A relay on a loopback port of its own, working on its own thread until it is dropped.
#[derive(Debug)]
pub struct Relay {
    address: SocketAddr,
    passage: watch::Sender<Passage>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Relay {
    /// A relay before `to`, open.
    pub fn start(to: SocketAddr) -> Result<Self> {
        let listen = || -> io::Result<_> {
            let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
            listener.set_nonblocking(true)?;
            Ok((listener.local_addr()?, listener))
        };
        let (address, listener) = listen().map_err(KubeFault::io("open a relay"))?;
        let (passage, seen) = watch::channel(Passage::Open);
        let (stop, stopped) = oneshot::channel();
        let thread = own::spawn("relay", move || async move {
            tokio::select! {
                biased;
                _ = stopped => {}
                () = serve(listener, to, seen) => {}
            }
        })?;
        Ok(Self { address, passage, stop: Some(stop), thread: Some(thread) })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Changes the weather.
    pub fn set(&self, passage: Passage) {
        self.passage.send_replace(passage);
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // What it panicked of, it has said.
            let _ = thread.join();
        }
    }
}

async fn serve(listener: std::net::TcpListener, to: SocketAddr, passage: watch::Receiver<Passage>) {
    let Ok(listener) = TcpListener::from_std(listener) else { return };
    while let Ok((caller, _)) = listener.accept().await {
        let passage = passage.clone();
        tokio::spawn(async move {
            // A server that is not there: the caller's connection ends, as it does behind any balancer.
            let Ok(server) = TcpStream::connect(to).await else { return };
            for side in [&caller, &server] {
                let _ = side.set_nodelay(true);
            }
            let (from_caller, to_caller) = caller.into_split();
            let (from_server, to_server) = server.into_split();
            tokio::join!(
                carry(from_caller, to_server, passage.clone(), false),
                carry(from_server, to_caller, passage, true),
            );
        });
    }
}

/// Carries one direction to its end.
async fn carry(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    passage: watch::Receiver<Passage>,
    delayed: bool,
) {
    let (queue, mut queued) = mpsc::channel::<(Instant, Vec<u8>)>(64);
    let mut reading = passage.clone();
    let mut writing = passage;
    let read = async move {
        let mut buffer = vec![0; 64 * 1024];
        loop {
            passes(&mut reading).await;
            let Ok(length @ 1..) = from.read(&mut buffer).await else { return };
            let due = match *reading.borrow() {
                Passage::Slow(delay) if delayed => Instant::now() + delay,
                Passage::Slow(_) | Passage::Open | Passage::BlackHole => Instant::now(),
            };
            if queue.send((due, buffer[..length].to_vec())).await.is_err() {
                return;
            }
        }
    };
    let write = async move {
        while let Some((due, bytes)) = queued.recv().await {
            sleep_until(due).await;
            passes(&mut writing).await;
            if to.write_all(&bytes).await.is_err() {
                return;
            }
        }
        let _ = to.shutdown().await;
    };
    tokio::join!(read, write);
}

/// Returns while bytes may pass; a relay that is gone keeps nobody.
async fn passes(passage: &mut watch::Receiver<Passage>) {
    let _ = passage.wait_for(|passage| *passage != Passage::BlackHole).await;
}
