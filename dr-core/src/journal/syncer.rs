//! The one thread of this crate: it makes a file durable while the engine goes on.

use std::fs::File;
use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

/// How long a lazy write may wait for its sync.
const LAZY: Duration = Duration::from_millis(100);

/// Syncs one file, now or soon. Once a sync failed, every later one fails: the kernel reports a lost page only once,
/// and a second try that succeeds says nothing about the first.
#[derive(Debug)]
pub(super) struct Syncer {
    asks: Option<Sender<Ask>>,
    failed: Arc<OnceLock<String>>,
    thread: Option<JoinHandle<()>>,
}

enum Ask {
    Soon,
    Now(oneshot::Sender<io::Result<()>>),
}

impl Syncer {
    /// Begins to serve `file`.
    pub(super) fn start(file: File) -> io::Result<Self> {
        let (asks, served) = channel();
        let failed = Arc::new(OnceLock::new());
        let shared = Arc::clone(&failed);
        let thread = std::thread::Builder::new()
            .name("journal".to_owned())
            .spawn(move || serve(&file, &served, &shared))?;
        Ok(Self { asks: Some(asks), failed, thread: Some(thread) })
    }

    /// Why a sync failed, if one did.
    pub(super) fn failure(&self) -> Option<io::Error> {
        self.failed.get().map(|why| io::Error::other(why.clone()))
    }

    /// Asks for a sync within 100 ms.
    pub(super) fn soon(&self) -> io::Result<()> {
        self.ask(Ask::Soon)
    }

    /// Returns when everything written so far is durable.
    pub(super) async fn now(&self) -> io::Result<()> {
        let (reply, replied) = oneshot::channel();
        self.ask(Ask::Now(reply))?;
        replied.await.unwrap_or_else(|_| Err(gone()))
    }

    fn ask(&self, ask: Ask) -> io::Result<()> {
        match self.failure() {
            Some(error) => Err(error),
            None => self.asks.as_ref().ok_or_else(gone)?.send(ask).map_err(|_| gone()),
        }
    }
}

impl Drop for Syncer {
    /// The thread ends with its owner, after a last sync if one was due.
    fn drop(&mut self) {
        self.asks = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn gone() -> io::Error {
    io::Error::other("the thread that syncs the journal has ended")
}

fn serve(file: &File, asks: &Receiver<Ask>, failed: &OnceLock<String>) {
    let sync = || match failed.get() {
        Some(why) => Err(io::Error::other(why.clone())),
        None => file.sync_data().inspect_err(|error| {
            let _ = failed.set(error.to_string());
        }),
    };
    let mut due: Option<Instant> = None;
    loop {
        let asked = match due {
            None => asks.recv().map_err(RecvTimeoutError::from),
            Some(due) => asks.recv_timeout(due.saturating_duration_since(Instant::now())),
        };
        match asked {
            Ok(Ask::Soon) => {
                due.get_or_insert_with(|| Instant::now() + LAZY);
            }
            Ok(Ask::Now(reply)) => {
                due = None;
                let _ = reply.send(sync());
            }
            Err(RecvTimeoutError::Timeout) => {
                due = None;
                let _ = sync();
            }
            Err(RecvTimeoutError::Disconnected) => {
                if due.is_some() {
                    let _ = sync();
                }
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is there cannot be made durable: Linux refuses to sync it.
    fn unsyncable() -> Syncer {
        Syncer::start(File::open("/dev/null").unwrap()).unwrap()
    }

    #[tokio::test]
    async fn after_a_failed_sync_every_later_one_fails() {
        let syncer = unsyncable();
        assert!(syncer.failure().is_none());
        syncer.soon().unwrap();
        syncer.now().await.unwrap_err();
        assert!(syncer.failure().is_some());
        syncer.soon().unwrap_err();
        syncer.now().await.unwrap_err();
    }

    #[test]
    fn a_sync_that_was_due_is_tried_before_its_owner_is_gone() {
        let syncer = unsyncable();
        let failed = Arc::clone(&syncer.failed);
        syncer.soon().unwrap();
        drop(syncer);
        assert!(failed.get().is_some());
        assert_eq!(Arc::strong_count(&failed), 1, "the thread has ended");
    }
}
