//! How a run is told while it happens: as JSON for machines, as lines, or live on a terminal.

mod closing;
mod json;
mod lines;
mod live;
mod words;

use std::io::IsTerminal;
use std::sync::{Arc, Mutex, PoisonError};

use dr_core::event::Entry;

pub(crate) use closing::closing;
pub(crate) use json::{Json, summary, summary_of};
pub(crate) use lines::Lines;
pub(crate) use live::Live;
pub(crate) use words::of as line;

/// Hears each event of a run, and its end.
pub(crate) trait View: Send {
    /// The next event.
    fn hear(&mut self, entry: &Entry);
    /// An event from before this drive: it is known, and not told again.
    fn recall(&mut self, entry: &Entry);
    /// Time has passed.
    fn tick(&mut self) {}
    /// Nothing more comes.
    fn close(&mut self) {}
}

/// A view that the engine's listener, a ticker and the command share.
#[derive(Clone)]
pub(crate) struct Shared(Arc<Mutex<Box<dyn View>>>);

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Shared")
    }
}

impl Shared {
    /// The view that fits: `--json`, a terminal, or neither.
    pub(crate) fn fitting(json: bool, verbose: bool) -> Self {
        let view: Box<dyn View> = if json {
            Box::new(Json::new())
        } else if std::io::stderr().is_terminal() && !verbose {
            Box::new(Live::new())
        } else {
            Box::new(Lines::new(verbose))
        };
        Self(Arc::new(Mutex::new(view)))
    }

    /// The next event.
    pub(crate) fn hear(&self, entry: &Entry) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).hear(entry);
    }

    /// An event from before this drive.
    pub(crate) fn recall(&self, entry: &Entry) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).recall(entry);
    }

    /// Time has passed.
    pub(crate) fn tick(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).tick();
    }

    /// Nothing more comes.
    pub(crate) fn close(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).close();
    }
}
