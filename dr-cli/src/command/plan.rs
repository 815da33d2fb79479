//! `dr plan`: the dry run, as a diff.

use std::sync::Arc;

use anstyle::{AnsiColor, Style};
use dr_core::engine::{Drive, DriveEnd, Driven, Hooks, Means};
use dr_core::event::{Actor, Began, Entry, FORMAT, Mode, Status};
use dr_core::journal::MemoryJournal;
use dr_core::plan::OnFailure;
use dr_core::resource::{Roles, Standing, Urgency};
use dr_core::runbook::{Binding, Runbook, Script};
use dr_core::time::show_duration;
use dr_core::{Backends, Env};
use std::sync::{Mutex, PoisonError};

use crate::actor;
use crate::args::{PlanArgs, PlanRun, RunArgs, TellArgs};
use crate::bound::{Loaded, load};
use crate::exit::Exit;
use crate::heard::Probers;
use crate::problem::Outcome;
use crate::saved::Saved;
use crate::secrets;
use crate::state;
use crate::view::{Json, View, summary};

const ADD: Style = AnsiColor::Green.on_default();
const DEL: Style = AnsiColor::Red.on_default();
const WARN: Style = AnsiColor::Yellow.on_default();
const DIM: Style = Style::new().dimmed();
const BOLD: Style = Style::new().bold();

/// `dr plan PLAN`.
pub(crate) async fn run(backends: &Backends, args: &PlanRun) -> Outcome {
    let loaded = load(backends, &args.plan.plan)?;
    let roles = loaded.roles(&args.plan, false)?;
    let urgency = if args.unplanned { Urgency::Unplanned } else { Urgency::Planned };
    let script = loaded.checked(&roles, urgency, &[])?;
    let driven = look(&loaded, script, &roles, urgency, &args.plan, Tell::of(&args.tell)).await?;
    if let Some(path) = &args.output {
        Saved::of(&loaded, &driven.state, Env::system().now()).write(path)?;
        anstream::eprintln!("Saved. To apply it: dr failover {} (or switchover)", path.display());
    }
    Ok(Exit::from(driven.end))
}

/// `--dry-run` of a live command.
pub(crate) async fn preview(
    loaded: Loaded,
    script: Script,
    roles: &Roles,
    urgency: Urgency,
    args: &RunArgs,
) -> Outcome {
    let driven = look(&loaded, script, roles, urgency, &args.plan, Tell::of(&args.tell)).await?;
    Ok(Exit::from(driven.end))
}

/// The dry run itself: the same engine and the same gates, with a journal in memory and no claims.
pub(crate) async fn look(
    loaded: &Loaded,
    script: Script,
    roles: &Roles,
    urgency: Urgency,
    args: &PlanArgs,
    tell: Tell,
) -> Outcome<Driven> {
    let env = Env::system();
    let redactor = secrets::redactor().clone();
    let resources = loaded.connect(&env, &redactor).await?;
    let state = state::open(loaded, args).await?;
    let watchers = Probers { store: state.store.clone(), plan: loaded.plan.clone(), roles: roles.clone() };
    let binding = Binding::new(roles.clone()).watched_by(Arc::new(watchers));
    let runbook =
        Runbook::bind(script.clone(), resources, &binding).map_err(|found| super::run::unbound(&found))?;
    let began = began(loaded, roles, urgency, script, &env, actor::here());
    let heard: Arc<Mutex<Vec<Entry>>> = Arc::default();
    let hears = Arc::clone(&heard);
    let hooks = Hooks::default()
        .with_listener(move |entry| hears.lock().unwrap_or_else(PoisonError::into_inner).push(entry.clone()));
    let means = Means { journal: Box::new(MemoryJournal::new()), env, redactor, hooks };
    let driven = Drive::begin(began, runbook, means).await?.run().await;
    let entries = std::mem::take(&mut *heard.lock().unwrap_or_else(PoisonError::into_inner));
    match tell {
        Tell::Nothing => {}
        Tell::Json => {
            let mut json = Json::new();
            entries.iter().for_each(|entry| json.hear(entry));
            summary(&driven, Exit::from(driven.end), None);
        }
        Tell::Diff => {
            anstream::print!("{}", render(&driven));
            for claim in state.store.claims().list().await? {
                if loaded.configured.values().any(|one| one.identities().contains(&claim.identity)) {
                    anstream::println!("{WARN}!{WARN:#} {claim}");
                }
            }
        }
    }
    Ok(driven)
}

/// How a dry run is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tell {
    /// Not at all: it is a comparison.
    Nothing,
    /// For people.
    Diff,
    /// For machines.
    Json,
}

impl Tell {
    fn of(args: &TellArgs) -> Self {
        if args.json { Self::Json } else { Self::Diff }
    }
}

fn began(loaded: &Loaded, roles: &Roles, urgency: Urgency, script: Script, env: &Env, actor: Actor) -> Began {
    Began {
        run: env.run_id(),
        format: FORMAT,
        tool: format!("dr {}", env!("CARGO_PKG_VERSION")),
        mode: Mode::DryRun,
        urgency,
        on_failure: OnFailure::Hold,
        actor,
        plan: loaded.plan.name.clone(),
        plan_hash: loaded.plan.hash.clone(),
        roles: roles.clone(),
        budget: loaded.plan.budget.clone(),
        outages: Vec::new(),
        losses: Vec::new(),
        identities: Vec::new(),
        overrides: Vec::new(),
        emulated: loaded.emulated(),
        outage_since: None,
        outage_declared: false,
        detected: None,
        script,
    }
}

/// The diff: pure, for snapshots.
pub(crate) fn render(driven: &Driven) -> String {
    let state = &driven.state;
    let mut out = format!(
        "{BOLD}{}{BOLD:#}  {} → {}  {DIM}dry run, nothing is changed{DIM:#}\n",
        state.began.plan, state.began.roles.source, state.began.roles.target
    );
    for phase in &state.began.script.phases {
        let share = phase
            .within
            .map_or(String::new(), |within| format!("  {DIM}within {}{DIM:#}", show_duration(within)));
        out.push_str(&format!("\n{BOLD}{}{BOLD:#}{share}\n", phase.name));
        for (step, found) in state.in_order().filter(|(step, _)| step.phase == phase.name) {
            let local = step.id.as_str().split_once('/').map_or(step.id.as_str(), |(_, local)| local);
            match (found.status, &found.was) {
                (Status::Previewed, Some(was)) => match &was.standing {
                    Standing::Already => out.push_str(&format!("  {DIM}= {local}: is so already{DIM:#}\n")),
                    Standing::Unknown { why } => out.push_str(&format!("  {WARN}? {local}: {why}{WARN:#}\n")),
                    Standing::Would { diff } => {
                        out.push_str(&format!("  {WARN}~{WARN:#} {local}\n"));
                        for change in &diff.0 {
                            out.push_str(&format!("      {DEL}- {}: {}{DEL:#}\n", change.what, change.from));
                            out.push_str(&format!("      {ADD}+ {}: {}{ADD:#}\n", change.what, change.to));
                        }
                    }
                },
                (Status::Succeeded, _) => {
                    let said = found.applied.as_ref().map_or("", |applied| applied.said.as_str());
                    out.push_str(&format!("  {ADD}✓{ADD:#} {local}: {said}\n"));
                }
                (Status::Skipped, _) => {
                    let why = found.skipped.as_deref().unwrap_or_default();
                    out.push_str(&format!("  {DIM}– {local}: {why}{DIM:#}\n"));
                }
                (Status::Failed | Status::InDoubt, _) => {
                    let why = found.failure.as_ref().map_or("", |failure| failure.text.as_str());
                    out.push_str(&format!("  {DEL}✗ {local}: {why}{DEL:#}\n"));
                }
                (status, _) => out.push_str(&format!("  {DIM}· {local}: {status}{DIM:#}\n")),
            }
        }
    }
    out.push_str(&not_exercised(driven));
    let style =
        if matches!(driven.end, DriveEnd::Ended(dr_core::event::Ending::Refused)) { DEL } else { ADD };
    out.push_str(&format!("\n{style}{}{style:#}\n", driven.text));
    out
}

fn not_exercised(driven: &Driven) -> String {
    let behind: Vec<&str> = driven
        .state
        .in_order()
        .filter(|(_, found)| {
            found.skipped.as_deref().is_some_and(|why| why.starts_with("a dry run does not"))
        })
        .map(|(step, _)| step.id.as_str())
        .collect();
    if behind.is_empty() {
        return String::new();
    }
    format!("\n{WARN}A dry run cannot try{WARN:#} what stands behind a change: {}\n", behind.join(", "))
}
