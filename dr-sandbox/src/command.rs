//! The commands, as a person types them and as the sandbox starts its own processes.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, Subcommand};
use dr_core::{Error, ErrorKind, Result, Side, Timestamp};
use serde_json::{Value, json};

use crate::agent::{self, Ask};
use crate::state::{self, Layout, State};
use crate::up::{self, Up};
use crate::{agent_of, app, down, inside, load, partition, postgres, process, region, status, world};

/// How long a region may take to be killed or started.
const CHANGE: Duration = Duration::from_secs(60);

/// `dr sandbox`, for a command to embed.
#[derive(Debug, Clone, Args)]
pub struct Sandbox {
    /// The sandbox's folder.
    #[arg(long, value_name = "DIR", default_value = ".dr-sandbox", global = true)]
    pub dir: PathBuf,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What can be done with a sandbox.
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
#[non_exhaustive]
pub enum Command {
    /// Make two regions, a name server and a load, and write a plan for them.
    Up(Up),
    /// Show who is primary, what runs and where callers go.
    Status,
    /// Kill a region with SIGKILL: PostgreSQL and the service; its control stays.
    Break {
        /// source, target, or the side's name.
        side: String,
        /// Cut it off instead, control and all: like `partition`.
        #[arg(long)]
        hard: bool,
    },
    /// Drop every packet between a region and everybody else. Needs root and nftables.
    Partition {
        /// source, target, or the side's name.
        side: String,
    },
    /// Let packets pass, and start everything as it was.
    Heal,
    /// End it all, and remove the folder.
    Down,
    /// Run a program on a region's machine, through its network.
    Exec {
        /// source, target, or the side's name.
        #[arg(long)]
        side: String,
        /// The program and its arguments.
        #[arg(last = true, required = true)]
        argv: Vec<String>,
    },
    /// A region's supervisor and agent.
    #[command(hide = true)]
    Region {
        /// The side's name.
        #[arg(long)]
        side: String,
    },
    /// One process of the service.
    #[command(hide = true)]
    App {
        /// The side's name.
        #[arg(long)]
        side: String,
    },
    /// The writer inside a region.
    #[command(hide = true)]
    Inside {
        /// The side's name.
        #[arg(long)]
        side: String,
    },
    /// The name server, and the end of the sandbox's time.
    #[command(hide = true)]
    World,
    /// The load.
    #[command(hide = true)]
    Load,
}

/// What a command has to say.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Report {
    /// For people; empty if it was all said while it ran.
    pub text: String,
    /// For programs.
    pub data: Value,
    /// The exit code of `exec`'s program; else 0.
    pub code: u8,
}

impl Report {
    fn new(text: impl Into<String>, data: Value) -> Self {
        Self { text: text.into(), data, code: 0 }
    }

    fn silent() -> Self {
        Self::new("", Value::Null)
    }
}

/// Carries out a command on the sandbox in `dir`.
///
/// The internal roles run until the sandbox ends. `exec` uses this process's standard input, output and error.
///
/// # Errors
/// What went wrong. Nothing is left of an `up` that fails.
pub async fn run(dir: &Path, command: Command) -> Result<Report> {
    let layout = Layout::new(dir)?;
    match command {
        Command::Up(options) => {
            let state = up::up(&layout, &options).await?;
            look(&layout, &state).await
        }
        Command::Status => {
            let state = State::read(&layout)?;
            look(&layout, &state).await
        }
        Command::Break { side, hard: false } => break_down(&layout, &side).await,
        Command::Break { side, hard: true } | Command::Partition { side } => cut(&layout, &side).await,
        Command::Heal => heal(&layout).await,
        Command::Down => end(&layout).await,
        Command::Exec { side, argv } => {
            let state = State::read(&layout)?;
            let code = agent::exec(&agent_of(&layout, &state, &state::side(&side)?)?, argv).await?;
            Ok(Report { code, ..Report::silent() })
        }
        Command::Region { side } => region::run(&layout, &Side::new(side)).await.map(|()| Report::silent()),
        Command::App { side } => app::run(&layout, &Side::new(side)).await.map(|()| Report::silent()),
        Command::Inside { side } => inside::run(&layout, &Side::new(side)).await.map(|()| Report::silent()),
        Command::World => world::run(&layout).await.map(|()| Report::silent()),
        Command::Load => load::run(&layout).await.map(|()| Report::silent()),
    }
}

async fn look(layout: &Layout, state: &State) -> Result<Report> {
    let status = status::look(layout, state).await?;
    let data = serde_json::to_value(&status).map_err(|error| Error::invalid("no status").because(error))?;
    Ok(Report::new(status.to_string(), data))
}

async fn break_down(layout: &Layout, side: &str) -> Result<Report> {
    let (state, side) = (State::read(layout)?, state::side(side)?);
    let since = Timestamp::system();
    agent_of(layout, &state, &side)?.ask(Ask::Break, CHANGE).await?;
    Ok(Report::new(
        format!("{side} is broken since {since}: PostgreSQL and the service were killed with SIGKILL"),
        json!({ "side": side, "since": since }),
    ))
}

async fn cut(layout: &Layout, side: &str) -> Result<Report> {
    let (state, side) = (State::read(layout)?, state::side(side)?);
    partition::cut(&state, &side).await?;
    let since = Timestamp::system();
    Ok(Report::new(
        format!("{side} is cut off since {since}: no packet enters or leaves it, and inside all goes on"),
        json!({ "side": side, "since": since }),
    ))
}

async fn heal(layout: &Layout) -> Result<Report> {
    let state = State::read(layout)?;
    match partition::sides(&state).await {
        Some(cut) if cut.is_empty() => {}
        // Not known is treated as cut: removing what is not there does no harm.
        Some(_) => partition::heal(&state).await?,
        None => partition::clean(&state).await?,
    }
    let mut lines = Vec::new();
    for side in state.regions.keys() {
        let agent = agent_of(layout, &state, side)?;
        let healed = match agent.ask(Ask::Heal, CHANGE).await {
            // The agent itself was killed: somebody turns the machine on.
            Err(error) if error.kind() == ErrorKind::Unreachable => {
                up::start_region(layout, &state, side).await?;
                agent.ask(Ask::Heal, CHANGE).await
            }
            healed => healed,
        };
        let staff = healed.map_err(|error| error.on(side.to_string()))?;
        let region = state.region(side)?;
        let server = match process::postmaster(&region.data()) {
            Some(_) => "PostgreSQL runs".to_owned(),
            None => match postgres::barred(&state, region).await? {
                Some(why) => format!("PostgreSQL stays down: {why}"),
                None => "PostgreSQL is down".to_owned(),
            },
        };
        lines.push(format!("{side}: {} of {} serve; {server}", staff.ready, staff.desired));
    }
    Ok(Report::new(lines.join("\n"), Value::Null))
}

async fn end(layout: &Layout) -> Result<Report> {
    let dir = layout.dir().display().to_string();
    match State::read(layout) {
        Ok(state) => {
            down::end(layout, &state).await?;
            Ok(Report::new(format!("the sandbox in {dir} is gone"), Value::Null))
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {
            Ok(Report::new(format!("there is no sandbox in {dir}"), Value::Null))
        }
        Err(error) => Err(error),
    }
}
