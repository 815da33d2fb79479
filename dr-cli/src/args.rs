//! What a person can type.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

/// Carries a service from a failing region to a healthy one, and proves what happened.
#[derive(Debug, Parser)]
#[command(name = "dr", version, max_term_width = 100, after_help = crate::exit::TABLE)]
pub(crate) struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Everything that `dr` does.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Says what is wrong with a plan before it runs. Needs no credentials and no network.
    Check(PlanArgs),
    /// Proves from this very seat every credential, route and permission that a run needs, as if the source were gone.
    Ready(ReadyArgs),
    /// The dry run, as a diff: what is, what would be, and what a dry run cannot try.
    Plan(PlanRun),
    /// Carries the service over: the source is lost or failing.
    Failover(RunArgs),
    /// Carries the service over as planned: loses nothing, or does not switch.
    Switchover(RunArgs),
    /// Carries the service back as planned: target to source, losing nothing.
    Failback(RunArgs),
    /// Rehearses the plan for real: a switchover, or with --hard as if the source were lost.
    Drill(DrillArgs),
    /// Goes on with a run that was interrupted, held, or whose process died.
    Resume(ResumeArgs),
    /// Ends a run: puts back what was done where that is still allowed.
    Abort(SteerArgs),
    /// Lets an approval step of a running run pass.
    Approve(ApproveArgs),
    /// Who is primary, who can write, where callers go; and the run that is open, if any.
    Status(StatusArgs),
    /// The runs so far, newest last.
    History(StateArgs),
    /// Pays the debts of a failover: makes the old primary a standby again.
    Protect(RunArgs),
    /// Waits for a side whose silence was accepted, and fences it the moment it returns.
    Guard(GuardArgs),
    /// Measures as a client: asks the real service, and with --keep goes on until it is stopped.
    Measure(MeasureArgs),
    /// Which run holds which resource.
    Claims(ClaimsArgs),
    /// The bound plan as commands to type when `dr` itself cannot run.
    Runbook(PlanArgs),
    /// Looks at evidence bundles.
    #[command(subcommand)]
    Evidence(EvidenceCommand),
    /// The JSON schema of plans, for editors.
    Schema,
    /// Completions for a shell.
    Completions {
        /// Which shell.
        shell: clap_complete::Shell,
    },
}

impl Command {
    /// How it tells its run, if it drives one.
    pub(crate) fn tells_a_run(&self) -> Option<&TellArgs> {
        match self {
            Self::Plan(args) => Some(&args.tell),
            Self::Failover(args) | Self::Switchover(args) | Self::Failback(args) | Self::Protect(args) => {
                Some(&args.tell)
            }
            Self::Drill(args) => Some(&args.run.tell),
            Self::Resume(args) => Some(&args.steer.tell),
            Self::Abort(args) => Some(&args.tell),
            Self::Guard(args) => Some(&args.run.tell),
            Self::Check(_)
            | Self::Ready(_)
            | Self::Approve(_)
            | Self::Status(_)
            | Self::History(_)
            | Self::Measure(_)
            | Self::Claims(_)
            | Self::Runbook(_)
            | Self::Evidence(_)
            | Self::Schema
            | Self::Completions { .. } => None,
        }
    }
}

/// Which plan, in which direction.
#[derive(Debug, Clone, Args)]
pub(crate) struct PlanArgs {
    /// The plan.
    #[arg(default_value = "dr.yaml", env = "DR_PLAN")]
    pub plan: PathBuf,
    /// The side that serves now. Default: the plan's source.
    #[arg(long, value_name = "REGION")]
    pub from: Option<String>,
    /// The side that shall serve. Default: the plan's target.
    #[arg(long, value_name = "REGION")]
    pub to: Option<String>,
    /// Where runs, claims and debts are kept. Default: as the plan says.
    #[arg(long, value_name = "FOLDER|URL", env = "DR_STATE")]
    pub state: Option<String>,
}

/// How to tell what happens.
#[derive(Debug, Clone, Args)]
pub(crate) struct TellArgs {
    /// One JSON object a line on standard output: a version line first, the summary last.
    #[arg(long)]
    pub json: bool,
    /// Tell every event.
    #[arg(long, short)]
    pub verbose: bool,
    /// Where evidence bundles go.
    #[arg(long, value_name = "DIR", default_value = "evidence", env = "DR_EVIDENCE")]
    pub evidence: PathBuf,
}

/// `dr plan`.
#[derive(Debug, Args)]
pub(crate) struct PlanRun {
    /// Which plan.
    #[command(flatten)]
    pub plan: PlanArgs,
    /// How to tell it.
    #[command(flatten)]
    pub tell: TellArgs,
    /// Look as a run without the source would.
    #[arg(long)]
    pub unplanned: bool,
    /// Save what was found; `dr failover FILE` applies it at most once, and only to the state it was made for.
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// A live run.
#[derive(Debug, Clone, Args)]
pub(crate) struct RunArgs {
    /// Which plan.
    #[command(flatten)]
    pub plan: PlanArgs,
    /// How to tell it.
    #[command(flatten)]
    pub tell: TellArgs,
    /// Change nothing; show what would be done.
    #[arg(long)]
    pub dry_run: bool,
    /// Do not ask for the plan's name. Never covers an unknown loss.
    #[arg(long, short)]
    pub yes: bool,
    /// Skip the gate "is there a way back?".
    #[arg(long)]
    pub skip_rollback: bool,
    /// Pass this gate all the same: a finding's or hazard's code, or a step. Needs --reason.
    #[arg(long = "override", value_name = "GATE", requires = "reason")]
    pub overrides: Vec<String>,
    /// Why a gate is passed. The evidence shows it.
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
    /// When the outage began, if no always-on prober saw it: 2026-11-21T02:00:00Z.
    #[arg(long, value_name = "TIME")]
    pub outage_since: Option<String>,
    /// Stay after a failover that accepted silence, and guard against the old side's return.
    #[arg(long)]
    pub stay: bool,
}

/// `dr drill`.
#[derive(Debug, Args)]
pub(crate) struct DrillArgs {
    /// As any live run.
    #[command(flatten)]
    pub run: RunArgs,
    /// As if the source were lost.
    #[arg(long)]
    pub hard: bool,
}

/// Which run.
#[derive(Debug, Clone, Args)]
pub(crate) struct SteerArgs {
    /// The plan whose run it is.
    #[command(flatten)]
    pub plan: PlanArgs,
    /// The run. Default: the plan's open one.
    #[arg(long)]
    pub run: Option<String>,
    /// Why.
    #[arg(long, default_value = "")]
    pub reason: String,
    /// How to tell it.
    #[command(flatten)]
    pub tell: TellArgs,
}

/// `dr resume`.
#[derive(Debug, Args)]
pub(crate) struct ResumeArgs {
    /// Which run.
    #[command(flatten)]
    pub steer: SteerArgs,
    /// Take the run over although its owner may still be alive.
    #[arg(long)]
    pub take_over: bool,
    /// Take a step as done; refused if the world says otherwise.
    #[arg(long, value_name = "STEP", requires = "reason")]
    pub done: Vec<String>,
    /// Leave a step out; never a fence or a promotion.
    #[arg(long, value_name = "STEP", requires = "reason")]
    pub skip: Vec<String>,
    /// Go on without the source: what may be lost is bounded and accepted as the plan says. A running run is asked.
    #[arg(long)]
    pub unplanned: bool,
}

/// `dr approve`.
#[derive(Debug, Args)]
pub(crate) struct ApproveArgs {
    /// The step that waits: `phase/approve`.
    pub step: String,
    /// Which run.
    #[command(flatten)]
    pub steer: SteerArgs,
}

/// `dr ready`.
#[derive(Debug, Args)]
pub(crate) struct ReadyArgs {
    /// Which plan.
    #[command(flatten)]
    pub plan: PlanArgs,
    /// The source is there: prove what is done to it as well.
    #[arg(long)]
    pub with_source: bool,
    /// As JSON.
    #[arg(long)]
    pub json: bool,
}

/// `dr status`.
#[derive(Debug, Args)]
pub(crate) struct StatusArgs {
    /// Which plan.
    #[command(flatten)]
    pub plan: PlanArgs,
    /// As JSON.
    #[arg(long)]
    pub json: bool,
}

/// Which state store.
#[derive(Debug, Args)]
pub(crate) struct StateArgs {
    /// The plan.
    #[command(flatten)]
    pub plan: PlanArgs,
    /// As JSON.
    #[arg(long)]
    pub json: bool,
}

/// `dr guard`.
#[derive(Debug, Args)]
pub(crate) struct GuardArgs {
    /// As any live run.
    #[command(flatten)]
    pub run: RunArgs,
    /// End after so long, though the side has not returned.
    #[arg(long = "for", value_name = "TIME")]
    pub time: Option<humantime::Duration>,
}

/// `dr measure`.
#[derive(Debug, Args)]
pub(crate) struct MeasureArgs {
    /// Which plan.
    #[command(flatten)]
    pub plan: PlanArgs,
    /// Go on until stopped, and leave a heartbeat in the state store for runs to read.
    #[arg(long)]
    pub keep: bool,
    /// With --keep: keep samples too, so that a run knows what callers went through before it began.
    #[arg(long, requires = "keep")]
    pub samples: bool,
    /// With --keep: write the plan's ledgers too, so that a run knows which acknowledged writes are lost.
    #[arg(long, requires = "samples")]
    pub ledger: bool,
    /// Under which name the heartbeat is left.
    #[arg(long, default_value = "prober")]
    pub name: String,
    /// Where it sits: a side's name, or outside.
    #[arg(long, default_value = "outside")]
    pub seat: String,
    /// How often it asks.
    #[arg(long, default_value = "1s")]
    pub every: humantime::Duration,
    /// For how long. Default without --keep: 10s.
    #[arg(long = "for", value_name = "TIME")]
    pub time: Option<humantime::Duration>,
    /// As JSON.
    #[arg(long)]
    pub json: bool,
}

/// `dr claims`.
#[derive(Debug, Args)]
pub(crate) struct ClaimsArgs {
    /// Which plan's state store.
    #[command(flatten)]
    pub plan: PlanArgs,
    /// Release this claim by hand. Needs --reason.
    #[arg(long, value_name = "IDENTITY", requires = "reason")]
    pub release: Option<String>,
    /// Why.
    #[arg(long)]
    pub reason: Option<String>,
    /// As JSON.
    #[arg(long)]
    pub json: bool,
}

/// `dr evidence`.
#[derive(Debug, Subcommand)]
pub(crate) enum EvidenceCommand {
    /// Checks every byte of a bundle, and each bundle's link to the one before.
    Verify {
        /// Bundles, or folders of bundles.
        #[arg(required = true)]
        bundles: Vec<PathBuf>,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Shows a bundle's summary.
    Show {
        /// The bundle.
        bundle: PathBuf,
    },
}
