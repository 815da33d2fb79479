//! Callers who place orders through the name, and remember which were acknowledged: counted by somebody else than `dr`.

use std::io::{Read as _, Write as _};
use std::net::{IpAddr, SocketAddr, TcpStream, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use hickory_proto::op::{Message, Query};
use hickory_proto::rr::{Name, RData, RecordType};

const PATIENCE: Duration = Duration::from_secs(1);
const PAUSE: Duration = Duration::from_millis(25);

/// A steady load until it is dropped.
pub(crate) struct Callers {
    acknowledged: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Callers {
    pub(crate) fn begin(name: &str, port: u16, servers: Vec<SocketAddr>) -> Self {
        let (acknowledged, stop) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
        let (count, over, name) = (Arc::clone(&acknowledged), Arc::clone(&stop), name.to_owned());
        let thread = std::thread::spawn(move || {
            while !over.load(Ordering::Relaxed) {
                if order(&name, port, &servers).is_some() {
                    count.fetch_add(1, Ordering::Relaxed);
                }
                std::thread::sleep(PAUSE);
            }
        });
        Self { acknowledged, stop, thread: Some(thread) }
    }

    /// How many orders were acknowledged so far.
    pub(crate) fn acknowledged(&self) -> u64 {
        self.acknowledged.load(Ordering::Relaxed)
    }
}

impl Drop for Callers {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// One order; `None` unless it was acknowledged.
fn order(name: &str, port: u16, servers: &[SocketAddr]) -> Option<()> {
    let address = *servers.iter().find_map(|server| dig(*server, name))?.first()?;
    post(SocketAddr::new(address, port), name, "/orders")
}

/// One write there; `None` unless it was acknowledged.
pub(crate) fn post(address: SocketAddr, host: &str, path: &str) -> Option<()> {
    answer(address, host, path)?.starts_with(b"HTTP/1.1 200").then_some(())
}

/// What was heard in answer to one write there; `None` if there was nobody to send it to.
pub(crate) fn answer(address: SocketAddr, host: &str, path: &str) -> Option<Vec<u8>> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    let request =
        format!("POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    let mut answer = Vec::new();
    // What was read before an error is what was said.
    let _ = stream.write_all(request.as_bytes()).and_then(|()| stream.read_to_end(&mut answer));
    Some(answer)
}

/// What one name server answers for the name.
pub(crate) fn dig(server: SocketAddr, name: &str) -> Option<Vec<IpAddr>> {
    let mut name: Name = name.parse().ok()?;
    name.set_fqdn(true);
    let mut question = Message::query();
    question.add_query(Query::query(name, RecordType::A));
    let socket = UdpSocket::bind("127.0.0.1:0").ok()?;
    socket.set_read_timeout(Some(PATIENCE)).ok()?;
    socket.send_to(&question.to_vec().ok()?, server).ok()?;
    let mut buffer = [0; 4096];
    let until = Instant::now() + PATIENCE;
    while Instant::now() < until {
        let length = socket.recv(&mut buffer).ok()?;
        let Ok(answer) = Message::from_vec(&buffer[..length]) else { continue };
        let address = |record: &hickory_proto::rr::Record| match &record.data {
            RData::A(address) => Some(IpAddr::V4(address.0)),
            _ => None,
        };
        return Some(answer.answers.iter().filter_map(address).collect());
    }
    None
}
