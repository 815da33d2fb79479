//! Two real regions on one machine, to see `dr` work: a PostgreSQL primary and its streaming standby, a service in
//! several processes on each side, a name server that takes signed updates, callers, and a firewall to cut them off.
//!
//! Nothing in it is simulated but the distance. Each sandbox has a loopback subnet of its own, `127.<n>.0.0/16`, with
//! one region in `127.<n>.1.0/24` and the other in `127.<n>.2.0/24`; everything else is outside. A region is reached by
//! its addresses only, its control included: what is cut off is cut off for `dr` too.
//!
//! It is no test kit: backends are tested with `dr-testkit`. Next door are `dr-postgres` and `dr-net`, whose backends
//! the plan that `up` writes uses; the kind `sandbox-app` is this crate's own.
//!
//! ```no_run
//! use dr_sandbox::{Command, Up, run};
//! # async fn story() -> dr_core::Result<()> {
//! let dir = std::path::Path::new(".dr-sandbox");
//! println!("{}", run(dir, Command::Up(Up::default())).await?.text);
//! run(dir, Command::Break { side: "source".to_owned(), hard: false }).await?;
//! run(dir, Command::Down).await?;
//! # Ok(())
//! # }
//! ```
//!
//! Every process of a sandbox ends with it: at `down`, when its folder is removed, or when its time is over.

mod account;
mod agent;
mod app;
mod backend;
mod command;
mod dns;
mod down;
mod fault;
mod http;
mod inside;
mod leash;
mod lifetime;
mod load;
mod partition;
mod plan;
mod postgres;
mod process;
mod region;
mod state;
mod status;
mod subnet;
mod up;
mod wire;
mod world;

pub use backend::{SandboxApp, backend};
pub use command::{Command, Report, Sandbox, run};
pub use up::Up;

/// The agent of a side, with the right to ask it.
fn agent_of(
    layout: &state::Layout,
    state: &state::State,
    side: &dr_core::Side,
) -> dr_core::Result<agent::Agent> {
    Ok(agent::Agent::new(state.region(side)?.agent, layout.read_secret("agent")?))
}
