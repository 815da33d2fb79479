//! Callers who place numbered orders through the name, and remember which were acknowledged: counted by somebody else than
//! `dr`.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::callers::{dig, post};

/// The book that they order from.
pub(crate) const BOOK: &str = "callers";
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
    post(SocketAddr::new(address, port), name, &format!("/ledger/{BOOK}/{row}"))
}
