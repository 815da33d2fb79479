//! What the tests write.

use dr_core::event::{Actor, Entry, Event};
use dr_core::{RunId, StepId, Timestamp};

/// A progress event with that number.
pub(crate) fn entry(seq: u64, epoch: u64, text: &str) -> Entry {
    let event = Event::Progress { step: StepId::new("promote/fence:orders"), text: text.to_owned() };
    Entry { seq, epoch, at: Timestamp::from_millis(1_763_258_400_000), elapsed_ms: seq, event }
}

/// Events `from..=to`.
pub(crate) fn entries(from: u64, to: u64, epoch: u64) -> Vec<Entry> {
    (from..=to).map(|seq| entry(seq, epoch, "waiting")).collect()
}

/// Somebody.
pub(crate) fn actor(name: &str) -> Actor {
    Actor { name: name.to_owned(), from: format!("test (pid {})", std::process::id()) }
}

/// A run's name.
pub(crate) fn run(name: &str) -> RunId {
    RunId::new(format!("20261121T020000Z-{name}"))
}

/// What `task` returns, unless it goes on for ever.
pub(crate) fn soon<T: Send + 'static>(task: impl FnOnce() -> T + Send + 'static) -> T {
    let (says, said) = std::sync::mpsc::channel();
    std::thread::spawn(move || says.send(task()));
    said.recv_timeout(std::time::Duration::from_secs(20)).unwrap()
}
