//! The live view on a terminal: phases and steps against their time, the outage as callers feel it.

use std::fmt::Write as _;
use std::io::Write;
use std::time::{Duration, Instant};

use anstyle::{AnsiColor, Style};
use dr_core::event::{Entry, Event, OutageSeen, RunState, Status, StepState};
use dr_core::runbook::ScriptStep;
use dr_core::time::show_duration;

use super::View;
use super::lines::{follow, style};
use super::words::{self, Weight};

const GOOD: Style = AnsiColor::Green.on_default();
const BAD: Style = AnsiColor::Red.on_default();
const BUSY: Style = AnsiColor::Yellow.on_default();
const DIM: Style = Style::new().dimmed();
const BOLD: Style = Style::new().bold();
const WHEEL: [char; 10] = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];

/// A block at the end of the terminal that is drawn anew; what must not scroll away is printed above it.
#[derive(Debug)]
pub(crate) struct Live {
    state: Option<RunState>,
    heard: Instant,
    behind: Duration,
    height: usize,
    turn: usize,
}

impl Default for Live {
    fn default() -> Self {
        Self { state: None, heard: Instant::now(), behind: Duration::ZERO, height: 0, turn: 0 }
    }
}

impl Live {
    /// Nothing is drawn before the first event.
    pub(crate) fn new() -> Self {
        Self::default()
    }

    fn redraw(&mut self) {
        let block = self
            .state
            .as_ref()
            .map(|state| render(state, self.now(), self.turn, width()))
            .unwrap_or_default();
        let mut out = self.wipe();
        out.push_str(&block);
        self.height = block.lines().count();
        Self::put(&out);
    }

    /// What the run's clock shows: the last event's moment and what has passed here since.
    fn now(&self) -> Duration {
        self.behind + self.heard.elapsed()
    }

    fn wipe(&mut self) -> String {
        let up = std::mem::take(&mut self.height);
        if up == 0 { String::new() } else { format!("\x1b[{up}A\x1b[J") }
    }

    fn put(text: &str) {
        let mut out = anstream::stderr().lock();
        let _ = out.write_all(text.as_bytes());
        let _ = out.flush();
    }
}

impl View for Live {
    fn recall(&mut self, entry: &Entry) {
        follow(&mut self.state, entry);
    }

    fn hear(&mut self, entry: &Entry) {
        follow(&mut self.state, entry);
        self.heard = Instant::now();
        self.behind = self.state.as_ref().map(|state| entry.at.since(state.began_at)).unwrap_or_default();
        // The last words tell these.
        let is_last = matches!(
            entry.event,
            Event::Ended { .. } | Event::Suspended { .. } | Event::DebtOpened(_) | Event::DebtPaid(_)
        );
        if let Some((weight @ (Weight::Loud | Weight::Bad), text)) = words::of(entry, self.state.as_ref())
            && !is_last
        {
            let style = style(weight);
            let wiped = self.wipe();
            Self::put(&format!("{wiped}{DIM}{}{DIM:#} {style}{text}{style:#}\n", entry.at.clock()));
        }
        self.redraw();
    }

    fn tick(&mut self) {
        self.turn += 1;
        self.redraw();
    }

    fn close(&mut self) {
        self.turn = 0;
        self.redraw();
        self.height = 0;
    }
}

fn width() -> usize {
    rustix::termios::tcgetwinsize(std::io::stderr()).map_or(100, |size| usize::from(size.ws_col.max(40)))
}

/// The whole block: pure, for snapshots.
pub(crate) fn render(state: &RunState, now: Duration, turn: usize, width: usize) -> String {
    let mut out = String::new();
    let budget = state
        .began
        .budget
        .rto
        .map_or(String::new(), |limit| format!(" of {}", limit.to_string().trim_start_matches("<= ")));
    let _ = writeln!(
        out,
        "\n{BOLD}{}{BOLD:#}  {} → {}  {DIM}{}{budget}{DIM:#}{}",
        state.began.plan,
        state.began.roles.source,
        state.began.roles.target,
        show_duration(now),
        outage(state, now)
    );
    for phase in &state.began.script.phases {
        let steps: Vec<(&ScriptStep, &StepState)> =
            state.in_order().filter(|(step, _)| step.phase == phase.name).collect();
        if steps.is_empty() {
            continue;
        }
        let _ = writeln!(out, "{}", phase_line(state, phase.name.as_str(), phase.within, &steps, now, turn));
        if steps.iter().all(|(_, step)| step.status == Status::Pending) {
            continue;
        }
        for (script, step) in steps {
            let local = script.id.as_str().split_once('/').map_or(script.id.as_str(), |(_, local)| local);
            let line = format!("    {} {local:<26} {}", mark(step.status, turn), told(step));
            let _ = writeln!(out, "{}", cut(&line, width));
        }
    }
    if let Some(since) = state.nobody_can_write_since() {
        let _ = writeln!(out, "  {BAD}nobody can write since {}{BAD:#}", since.clock());
    }
    out
}

fn outage(state: &RunState, now: Duration) -> String {
    match state.outages.last() {
        Some(OutageSeen::Began { at, .. }) => {
            let since = state.began_at.plus(now).since(*at);
            format!("  {BAD}callers are without the service for {}{BAD:#}", show_duration(since))
        }
        Some(OutageSeen::Ended { served_by: Some(side), .. }) => {
            format!("  {GOOD}callers are served by {side}{GOOD:#}")
        }
        Some(OutageSeen::Ended { served_by: None, .. }) => format!("  {GOOD}callers are served{GOOD:#}"),
        None => String::new(),
    }
}

fn phase_line(
    state: &RunState,
    name: &str,
    within: Option<Duration>,
    steps: &[(&ScriptStep, &StepState)],
    now: Duration,
    turn: usize,
) -> String {
    let over = steps.iter().all(|(_, step)| step.status.is_over());
    let began = steps.iter().filter_map(|(_, step)| step.started).min();
    let ended = steps.iter().filter_map(|(_, step)| step.over).max();
    let took = began.map(|began| match (over, ended) {
        (true, Some(ended)) => ended.since(began),
        (true, None) | (false, _) => state.began_at.plus(now).since(began),
    });
    let worst = steps.iter().map(|(_, step)| step.status).max().unwrap_or(Status::Pending);
    let status = if steps.iter().all(|(_, step)| step.status == Status::Skipped) {
        Status::Skipped
    } else if over {
        Status::Succeeded
    } else if began.is_some() && worst < Status::Succeeded {
        Status::Started
    } else {
        worst
    };
    let begun = took.is_some();
    let took = took.map_or(String::new(), show_duration);
    let share = match (within.map(show_duration), begun) {
        (Some(within), true) => format!(" / {within}"),
        (Some(within), false) if status == Status::Pending => format!("within {within}"),
        (Some(_) | None, _) => String::new(),
    };
    format!("  {} {BOLD}{name:<28}{BOLD:#} {took}{DIM}{share}{DIM:#}", mark(status, turn))
}

fn mark(status: Status, turn: usize) -> String {
    match status {
        Status::Pending => format!("{DIM}·{DIM:#}"),
        Status::Started | Status::Undoing => format!("{BUSY}{}{BUSY:#}", WHEEL[turn % WHEEL.len()]),
        Status::Retrying | Status::InDoubt => format!("{BUSY}?{BUSY:#}"),
        Status::Succeeded | Status::Previewed => format!("{GOOD}✓{GOOD:#}"),
        Status::Skipped => format!("{DIM}–{DIM:#}"),
        Status::Undone => format!("{BUSY}↶{BUSY:#}"),
        Status::Failed | Status::UndoFailed => format!("{BAD}✗{BAD:#}"),
    }
}

fn told(step: &StepState) -> String {
    match step.status {
        Status::Succeeded => step.applied.as_ref().map(|applied| applied.said.clone()).unwrap_or_default(),
        Status::Skipped => step.skipped.clone().unwrap_or_default(),
        Status::Retrying | Status::InDoubt | Status::Failed | Status::UndoFailed => {
            step.failure.as_ref().map(|failure| failure.text.clone()).unwrap_or_default()
        }
        Status::Started | Status::Undoing => step.progress.clone().unwrap_or_default(),
        Status::Pending | Status::Previewed | Status::Undone => String::new(),
    }
}

/// Cuts what is wider than the terminal; escape sequences take no room.
fn cut(line: &str, width: usize) -> String {
    let mut seen = 0;
    let mut escape = false;
    let mut out = String::new();
    for c in line.chars() {
        match (escape, c) {
            (false, '\x1b') => escape = true,
            (true, 'm') => escape = false,
            (true, _) => {}
            (false, _) => seen += 1,
        }
        if seen > width.saturating_sub(1) {
            out.push('…');
            out.push_str("\x1b[0m");
            return out;
        }
        out.push(c);
    }
    out
}
