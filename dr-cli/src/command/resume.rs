//! `dr resume`: another process goes on with a run, from its journal.

use std::sync::Arc;
use std::time::Duration;

use dr_core::engine::{Drive, DriveEnd, Driven, Means};
use dr_core::event::{Ending, Entry, Request, RunState};
use dr_core::journal::{Claimed, JournalError, Line, Owned};
use dr_core::plan::{Finding, Format, Plan};
use dr_core::resource::Redactor;
use dr_core::runbook::{Binding, Runbook};
use dr_core::{Backends, Env, RunId};

use crate::actor;
use crate::args::{ResumeArgs, SteerArgs, TellArgs};
use crate::bound::{Loaded, load, load_bytes};
use crate::exit::Exit;
use crate::heard::{self, Probers};
use crate::pilot::{self, PLAN, Pilot};
use crate::problem::{Outcome, Problem};
use crate::seats::{Order, Seats};
use crate::secrets;
use crate::state::{self, State};

/// How long nothing is said while the run is taken over.
const SILENT_FOR: Duration = Duration::from_secs(3);

/// `dr resume`.
pub(crate) async fn run(backends: &Backends, args: &ResumeArgs) -> Outcome {
    let reason = &args.steer.reason;
    let mut asked: Vec<Request> = Vec::new();
    asked.extend(pilot::steps(&args.done).map(|step| Request::Done { step }));
    asked.extend(pilot::steps(&args.skip).map(|step| Request::Skip { step }));
    if args.unplanned {
        asked.push(Request::GoUnplanned);
    }
    let (state, run) = find(backends, &args.steer).await?;
    if args.take_over {
        could_drive(backends, &state, &run).await?;
    }
    match own(&state, &run, args.take_over).await {
        Ok(owned) => drive(backends, &state, &run, owned, &args.steer.tell, asked, reason).await,
        Err(JournalError::Lost { to }) if !asked.is_empty() => ask(&state, &run, asked, reason, &to).await,
        Err(error) => Err(error.into()),
    }
}

/// The run that is meant: by name, or the plan's open one.
pub(crate) async fn find(backends: &Backends, args: &SteerArgs) -> Outcome<(State, RunId)> {
    let loaded = load(backends, &args.plan.plan)?;
    let state = state::open(&loaded, &args.plan).await?;
    let run = match &args.run {
        Some(run) => RunId::new(run),
        None => match state.open_run(&loaded.plan.name).await? {
            Some((run, _)) => run,
            None => {
                return Err(Problem::new(
                    Exit::Failure,
                    format!("plan {} has no open run", loaded.plan.name),
                )
                .help("`dr history` lists the runs"));
            }
        },
    };
    Ok((state, run))
}

/// Takes the run over. Where its last owner left no word that he gave it up, that takes a while, and is said.
pub(crate) async fn own(state: &State, run: &RunId, take_over: bool) -> Result<Owned, JournalError> {
    let actor = actor::here();
    let owning = state.store.own_run(run, take_over, &actor);
    if take_over {
        return owning.await;
    }
    tokio::pin!(owning);
    tokio::select! {
        biased;
        owned = &mut owning => return owned,
        () = tokio::time::sleep(SILENT_FOR) => anstream::eprintln!(
            "not owned yet: unless whoever drove run {run} last gave it up, it takes half a minute to see that they are \
             not alive; `dr resume --take-over` does not wait"
        ),
    }
    owning.await
}

/// Before a run is taken from somebody who may be alive: whether this process could go on with it at all. Once it is
/// taken, whoever drove it is shut out, whatever becomes of us.
async fn could_drive(backends: &Backends, state: &State, run: &RunId) -> Outcome<()> {
    let folded = understood(run, &state.store.read_run(run).await?)?;
    if folded.ended.is_some() {
        return Ok(());
    }
    let loaded = kept_plan(backends, state, run, &folded).await?;
    match loaded.connect(&Env::system(), secrets::redactor()).await {
        Ok(_) => Ok(()),
        Err(problem) => Err(problem.help("nothing was taken over: put that right on this machine first")),
    }
}

/// Where a run stands, as far as this release knows its events.
fn understood(run: &RunId, lines: &[Line]) -> Outcome<RunState> {
    if state::is_from_a_later_release(lines) {
        return Err(Problem::refused(format!("run {run} was driven by a later release of dr"))
            .help("resume it with that release"));
    }
    state::replayed(run, lines)?
        .ok_or_else(|| Problem::refused(format!("run {run} has no first event: nothing was done in it")))
}

/// A run as it stands, with everything that driving it on needs.
struct Ready {
    folded: RunState,
    pilot: Pilot,
    findings: Vec<Finding>,
    redactor: Redactor,
    next: Next,
}

/// What is left to do.
enum Next {
    /// It is over: its process died between the last event and the end of what follows on it.
    Land(Ending, String),
    GoOn(Box<(Runbook, Env, Seats)>),
}

/// Drives a run on that this process owns now.
pub(crate) async fn drive(
    backends: &Backends,
    state: &State,
    run: &RunId,
    owned: Owned,
    tell: &TellArgs,
    asked: Vec<Request>,
    reason: &str,
) -> Outcome {
    let Owned { mut journal, lines, epoch, .. } = owned;
    let ready = match make_ready(backends, state, run, &lines, tell).await {
        Ok(ready) => ready,
        Err(problem) => {
            // Whoever puts right what is wrong does not wait for us. That it cannot be given up is worth no second error.
            let _ = journal.release().await;
            return Err(problem);
        }
    };
    let Ready { folded, mut pilot, findings, redactor, next } = ready;
    let (runbook, env, seats) = match next {
        Next::GoOn(means) => *means,
        Next::Land(ending, text) => {
            let end = DriveEnd::Ended(ending);
            let driven = Driven { end, text, state: folded, unrecorded: Vec::new() };
            return pilot.land(&driven, &findings, &redactor).await;
        }
    };
    for request in asked {
        pilot.ask(pilot::message(request, reason));
    }
    let hooks = pilot.hooks().with_finish(Box::new(seats));
    let means = Means { journal, env, redactor: redactor.clone(), hooks };
    let drive = Drive::resume(folded, actor::here(), epoch, runbook, means).await?;
    let driven = pilot.fly(drive).await;
    pilot.land(&driven, &findings, &redactor).await
}

/// Reads where the run stands, connects what its plan names, and lets the probers start.
async fn make_ready(
    backends: &Backends,
    state: &State,
    run: &RunId,
    lines: &[Line],
    tell: &TellArgs,
) -> Outcome<Ready> {
    let env = Env::system();
    let redactor = secrets::redactor().clone();
    let folded = understood(run, lines)?;
    let loaded = Arc::new(kept_plan(backends, state, run, &folded).await?);
    let findings = super::run::acknowledged(&loaded, &folded.began.roles, folded.urgency);
    let mut pilot = Pilot::new(&state.store, run, tell, &known(lines))?;
    if let Some((ending, text)) = folded.ended.clone() {
        let next = Next::Land(ending, text);
        return Ok(Ready { folded, pilot, findings, redactor, next });
    }
    if let Claimed::Held(claim) = state.claim(run, &folded.began.identities, &actor::here()).await? {
        return Err(Problem::refused(format!("run {run} no longer holds what it claimed: {claim}"))
            .help("end that run first; `dr claims` lists who holds what"));
    }
    let resources = loaded.connect(&env, &redactor).await?;
    let roles = folded.began.roles.clone();
    let watchers = Probers { store: state.store.clone(), plan: loaded.plan.clone(), roles: roles.clone() };
    let binding = Binding::new(roles.clone()).watched_by(Arc::new(watchers)).since(folded.began.outage_since);
    let runbook = Runbook::bind(folded.began.script.clone(), resources.clone(), &binding)
        .map_err(|findings| super::run::unbound(&findings))?;
    let beats = heard::heartbeats(&state.store, &loaded.plan).await?;
    let heard = heard::outage(&beats, env.now());
    let order = Order {
        run: run.clone(),
        outages: folded.began.outages.clone(),
        losses: folded.began.losses.clone(),
        roles,
        binds_from: folded.began_at,
        folder: state.store.run_folder(run),
        events: pilot.events(),
        good_until: None,
        kept: heard.kept,
        settled_until: state.settled_until(&loaded.plan.name).await?,
    };
    let seats = Seats::start(order, loaded, resources, env.clone(), redactor.clone(), pilot.seats()).await?;
    let next = Next::GoOn(Box::new((runbook, env, seats)));
    Ok(Ready { folded, pilot, findings, redactor, next })
}

fn known(lines: &[Line]) -> Vec<Entry> {
    lines.iter().map(|line| line.entry.clone()).collect()
}

/// The format of a plan that is kept as it was read, whatever its name: TOML and JSON plans too.
fn format_of(bytes: &[u8]) -> Format {
    let formats = [Format::Json, Format::Toml];
    formats.into_iter().find(|format| Plan::read(bytes, *format).is_ok()).unwrap_or(Format::Yaml)
}

/// Somebody drives the run already: it is asked through its inbox.
async fn ask(state: &State, run: &RunId, asked: Vec<Request>, reason: &str, owner: &str) -> Outcome {
    for request in asked {
        state.store.inbox(run).post(request, actor::here(), reason).await?;
    }
    anstream::println!("{owner} drives run {run}: it was asked");
    Ok(Exit::Success)
}

/// The plan as the run began with it: of the run's folder, or from the store, where the run began on another machine.
/// Then the folder gets it, for the bundle.
async fn kept_plan(backends: &Backends, state: &State, run: &RunId, folded: &RunState) -> Outcome<Loaded> {
    let path = state.store.run_folder(run).join(PLAN);
    let bytes = match std::fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) => {
            let kept = state.store.plan_of(run).await?.ok_or_else(|| {
                Problem::refused(format!("the plan of run {run} is not in {}: {error}", path.display()))
                    .help("put the plan that it began with there; its hash is in the journal's first event")
            })?;
            let folder = state.store.make_run_folder(run).map_err(state::unusable)?;
            std::fs::write(folder.join(PLAN), &kept).map_err(|error| {
                Problem::new(Exit::JournalLost, format!("{} cannot be written: {error}", path.display()))
            })?;
            kept
        }
    };
    let loaded = load_bytes(backends, &bytes, format_of(&bytes), path.display().to_string())?;
    if loaded.plan.hash != folded.began.plan_hash {
        return Err(Problem::refused(format!(
            "{} is not the plan that run {run} began with",
            path.display()
        )));
    }
    Ok(loaded)
}
