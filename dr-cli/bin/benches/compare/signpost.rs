//! When the record has moved: the first moment at which every name server of the zone sends callers to the target.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::callers::dig;
use crate::world::NAME;

const LOOK: Duration = Duration::from_millis(20);

/// Somebody who looks until then.
pub(crate) struct Signpost {
    over: Arc<AtomicBool>,
    thread: JoinHandle<Option<Instant>>,
}

impl Signpost {
    pub(crate) fn watch(servers: Vec<SocketAddr>, target: IpAddr) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let enough = Arc::clone(&over);
        let thread = std::thread::spawn(move || {
            while !enough.load(Ordering::Relaxed) {
                if servers.iter().all(|server| dig(*server, NAME).is_some_and(|all| all == [target])) {
                    return Some(Instant::now());
                }
                std::thread::sleep(LOOK);
            }
            None
        });
        Self { over, thread }
    }

    pub(crate) fn turned(self) -> Instant {
        self.over.store(true, Ordering::Relaxed);
        self.thread.join().unwrap().expect("a record that was changed")
    }
}
