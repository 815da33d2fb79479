//! One line an event, on standard error: for logs, pipes and `--verbose`.

use anstyle::{AnsiColor, Style};
use dr_core::StepId;
use dr_core::event::{Entry, Event, RunState};
use std::collections::BTreeMap;

use super::View;
use super::words::{self, Weight};

/// Lines as they come.
#[derive(Debug)]
pub(crate) struct Lines {
    verbose: bool,
    state: Option<RunState>,
    failures: BTreeMap<StepId, String>,
}

impl Lines {
    /// All events, or those that a person wants to see go by.
    pub(crate) fn new(verbose: bool) -> Self {
        Self { verbose, state: None, failures: BTreeMap::new() }
    }
}

pub(super) fn style(weight: Weight) -> Style {
    match weight {
        Weight::Detail => Style::new().dimmed(),
        Weight::Plain => Style::new(),
        Weight::Good => AnsiColor::Green.on_default(),
        Weight::Bad => AnsiColor::Red.on_default(),
        Weight::Loud => Style::new().bold(),
    }
}

/// Keeps a state in step with the events that a view hears.
pub(super) fn follow(state: &mut Option<RunState>, entry: &Entry) {
    match state {
        None => *state = RunState::begin(entry).ok(),
        Some(run) => {
            if run.fold(entry).is_err() {
                *state = None;
            }
        }
    }
}

impl View for Lines {
    fn recall(&mut self, entry: &Entry) {
        follow(&mut self.state, entry);
    }

    fn hear(&mut self, entry: &Entry) {
        follow(&mut self.state, entry);
        let Some((mut weight, text)) = words::of(entry, self.state.as_ref()) else { return };
        if let Event::Failed { step, failure, retry_in: Some(_), .. } = &entry.event
            && self.failures.insert(step.clone(), failure.text.clone()).as_ref() == Some(&failure.text)
        {
            // The same once more.
            weight = Weight::Detail;
        }
        if weight == Weight::Detail && !self.verbose {
            return;
        }
        let style = style(weight);
        anstream::eprintln!(
            "{} {:>9.3}  {style}{text}{style:#}",
            entry.at.clock(),
            entry.elapsed_ms as f64 / 1000.0
        );
    }
}
