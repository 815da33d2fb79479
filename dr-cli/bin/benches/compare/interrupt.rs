//! An interrupt ends the benchmark as a failure does: by unwinding, so that whatever was started is stopped.

use std::sync::atomic::{AtomicBool, Ordering};

use tokio::signal::unix::{SignalKind, signal};

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// Takes note of it from now on.
pub(crate) fn watch() {
    std::thread::spawn(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut terminate = signal(SignalKind::terminate()).unwrap();
            let mut interrupt = signal(SignalKind::interrupt()).unwrap();
            tokio::select! { _ = terminate.recv() => {}, _ = interrupt.recv() => {} }
        });
        INTERRUPTED.store(true, Ordering::Relaxed);
    });
}

/// Does not come back if there was one.
pub(crate) fn check() {
    assert!(!INTERRUPTED.load(Ordering::Relaxed), "interrupted");
}
