//! One JSON object a line on standard output: the version first, then each event, the summary last.

use std::io::Write;

use dr_core::event::{Entry, FORMAT, RunState};
use serde_json::json;

use super::View;
use super::lines::follow;

/// Events for machines.
#[derive(Debug, Default)]
pub(crate) struct Json {
    state: Option<RunState>,
    begun: bool,
}

impl Json {
    /// The version line goes out with the first event.
    pub(crate) fn new() -> Self {
        Self::default()
    }

    fn line(value: &impl serde::Serialize) {
        let mut out = std::io::stdout().lock();
        // Whoever reads may have gone; the run goes on.
        if serde_json::to_writer(&mut out, value).is_ok() {
            let _ = out.write_all(b"\n");
        }
        let _ = out.flush();
    }

    fn begin(&mut self) {
        if !std::mem::replace(&mut self.begun, true) {
            Self::line(&json!({ "type": "version", "format": FORMAT, "tool": env!("CARGO_PKG_VERSION") }));
        }
    }
}

impl View for Json {
    fn recall(&mut self, entry: &Entry) {
        follow(&mut self.state, entry);
    }

    fn hear(&mut self, entry: &Entry) {
        self.begin();
        follow(&mut self.state, entry);
        let Ok(mut value) = serde_json::to_value(entry) else { return };
        if let Some(object) = value.as_object_mut() {
            object.insert("type".to_owned(), "event".into());
        }
        Self::line(&value);
    }

    fn close(&mut self) {
        self.begin();
        let Some(state) = &self.state else { return };
        let end = match (&state.ended, &state.suspended) {
            (Some((ending, _)), _) => serde_json::to_value(ending),
            (None, Some((suspension, _))) => serde_json::to_value(suspension),
            (None, None) => Ok(serde_json::Value::Null),
        };
        let text =
            state.ended.as_ref().map(|(_, text)| text).or(state.suspended.as_ref().map(|(_, text)| text));
        Self::line(&json!({
            "type": "summary",
            "run": state.began.run,
            "mode": state.began.mode,
            "end": end.unwrap_or_default(),
            "ended": state.ended.is_some(),
            "text": text,
            "past_no_return": state.is_past_no_return(),
            "nobody_can_write_since": state.nobody_can_write_since(),
            "measurement": state.measurement,
            "debts": state.debts,
            "events": state.seq,
        }));
    }
}
