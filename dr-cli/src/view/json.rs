//! One JSON object a line on standard output: the version first, then each event, the summary last.

use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};

use dr_core::engine::{DriveEnd, Driven};
use dr_core::event::{Ending, Entry, FORMAT, RunState};
use serde_json::{Value, json};

use super::View;
use super::lines::follow;
use crate::exit::Exit;
use crate::problem::Problem;

/// Events for machines.
#[derive(Debug, Default)]
pub(crate) struct Json {
    state: Option<RunState>,
}

impl Json {
    /// The version line goes out with the first event.
    pub(crate) fn new() -> Self {
        Self::default()
    }
}

impl View for Json {
    fn recall(&mut self, entry: &Entry) {
        follow(&mut self.state, entry);
    }

    fn hear(&mut self, entry: &Entry) {
        begin();
        follow(&mut self.state, entry);
        let Ok(mut value) = serde_json::to_value(entry) else { return };
        if let Some(object) = value.as_object_mut() {
            object.insert("type".to_owned(), "event".into());
        }
        line(&value);
    }
}

/// The last line of a drive.
pub(crate) fn summary(driven: &Driven, exit: Exit, problem: Option<&Problem>) {
    let state = &driven.state;
    let (end, ended) = match driven.end {
        DriveEnd::Ended(ending) => (json!(ending), true),
        DriveEnd::Suspended(why) => (json!(why), false),
    };
    conclude(&json!({
        "type": "summary",
        "run": state.began.run,
        "mode": state.began.mode,
        "end": end,
        "ended": ended,
        "text": driven.text,
        "exit": exit.code(),
        "error": problem.map(|problem| &problem.message),
        "help": problem.and_then(|problem| problem.help.as_ref()),
        "past_no_return": state.is_past_no_return(),
        "nobody_can_write_since": state.nobody_can_write_since(),
        "measurement": state.measurement,
        "debts": state.debts,
        "events": state.seq,
    }));
}

/// The last line of a command that failed beside or before any run; nothing if the last line has been said.
pub(crate) fn summary_of(problem: &Problem) {
    let end = (problem.exit == Exit::Refused).then_some(Ending::Refused);
    conclude(&json!({
        "type": "summary",
        "run": null,
        "end": end,
        "ended": false,
        "text": problem.message,
        "exit": problem.exit.code(),
        "error": problem.message,
        "help": problem.help,
    }));
}

/// A process has one standard output: its first line is the version, its last the summary, each once.
static BEGUN: AtomicBool = AtomicBool::new(false);
static CONCLUDED: AtomicBool = AtomicBool::new(false);

fn begin() {
    if !BEGUN.swap(true, Ordering::Relaxed) {
        line(&json!({ "type": "version", "format": FORMAT, "tool": env!("CARGO_PKG_VERSION") }));
    }
}

fn conclude(summary: &Value) {
    if !CONCLUDED.swap(true, Ordering::Relaxed) {
        begin();
        let mut summary = summary.clone();
        // What is no event was masked by no journal.
        crate::secrets::redactor().redact_values(&mut summary);
        line(&summary);
    }
}

fn line(value: &impl serde::Serialize) {
    let mut out = std::io::stdout().lock();
    // Whoever reads may have gone; the run goes on.
    if serde_json::to_writer(&mut out, value).is_ok() {
        let _ = out.write_all(b"\n");
    }
    let _ = out.flush();
}
