//! A scripted name server: says what a test tells it, as late as the test wants.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hickory_proto::op::{Message, OpCode, ResponseCode};
use hickory_proto::rr::rdata::{A, SOA};
use hickory_proto::rr::{Name, RData, Record, RecordType};
use tokio::net::UdpSocket;
use tokio::task::JoinHandle;

type Zone = BTreeMap<String, (IpAddr, u32)>;

pub struct Nameserver {
    pub address: SocketAddr,
    zone: Arc<Mutex<Zone>>,
    asked: Arc<AtomicUsize>,
    delay: Arc<AtomicU64>,
    code: Arc<Mutex<ResponseCode>>,
    update_code: Arc<Mutex<ResponseCode>>,
    task: JoinHandle<()>,
}

impl Nameserver {
    pub async fn start() -> Self {
        Self::with_authority(true).await
    }

    pub async fn with_authority(authoritative: bool) -> Self {
        let socket = Arc::new(UdpSocket::bind("127.0.0.1:0").await.unwrap());
        let address = socket.local_addr().unwrap();
        let zone: Arc<Mutex<Zone>> = Arc::default();
        let asked = Arc::new(AtomicUsize::new(0));
        let delay = Arc::new(AtomicU64::new(0));
        let code = Arc::new(Mutex::new(ResponseCode::NoError));
        let update_code = Arc::new(Mutex::new(ResponseCode::NoError));
        let (zone_, asked_, delay_, code_) = (zone.clone(), asked.clone(), delay.clone(), code.clone());
        let update_code_ = update_code.clone();
        let task = tokio::spawn(async move {
            let mut buffer = vec![0; 4096];
            while let Ok((length, from)) = socket.recv_from(&mut buffer).await {
                let Ok(asked) = Message::from_vec(&buffer[..length]) else { continue };
                if asked.queries.iter().any(|query| query.query_type() == RecordType::A) {
                    asked_.fetch_add(1, Ordering::SeqCst);
                }
                let code = match asked.metadata.op_code {
                    OpCode::Update => *update_code_.lock().unwrap(),
                    _ => *code_.lock().unwrap(),
                };
                let answer = answer(&asked, &zone_.lock().unwrap(), code, authoritative);
                let (socket, delay) = (socket.clone(), Duration::from_millis(delay_.load(Ordering::SeqCst)));
                tokio::spawn(async move {
                    tokio::time::sleep(delay).await;
                    let _ = socket.send_to(&answer.to_vec().unwrap(), from).await;
                });
            }
        });
        Self { address, zone, asked, delay, code, update_code, task }
    }

    pub fn says(&self, name: &str, address: IpAddr, ttl: u32) {
        self.zone.lock().unwrap().insert(name.to_owned(), (address, ttl));
    }

    pub fn forgets(&self, name: &str) {
        self.zone.lock().unwrap().remove(name);
    }

    pub fn delays(&self, by: Duration) {
        self.delay.store(u64::try_from(by.as_millis()).unwrap(), Ordering::SeqCst);
    }

    pub fn answers(&self, code: ResponseCode) {
        *self.code.lock().unwrap() = code;
    }

    /// What it says, unsigned, to every update, of which it does nothing.
    pub fn answers_updates(&self, code: ResponseCode) {
        *self.update_code.lock().unwrap() = code;
    }

    /// How often it was asked for an address.
    pub fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

impl Drop for Nameserver {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn answer(asked: &Message, zone: &Zone, code: ResponseCode, authoritative: bool) -> Message {
    let mut answer = Message::response(asked.metadata.id, asked.metadata.op_code);
    answer.metadata.authoritative = authoritative;
    answer.metadata.response_code = code;
    let Some(query) = asked.queries.first() else { return answer };
    answer.add_query(query.clone());
    if asked.metadata.op_code == OpCode::Update {
        return answer;
    }
    let name = query.name().to_lowercase().to_string();
    match zone.get(name.trim_end_matches('.')) {
        Some((IpAddr::V4(address), ttl)) if query.query_type() == RecordType::A => {
            answer.add_answer(Record::from_rdata(query.name().clone(), *ttl, RData::A(A(*address))));
        }
        found => {
            if found.is_none() && code == ResponseCode::NoError {
                answer.metadata.response_code = ResponseCode::NXDomain;
            }
            let root = Name::root();
            let soa = SOA::new(root.clone(), root.clone(), 1, 60, 60, 60, 1);
            answer.add_authority(Record::from_rdata(root, 60, RData::SOA(soa)));
        }
    }
    answer
}
