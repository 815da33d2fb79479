//! Callers who place orders through the name, and remember which were acknowledged: counted by somebody else than `dr`.

use std::io::{Read as _, Write as _};
use std::net::{IpAddr, SocketAddr, TcpStream, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use hickory_proto::op::{Message, Query};
use hickory_proto::rr::{Name, RData, RecordType};

/// The book that they order from.
pub(crate) const BOOK: &str = "callers";
const PATIENCE: Duration = Duration::from_secs(1);
const PAUSE: Duration = Duration::from_millis(20);

/// A steady load until it is dropped.
pub(crate) struct Callers {
    acknowledged: Arc<Mutex<Vec<i64>>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Callers {
    pub(crate) fn begin(name: &str, port: u16, servers: Vec<SocketAddr>) -> Self {
        let (acknowledged, stop) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicBool::new(false)));
        let (list, over, name) = (Arc::clone(&acknowledged), Arc::clone(&stop), name.to_owned());
        let thread = std::thread::spawn(move || {
            for row in 1.. {
                if over.load(Ordering::Relaxed) {
                    break;
                }
                if order(&name, port, &servers, row).is_some() {
                    list.lock().unwrap().push(row);
                }
                std::thread::sleep(PAUSE);
            }
        });
        Self { acknowledged, stop, thread: Some(thread) }
    }

    /// The orders that were acknowledged so far.
    pub(crate) fn acknowledged(&self) -> Vec<i64> {
        self.acknowledged.lock().unwrap().clone()
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
fn order(name: &str, port: u16, servers: &[SocketAddr], row: i64) -> Option<()> {
    let address = *servers.iter().find_map(|server| dig(*server, name))?.first()?;
    let mut stream = TcpStream::connect_timeout(&SocketAddr::new(address, port), PATIENCE).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    let request = format!(
        "POST /ledger/{BOOK}/{row} HTTP/1.1\r\nHost: {name}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = Vec::new();
    // What was read before an error is what was said.
    let _ = stream.read_to_end(&mut answer);
    answer.starts_with(b"HTTP/1.1 200").then_some(())
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
