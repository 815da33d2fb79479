//! `dr failover`, `switchover`, `failback`, `drill`: a live run from its checks to its bundle.

use std::sync::Arc;

use dr_core::engine::{Drive, Means};
use dr_core::event::{Began, DebtKind, FORMAT, Mode, Override};
use dr_core::journal::Claimed;
use dr_core::plan::{Finding, OnFailure};
use dr_core::resource::{AcceptLoss, Call, Promote, Roles, Urgency};
use dr_core::runbook::{Binding, Runbook, Script};
use dr_core::time::show_duration;
use dr_core::{Backends, Env, Identity, Timestamp};

use crate::actor;
use crate::args::RunArgs;
use crate::bound::{Loaded, load};
use crate::confirm;
use crate::exit::Exit;
use crate::heard::{self, OutageHeard, Probers};
use crate::pilot::{self, PLAN, Pilot};
use crate::problem::{Outcome, Problem};
use crate::saved::Saved;
use crate::seats::{Events, Order, Seats};
use crate::secrets;
use crate::state;

/// What kind of run it is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Kind {
    /// The mode.
    pub mode: Mode,
    /// Whether it insists on losing nothing.
    pub urgency: Urgency,
    /// Whether source and target change places.
    pub back: bool,
}

impl Kind {
    /// What a failure before the point of no return does: a planned run puts back, an unplanned one holds what helps
    /// the target; the plan may say otherwise.
    fn on_failure(self, loaded: &Loaded) -> OnFailure {
        loaded.plan.on_failure.unwrap_or(match self.urgency {
            Urgency::Planned => OnFailure::Undo,
            Urgency::Unplanned => OnFailure::Hold,
        })
    }
}

/// A live run of a plan's own phases.
pub(crate) async fn run(backends: &Backends, args: &RunArgs, kind: Kind) -> Outcome {
    let saved = Saved::read_if_one(&args.plan.plan)?;
    let loaded = match &saved {
        Some(saved) => saved.load(backends)?,
        None => load(backends, &args.plan.plan)?,
    };
    let roles = match &saved {
        Some(saved) => saved.roles.clone(),
        None => loaded.roles(&args.plan, kind.back)?,
    };
    let script = loaded.checked(&roles, kind.urgency, &args.overrides)?;
    if args.dry_run {
        return super::plan::preview(loaded, script, &roles, kind.urgency, args).await;
    }
    has_a_way_back(&loaded, &script, args)?;
    if let Some(saved) = &saved {
        no_drift(saved, &loaded, &script, &roles, kind.urgency, args).await?;
    }
    begin(Arc::new(loaded), script, roles, args, kind, saved.as_ref()).await
}

/// A saved plan is applied only to the state that it was made for.
async fn no_drift(
    saved: &Saved,
    loaded: &Loaded,
    script: &Script,
    roles: &Roles,
    urgency: Urgency,
    args: &RunArgs,
) -> Outcome<()> {
    let quiet = super::plan::Tell::Nothing;
    let now = super::plan::look(loaded, script.clone(), roles, urgency, &args.plan, quiet).await?;
    let drift = saved.drift(&now.state, urgency);
    if drift.is_empty() {
        return Ok(());
    }
    Err(Problem::refused(format!("the world has moved since the plan was made: {}", drift.join("; ")))
        .help("look again and save anew: dr plan PLAN -o FILE"))
}

/// The gate that `--skip-rollback` skips: every store that is promoted can be made a copy again.
fn has_a_way_back(loaded: &Loaded, script: &Script, args: &RunArgs) -> Outcome<()> {
    if args.skip_rollback {
        return Ok(());
    }
    let promoted = script
        .steps
        .iter()
        .filter(|step| step.verb == Promote::VERB)
        .filter_map(|step| step.resource.as_ref());
    for name in promoted {
        if !loaded.configured.get(name).is_some_and(|one| one.verbs().contains(&"follow")) {
            return Err(Problem::refused(format!(
                "there is no way back for `{name}`: it cannot be made a copy again"
            ))
            .help("--skip-rollback goes on without one"));
        }
    }
    Ok(())
}

/// From here on a compiled, checked script: the gates of the state store, the confirmation, the run.
pub(crate) async fn begin(
    loaded: Arc<Loaded>,
    script: Script,
    roles: Roles,
    args: &RunArgs,
    kind: Kind,
    saved: Option<&Saved>,
) -> Outcome {
    let env = Env::system();
    let redactor = secrets::redactor().clone();
    let state = state::open(&loaded, &args.plan).await?;
    state.fit_for_live(&loaded, &args.plan)?;
    if kind.mode != Mode::Protect && kind.mode != Mode::Guard {
        no_debts(&state, &loaded, args).await?;
    }
    let resources = loaded.connect(&env, &redactor).await?;
    let heard = outage(&state, &loaded, args, &env).await?;
    ask(&loaded, &script, &roles, args, kind, &heard, &env)?;

    let run = env.run_id();
    let actor = actor::here();
    let identities = identities(&loaded, kind);
    let watchers = Probers { store: state.store.clone(), plan: loaded.plan.clone(), roles: roles.clone() };
    let binding = Binding::new(roles.clone()).watched_by(Arc::new(watchers)).since(heard.since);
    let runbook =
        Runbook::bind(script.clone(), resources.clone(), &binding).map_err(|findings| unbound(&findings))?;
    let began = Began {
        run: run.clone(),
        format: FORMAT,
        tool: format!("dr {}", env!("CARGO_PKG_VERSION")),
        mode: kind.mode,
        urgency: kind.urgency,
        on_failure: kind.on_failure(&loaded),
        actor: actor.clone(),
        plan: loaded.plan.name.clone(),
        plan_hash: loaded.plan.hash.clone(),
        roles: roles.clone(),
        budget: loaded.plan.budget.clone(),
        outages: loaded.plan.measure.outages.clone(),
        losses: loaded.plan.measure.losses.clone(),
        identities: identities.clone(),
        overrides: overrides(args),
        emulated: loaded.emulated(),
        outage_since: heard.since,
        outage_declared: args.outage_since.is_some(),
        detected: heard.detected,
        script,
    };
    // The journal is owned before anything is claimed: who finds the claims of a run without a first event can tell
    // whether its process is about to write that event or is dead.
    let journal = state.store.create_run(&run, &actor).await?;
    if let Claimed::Held(claim) = state.claim(&run, &identities, &actor).await? {
        return Err(pilot::claimed(&claim, &loaded.path));
    }
    let order = Order {
        run: run.clone(),
        outages: loaded.plan.measure.outages.clone(),
        losses: loaded.plan.measure.losses.clone(),
        roles,
        binds_from: env.now(),
        folder: state.store.run_folder(&run),
        events: Events::default(),
        good_until: heard.good_until,
        kept: heard.kept.clone(),
        settled_until: state.settled_until(&loaded.plan.name).await?,
    };
    let started: Outcome<(Pilot, Drive)> = async {
        prepare(&state, &loaded, &run, saved).await?;
        let mut pilot = Pilot::new(&state.store, &run, &args.tell, &[])?;
        let order = Order { events: pilot.events(), ..order };
        let seats =
            Seats::start(order, Arc::clone(&loaded), resources, env.clone(), redactor.clone(), pilot.seats())
                .await?;
        let hooks = pilot.hooks().with_finish(Box::new(seats));
        let means = Means { journal, env, redactor: redactor.clone(), hooks };
        let drive = Drive::begin(began, runbook, means).await?;
        Ok((pilot, drive))
    }
    .await;
    let (pilot, drive) = match started {
        Ok(started) => started,
        Err(problem) => {
            // Nothing was touched; should its first event be there all the same, a resume claims anew.
            state.store.claims().release(&run).await?;
            return Err(problem);
        }
    };
    let driven = pilot.fly(drive).await;
    let findings = acknowledged(&loaded, &driven.state.began.roles, kind.urgency);
    pilot.land(&driven, &findings, &redactor).await
}

/// What `dr check` acknowledged, for the evidence.
pub(crate) fn acknowledged(loaded: &Loaded, roles: &Roles, urgency: Urgency) -> Vec<Finding> {
    loaded.check(roles, urgency).map(|(_, findings)| findings).unwrap_or_default()
}

/// A script that cannot be bound here.
pub(crate) fn unbound(findings: &[Finding]) -> Problem {
    let told: Vec<String> = findings.iter().map(|finding| finding.message.clone()).collect();
    Problem::refused(told.join("; ")).help("use the release and the backends that the plan was made for")
}

async fn no_debts(state: &state::State, loaded: &Loaded, args: &RunArgs) -> Outcome<()> {
    let owed = state.store.debts().list().await?;
    let ours: Vec<String> = owed
        .iter()
        .filter(|debt| loaded.plan.resources.contains_key(&debt.debt.resource))
        .filter(|debt| debt.debt.kind != DebtKind::Archive)
        .filter(|_| !args.overrides.iter().any(|gate| gate == "debts"))
        .map(ToString::to_string)
        .collect();
    if ours.is_empty() {
        return Ok(());
    }
    Err(Problem::refused(format!("an earlier failover is not paid for: {}", ours.join("; ")))
        .help("`dr protect` pays; --override debts --reason TEXT goes on without"))
}

async fn outage(state: &state::State, loaded: &Loaded, args: &RunArgs, env: &Env) -> Outcome<OutageHeard> {
    let beats = heard::heartbeats(&state.store, &loaded.plan).await?;
    let heard = heard::outage(&beats, env.now());
    if let Some(text) = &args.outage_since {
        let since: Timestamp = text.parse().map_err(|_| {
            Problem::new(Exit::Usage, format!("`{text}` is no time")).help("write it as 2026-11-21T02:00:00Z")
        })?;
        return Ok(OutageHeard { since: Some(since), ..heard });
    }
    Ok(heard)
}

/// Says with numbers what is about to happen, and asks.
fn ask(
    loaded: &Loaded,
    script: &Script,
    roles: &Roles,
    args: &RunArgs,
    kind: Kind,
    heard: &OutageHeard,
    env: &Env,
) -> Outcome<()> {
    if kind.mode == Mode::Guard {
        return Ok(());
    }
    let losses = accepted_losses(script);
    let unknown = losses.contains(&AcceptLoss::Unknown) && kind.urgency == Urgency::Unplanned;
    if !args.yes {
        anstream::eprintln!("{} {}: {} → {}", kind.mode, loaded.plan.name, roles.source, roles.target);
        if let Some(since) = heard.since {
            anstream::eprintln!("  callers are out for {}", show_duration(env.now().since(since)));
        }
        if kind.urgency == Urgency::Unplanned {
            for loss in &losses {
                match loss {
                    AcceptLoss::AtMost(time) => {
                        anstream::eprintln!("  may lose up to {} of writes", show_duration(*time))
                    }
                    AcceptLoss::Unknown => anstream::eprintln!("  may lose an UNKNOWN amount of writes"),
                }
            }
        }
        if let Some(step) =
            script.steps.iter().find(|step| step.class == dr_core::resource::Class::PointOfNoReturn)
        {
            anstream::eprintln!("  cannot be undone from {} on", step.id);
        }
    }
    let told = args.overrides.iter().any(|gate| gate == "unknown-loss");
    if unknown && args.yes && !told {
        return Err(Problem::refused("the plan accepts an unknown loss, and --yes never covers that")
            .help("answer on a terminal, or say --override unknown-loss --reason TEXT"));
    }
    confirm::by_name(&loaded.plan.name, args.yes)
}

fn accepted_losses(script: &Script) -> Vec<AcceptLoss> {
    script
        .steps
        .iter()
        .filter(|step| step.verb == Promote::VERB)
        .filter_map(|step| serde_json::from_value::<Promote>(step.call.clone()).ok())
        .filter_map(|call| call.accept_loss)
        .collect()
}

/// A guard runs beside nothing else on the same resources but does not hold them against a `protect`.
fn identities(loaded: &Loaded, kind: Kind) -> Vec<Identity> {
    let mut all: Vec<Identity> = loaded.configured.values().flat_map(|one| one.identities()).collect();
    if kind.mode == Mode::Guard {
        all = all.into_iter().map(|identity| Identity::new(format!("guard:{identity}"))).collect();
    }
    all.sort();
    all.dedup();
    all
}

/// The run's folder gets the plan; a saved plan is marked as applied.
async fn prepare(
    state: &state::State,
    loaded: &Loaded,
    run: &dr_core::RunId,
    saved: Option<&Saved>,
) -> Outcome<()> {
    let folder = state.store.make_run_folder(run).map_err(state::unusable)?;
    std::fs::write(folder.join(PLAN), loaded.plan.text.as_bytes()).map_err(|error| {
        Problem::new(Exit::JournalLost, format!("{} cannot be written: {error}", folder.display()))
    })?;
    state.store.keep_plan(run, &loaded.plan.text).await.map_err(state::unusable)?;
    match saved {
        Some(saved) => saved.apply_once(&state.store, run).await,
        None => Ok(()),
    }
}

fn overrides(args: &RunArgs) -> Vec<Override> {
    let reason = args.reason.clone().unwrap_or_default();
    let mut all: Vec<Override> =
        args.overrides.iter().map(|gate| Override { gate: gate.clone(), reason: reason.clone() }).collect();
    if args.skip_rollback {
        all.push(Override { gate: "rollback".to_owned(), reason: "--skip-rollback".to_owned() });
    }
    all
}
