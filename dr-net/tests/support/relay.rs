//! A road to a name server that can lose things: UDP only, no TCP.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use hickory_proto::op::{Message, OpCode};
use tokio::net::{TcpListener, UdpSocket};
use tokio::task::JoinHandle;

pub struct Relay {
    pub address: SocketAddr,
    lose_answers: Arc<AtomicUsize>,
    lose_all: Arc<AtomicUsize>,
    updates: Arc<AtomicUsize>,
    task: JoinHandle<()>,
    tcp: Option<JoinHandle<()>>,
}

impl Relay {
    pub async fn to(server: SocketAddr) -> Self {
        let socket = Arc::new(UdpSocket::bind(super::free_address()).await.unwrap());
        let address = socket.local_addr().unwrap();
        let (lose_answers, lose_all, updates) =
            (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let (answers_, all_, updates_) = (lose_answers.clone(), lose_all.clone(), updates.clone());
        let task = tokio::spawn(async move {
            let mut buffer = vec![0; 65535];
            while let Ok((length, from)) = socket.recv_from(&mut buffer).await {
                let asked = buffer[..length].to_vec();
                let update =
                    Message::from_vec(&asked).is_ok_and(|asked| asked.metadata.op_code == OpCode::Update);
                if update {
                    updates_.fetch_add(1, Ordering::SeqCst);
                }
                if all_.load(Ordering::SeqCst) > 0 {
                    continue;
                }
                let lost = update && spend(&answers_);
                let back = socket.clone();
                tokio::spawn(async move {
                    let upstream = UdpSocket::bind("127.0.0.1:0").await.unwrap();
                    upstream.connect(server).await.unwrap();
                    upstream.send(&asked).await.unwrap();
                    let mut answer = vec![0; 65535];
                    if let Ok(length) = upstream.recv(&mut answer).await
                        && !lost
                    {
                        let _ = back.send_to(&answer[..length], from).await;
                    }
                });
            }
        });
        Self { address, lose_answers, lose_all, updates, task, tcp: None }
    }

    /// The answers to the next updates are lost; the updates arrive.
    pub fn lose_answers_to_updates(&self, count: usize) {
        self.lose_answers.store(count, Ordering::SeqCst);
    }

    /// Nothing passes any more.
    pub fn black_hole(&self) {
        self.lose_all.store(1, Ordering::SeqCst);
    }

    /// Everything passes again.
    pub fn heal(&self) {
        self.lose_all.store(0, Ordering::SeqCst);
    }

    /// How many updates came this way.
    pub fn updates(&self) -> usize {
        self.updates.load(Ordering::SeqCst)
    }

    /// TCP connections are taken and never served.
    pub async fn and_hang_on_tcp(mut self) -> Self {
        let listener = TcpListener::bind(self.address).await.unwrap();
        self.tcp = Some(tokio::spawn(async move {
            let mut held = Vec::new();
            while let Ok(taken) = listener.accept().await {
                held.push(taken);
            }
        }));
        self
    }
}

fn spend(count: &AtomicUsize) -> bool {
    count.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok()
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.task.abort();
        if let Some(tcp) = &self.tcp {
            tcp.abort();
        }
    }
}
