//! A scripted HTTP service: it does what services do on a bad day.

use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

#[derive(Debug, Clone)]
pub enum Does {
    /// Answers with a status, headers (each ends with CRLF) and a body.
    Answer(u16, String, String),
    /// The same, later.
    Late(Duration, Box<Does>),
    /// Takes the request and never answers.
    BlackHole,
    /// Sends these bytes and breaks the connection with a reset.
    Breaks(&'static str),
    /// Answers for ever.
    Endless,
    /// Answers and closes, as a keep-alive limit does.
    Once(Box<Does>),
}

impl Does {
    pub fn good(region: &str) -> Self {
        Self::Answer(200, format!("x-region: {region}\r\n"), format!("{{\"region\":\"{region}\"}}"))
    }

    pub fn status(status: u16) -> Self {
        Self::Answer(status, String::new(), String::new())
    }

    pub fn late(self, by: Duration) -> Self {
        Self::Late(by, Box::new(self))
    }

    pub fn once(self) -> Self {
        Self::Once(Box::new(self))
    }
}

pub struct Service {
    pub address: SocketAddr,
    does: Arc<Mutex<Does>>,
    connections: Arc<AtomicUsize>,
    requests: Arc<Mutex<Vec<String>>>,
    task: Option<JoinHandle<()>>,
}

impl Service {
    pub async fn start(does: Does) -> Self {
        Self::at("127.0.0.1:0".parse().unwrap(), does).await
    }

    pub async fn at(address: SocketAddr, does: Does) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let does = Arc::new(Mutex::new(does));
        let connections = Arc::new(AtomicUsize::new(0));
        let requests: Arc<Mutex<Vec<String>>> = Arc::default();
        let (does_, connections_, requests_) = (does.clone(), connections.clone(), requests.clone());
        let task = tokio::spawn(async move {
            // Dropped with the task: every connection then breaks.
            let mut open = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                connections_.fetch_add(1, Ordering::SeqCst);
                open.spawn(serve(stream, does_.clone(), requests_.clone()));
            }
        });
        Self { address, does, connections, requests, task: Some(task) }
    }

    /// Two services on one port, as two regions have.
    pub async fn pair(one: Does, two: Does) -> (Self, Self) {
        loop {
            let first = Self::at("127.0.11.1:0".parse().unwrap(), one.clone()).await;
            let other: SocketAddr = (IpAddr::from([127, 0, 12, 1]), first.address.port()).into();
            if std::net::TcpListener::bind(other).is_ok() {
                return (first, Self::at(other, two).await);
            }
        }
    }

    pub fn does(&self, does: Does) {
        *self.does.lock().unwrap() = does;
    }

    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    pub fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }

    /// Nobody listens any more and every connection is broken.
    pub async fn dies(&mut self) {
        if let Some(task) = self.task.take() {
            task.abort();
            let _ = task.await;
        }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

async fn serve(mut stream: TcpStream, does: Arc<Mutex<Does>>, requests: Arc<Mutex<Vec<String>>>) {
    let mut heard = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        while !heard.windows(4).any(|four| four == b"\r\n\r\n") {
            match stream.read(&mut buffer).await {
                Ok(0) | Err(_) => return,
                Ok(length) => heard.extend_from_slice(&buffer[..length]),
            }
        }
        requests.lock().unwrap().push(String::from_utf8_lossy(&heard).into_owned());
        heard.clear();
        let now = does.lock().unwrap().clone();
        if !perform(&mut stream, now).await {
            return;
        }
    }
}

/// Whether the connection goes on.
async fn perform(stream: &mut TcpStream, does: Does) -> bool {
    match does {
        Does::Answer(status, headers, body) => {
            let answer =
                format!("HTTP/1.1 {status} X\r\n{headers}content-length: {}\r\n\r\n{body}", body.len());
            stream.write_all(answer.as_bytes()).await.is_ok()
        }
        Does::Late(by, then) => {
            tokio::time::sleep(by).await;
            Box::pin(perform(stream, *then)).await
        }
        Does::BlackHole => std::future::pending().await,
        Does::Breaks(bytes) => {
            let _ = stream.write_all(bytes.as_bytes()).await;
            let _ = stream.set_zero_linger();
            false
        }
        Does::Endless => {
            let _ = stream.write_all(b"HTTP/1.1 200 X\r\ntransfer-encoding: chunked\r\n\r\n").await;
            while stream.write_all(b"4\r\nwell\r\n").await.is_ok() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            false
        }
        Does::Once(then) => {
            Box::pin(perform(stream, *then)).await;
            false
        }
    }
}
