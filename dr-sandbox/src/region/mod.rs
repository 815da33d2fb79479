//! One region: its machine's agent, the processes of the service, a writer inside, and PostgreSQL.

mod crew;

use std::sync::Arc;
use std::time::Duration;

use dr_core::{Error, ErrorKind, Result, Side};
use tokio::net::TcpListener;
use tokio::process::Command;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::Instant;

use crate::agent::{self, Staff};
use crate::fault;
use crate::leash;
use crate::lifetime;
use crate::postgres;
use crate::process;
use crate::state::{Layout, RegionState, State};
use crew::Crew;

/// How long the dead may take to be gone.
const DYING: Duration = Duration::from_secs(10);

/// A region, as its agent knows it.
pub(crate) struct Region {
    state: State,
    region: RegionState,
    crew: Crew,
}

/// Runs a region until the sandbox ends.
pub(crate) async fn run(layout: &Layout, side: &Side) -> Result<()> {
    // A session of its own: the terminal's signals are not for it. It fails only if it leads one already.
    let _ = rustix::process::setsid();
    // Without it the dead of this region stay unburied where process 1 does not care.
    let _ = rustix::process::set_child_subreaper(Some(rustix::process::getpid()));
    let state = State::read(layout)?;
    let region = state.region(side)?.clone();
    let token = layout.read_secret("agent")?;
    let listener =
        TcpListener::bind(region.agent).await.map_err(fault::io(format!("listen on {}", region.agent)))?;
    let crew = Crew::new(layout.clone(), state.clone(), side.clone());
    crew.want(region.replicas);
    let region = Arc::new(Region { state: state.clone(), region, crew });
    leash::say_ready()?;
    let result = tokio::select! {
        biased;
        () = lifetime::over(layout, &state) => Ok(()),
        result = bury() => result,
        result = agent::serve(listener, token, Arc::clone(&region)) => result,
    };
    region.crew.break_down(DYING).await?;
    region.kill_servers().await?;
    result
}

/// Buries the dead as they die.
async fn bury() -> Result<()> {
    let mut deaths = signal(SignalKind::child()).map_err(fault::io("hear of deaths"))?;
    while deaths.recv().await.is_some() {
        process::bury_orphans();
    }
    Ok(())
}

impl Region {
    /// What runs.
    pub(crate) fn staff(&self) -> Staff {
        self.crew.staff()
    }

    /// Runs that many processes of the service, and returns when they all serve.
    pub(crate) async fn scale(&self, count: u32, within: Duration) -> Result<Staff> {
        if self.crew.staff().broken {
            return Err(Error::refused(
                "everything in the region was killed and is kept down: `dr sandbox heal` starts it again",
            ));
        }
        self.crew.want(count);
        self.crew.settled(Instant::now() + within).await
    }

    /// A program on the region's machine, as the servers' account.
    pub(crate) fn command(&self, argv: &[String]) -> Result<Command> {
        let [name, arguments @ ..] = argv else { return Err(Error::invalid("no program is named")) };
        let mut command = postgres::program(&self.state, &self.region, name);
        command.args(arguments);
        Ok(command)
    }

    /// Kills everything but the agent, with no chance to say goodbye.
    pub(crate) async fn break_down(&self) -> Result<Staff> {
        let (crew, servers) = tokio::join!(self.crew.break_down(DYING), self.kill_servers());
        crew.and(servers)?;
        Ok(self.crew.staff())
    }

    /// Starts it all again, as it was: PostgreSQL too, unless its start gate bars it.
    pub(crate) async fn heal(&self) -> Result<Staff> {
        let down = process::postmaster(&self.region.data()).is_none();
        if down && postgres::barred(&self.state, &self.region).await?.is_none() {
            postgres::start(&self.state, &self.region).await?;
        }
        self.crew.heal();
        self.crew.settled(Instant::now() + DYING).await.or_else(|error| match error.kind() {
            // It was asked to start, and it does: what is slow is told by the next look.
            ErrorKind::NotReady => Ok(self.crew.staff()),
            _ => Err(error),
        })
    }

    async fn kill_servers(&self) -> Result<()> {
        let home = &self.region.home;
        let servers: Vec<_> =
            process::servers_in(home).into_iter().flat_map(process::Process::family).collect();
        process::kill(&servers, DYING).await
    }
}
