//! Opening the state store that a plan names.

use std::path::{Path, PathBuf};

use dr_core::RunId;
use dr_core::event::{Event, RunState};
use dr_core::journal::{Line, StateStore};

use crate::args::PlanArgs;
use crate::bound::Loaded;
use crate::problem::{Outcome, Problem};

/// The store, where it is, and whether more than this machine sees it.
#[derive(Debug)]
pub(crate) struct State {
    /// The store.
    pub store: StateStore,
    /// Where, for people.
    pub at: String,
}

/// Opens the store of a plan. A relative folder is meant from the plan's own folder: two shells that run one plan from
/// two folders meet in it.
pub(crate) async fn open(loaded: &Loaded, args: &PlanArgs) -> Outcome<State> {
    let at = args.state.clone().unwrap_or_else(|| loaded.plan.state.at.clone());
    let at = if args.state.is_none() && is_relative_folder(&at) {
        let beside = Path::new(&loaded.path).parent().unwrap_or(Path::new("."));
        beside.join(&at).display().to_string()
    } else {
        at
    };
    let store = dr_store::open_with_env(&at, &spool()).map_err(|error| {
        Problem::new(
            crate::exit::Exit::JournalLost,
            format!("the state store {at} cannot be opened: {}", error.chain()),
        )
        .help("name another with --state, or put it right and try again; nothing was touched")
    })?;
    Ok(State { store, at })
}

fn is_relative_folder(at: &str) -> bool {
    !at.contains(':') && Path::new(at).is_relative()
}

fn spool() -> PathBuf {
    std::env::temp_dir().join("dr-spool")
}

impl State {
    /// A live run needs a store that outlives this machine, unless the plan or the person says that this one will do.
    pub(crate) fn fit_for_live(&self, loaded: &Loaded, args: &PlanArgs) -> Outcome<()> {
        if !self.store.is_local() || loaded.plan.state.local || args.state.is_some() {
            return Ok(());
        }
        Err(Problem::refused(format!("the state store {} is seen by this machine only", self.at)).help(
            "if that is meant, write `state: { at: .dr, local: true }` in the plan; else name an object store, s3://bucket/prefix",
        ))
    }

    /// The newest run of a plan that has not ended.
    pub(crate) async fn open_run(&self, plan: &str) -> Outcome<Option<(RunId, RunState)>> {
        let mut runs = self.store.runs().await?;
        runs.reverse();
        for run in runs {
            let lines = self.store.read_run(&run).await?;
            if let Some(state) = replayed(&run, &lines)?
                && state.ended.is_none()
                && state.began.plan == plan
                && state.began.mode.is_live()
            {
                return Ok(Some((run, state)));
            }
        }
        Ok(None)
    }
}

/// The state that a run's lines fold to; `None` if it never began.
pub(crate) fn replayed(run: &RunId, lines: &[Line]) -> Outcome<Option<RunState>> {
    RunState::replay(lines.iter().map(|line| &line.entry)).map_err(|error| {
        Problem::new(crate::exit::Exit::JournalLost, format!("run {run} cannot be read: {error}"))
    })
}

/// Whether a journal holds an event that this release does not know.
pub(crate) fn is_from_a_later_release(lines: &[Line]) -> bool {
    lines.iter().any(|line| line.entry.event == Event::Unknown)
}
