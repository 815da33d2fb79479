//! The last words of a run: how it ended, what it cost callers, what to do next.

use std::io::IsTerminal;
use std::path::Path;

use anstyle::{AnsiColor, Style};
use dr_core::engine::{DriveEnd, Driven};
use dr_core::event::{Ending, Mode, RunState, Suspension};
use dr_core::measure::{Basis, Figure};
use dr_core::plan::Limit;
use dr_core::time::show_duration;
use std::time::Duration;

const GOOD: Style = AnsiColor::Green.on_default().bold();
const WARN: Style = AnsiColor::Yellow.on_default().bold();
const BAD: Style = AnsiColor::Red.on_default().bold();
const DIM: Style = Style::new().dimmed();

/// Tells it on standard error; where standard output is no terminal the bundle's path goes there, for scripts.
pub(crate) fn closing(driven: &Driven, bundle: Option<&Path>) {
    anstream::eprint!("{}", render(driven, bundle));
    if let Some(bundle) = bundle.filter(|_| !std::io::stdout().is_terminal()) {
        anstream::println!("{}", bundle.display());
    }
}

/// The text: pure, for snapshots.
pub(crate) fn render(driven: &Driven, bundle: Option<&Path>) -> String {
    let state = &driven.state;
    let (style, word) = match driven.end {
        DriveEnd::Ended(ending @ (Ending::Succeeded | Ending::NothingToDo)) => (GOOD, ending.as_str()),
        DriveEnd::Ended(
            ending @ (Ending::OverBudget | Ending::Recovered | Ending::RolledBack | Ending::Aborted),
        ) => (WARN, ending.as_str()),
        DriveEnd::Ended(ending @ Ending::Refused) => (BAD, ending.as_str()),
        DriveEnd::Suspended(why) => (BAD, why.as_str()),
    };
    let mut out = format!("\n{style}{}{style:#}: {}\n", word.to_uppercase(), driven.text);
    let measures = !(state.began.outages.is_empty() && state.began.losses.is_empty());
    if measures && driven.end != DriveEnd::Ended(Ending::Refused) {
        out.push_str(&measured(state));
    }
    for debt in &state.debts {
        out.push_str(&format!("  {:<12} {}: {}\n", "owed", debt.kind, debt.why));
    }
    if let Some(bundle) = bundle {
        out.push_str(&format!("  {:<12} {}\n", "evidence", bundle.display()));
    }
    out.push_str(&next(driven));
    out
}

fn measured(state: &RunState) -> String {
    let moves_callers = !matches!(state.began.mode, Mode::Protect | Mode::Guard);
    let Some(measurement) = state.measurement.as_ref().filter(|_| moves_callers) else {
        return String::new();
    };
    let mut out = String::new();
    let budget = &state.began.budget;
    out.push_str(&figure("outage", measurement.rto.as_ref(), budget.rto));
    out.push_str(&figure("data lost", measurement.rpo.as_ref(), budget.rpo));
    let known: Option<Vec<usize>> =
        measurement.losses.iter().map(|loss| loss.lost.as_ref().map(Vec::len)).collect();
    let acknowledged: u64 = measurement.losses.iter().map(|loss| loss.acknowledged).sum();
    match known {
        _ if measurement.losses.is_empty() => {}
        Some(lost) => {
            let lost: usize = lost.iter().sum();
            out.push_str(&format!("  {:<12} {lost} of {acknowledged} acknowledged writes lost\n", "ledger"));
        }
        None => {
            let told = format!("which of {acknowledged} acknowledged writes are there is not known");
            out.push_str(&format!("  {:<12} {told}\n", "ledger"));
        }
    }
    out
}

fn figure(name: &str, figure: Option<&Figure>, limit: Option<Limit>) -> String {
    let Some(figure) = figure else { return format!("  {name:<12} not measured\n") };
    let seconds = |seconds: f64| Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX);
    let (low, high) = (seconds(figure.at_least), seconds(figure.at_most));
    let span = if show_duration(low) == show_duration(high) {
        show_duration(high)
    } else {
        format!("{} to {}", show_duration(low), show_duration(high))
    };
    let basis = match figure.basis {
        Basis::Client => "as clients saw it",
        Basis::Run => "by the run's own clock",
        Basis::Lag => "by replication lag",
        Basis::Estimate => "an estimate",
    };
    let verdict = match limit {
        Some(limit) if limit.is_met_by(high) => format!("{GOOD}met{GOOD:#}, the limit is {limit}"),
        Some(limit) => format!("{BAD}NOT met{BAD:#}, the limit is {limit}"),
        None => "no limit given".to_owned(),
    };
    format!("  {name:<12} {span} {DIM}({basis}){DIM:#}  {verdict}\n")
}

/// What to type next, where something is left to do.
fn next(driven: &Driven) -> String {
    let mut out = String::new();
    if let (DriveEnd::Suspended(_), Some(since)) = (driven.end, driven.state.nobody_can_write_since()) {
        out.push_str(&format!("\n{BAD}NOBODY CAN WRITE since {}{BAD:#}\n", since.clock()));
    }
    let next = match driven.end {
        DriveEnd::Ended(Ending::Recovered) => {
            "dr protect     makes the old side a standby again (dr guard waits for it, if it is silent)"
        }
        DriveEnd::Suspended(Suspension::Interrupted | Suspension::Held | Suspension::JournalLost) => {
            "dr resume      goes on from here\n  dr abort       puts back what still may be put back, and ends the run"
        }
        DriveEnd::Suspended(Suspension::Stuck) => "put right by hand what is named above, then: dr resume",
        DriveEnd::Suspended(Suspension::OwnershipLost) => "dr status      shows who drives the run now",
        DriveEnd::Ended(_) => return out,
    };
    out.push_str(&format!("\nNext:\n  {next}\n"));
    out
}
