//! The end of a sandbox: nothing of it runs, nothing of it filters, nothing of it is left on the disk.

use std::fs;
use std::path::Path;
use std::time::Duration;

use dr_core::Result;
use rustix::process::Signal;
use tokio::process::Command;

use crate::fault;
use crate::partition;
use crate::process::{self, Process};
use crate::state::{Layout, State};

/// How long what was killed may take to be gone.
const DYING: Duration = Duration::from_secs(10);
/// How long a server may take to stop at once.
const STOPPING: Duration = Duration::from_secs(3);
/// How often what was started meanwhile is looked for.
const ROUNDS: usize = 5;

/// The roles that stay: an `exec` or a `status` of somebody else is not ours to end.
const ROLES: [&str; 5] = ["region", "app", "inside", "world", "load"];

/// Everything of the sandbox that runs, but this process.
pub(crate) fn left(layout: &Layout, state: &State) -> Vec<Process> {
    let dir = layout.dir().to_string_lossy().into_owned();
    let roles = process::running(|arguments| {
        arguments.get(1).is_some_and(|word| word == "sandbox")
            && arguments.contains(&dir)
            && arguments.iter().any(|word| ROLES.contains(&word.as_str()))
    });
    let recorded =
        layout.every_recorded().into_iter().map(|(_, process)| process).filter(|process| process.is_alive());
    let servers = state.regions.values().flat_map(|region| process::servers_in(&region.home));
    let mut all: Vec<Process> =
        roles.into_iter().chain(recorded).chain(servers).flat_map(Process::family).collect();
    all.sort();
    all.dedup();
    all.retain(|process| process.pid != std::process::id());
    all
}

/// Takes everything down and removes it.
pub(crate) async fn end(layout: &Layout, state: &State) -> Result<()> {
    // A server that is told to stop at once gives back what a killed one would leave in the kernel.
    let servers: Vec<Process> =
        state.regions.values().filter_map(|region| process::postmaster(&region.data())).collect();
    for server in &servers {
        server.signal(Signal::QUIT);
    }
    // Who does not obey is killed below.
    let _ = process::gone(&servers, STOPPING).await;
    // A supervisor that dies last could have started something in between.
    for _ in 0..ROUNDS {
        let left = left(layout, state);
        if left.is_empty() {
            break;
        }
        process::kill(&left, DYING).await?;
    }
    for region in state.regions.values() {
        if let Some(segment) = process::segment_left(&region.data()) {
            // Where there is no ipcrm the few bytes stay.
            let _ =
                Command::new("ipcrm").args(["-m", &segment.to_string()]).kill_on_drop(true).output().await;
        }
    }
    let cleaned = partition::clean(state).await;
    if !state.data.starts_with(layout.dir()) {
        remove(&state.data)?;
    }
    remove(layout.dir())?;
    cleaned
}

fn remove(folder: &Path) -> Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(fault::at("remove", folder)(error)),
        Ok(()) | Err(_) => Ok(()),
    }
}
