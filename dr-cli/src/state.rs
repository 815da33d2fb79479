//! Opening the state store that a plan names.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use dr_core::event::{Actor, Event, Mode, RunState};
use dr_core::journal::{Claimed, Line, StateStore};
use dr_core::{Identity, RunId, Timestamp};

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

/// The state store cannot be written before a run has touched anything.
pub(crate) fn unusable(error: dr_core::Error) -> Problem {
    Problem::new(crate::exit::Exit::JournalLost, error.chain())
        .help("put the state store right, or name another with --state; nothing was touched")
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

    /// The newest run of a plan that has not ended, or whose process died between its end and freeing its claims. A
    /// guard waits beside others: it counts only where nothing else is open.
    pub(crate) async fn open_run(&self, plan: &str) -> Outcome<Option<(RunId, RunState)>> {
        let mut runs = self.store.runs().await?;
        runs.reverse();
        let holders: BTreeSet<RunId> =
            self.store.claims().list().await?.into_iter().map(|claim| claim.run).collect();
        let mut guard = None;
        for run in runs {
            let lines = self.store.read_run(&run).await?;
            let Some(state) = replayed(&run, &lines)? else { continue };
            let open = state.ended.is_none() || holders.contains(&run);
            if !open || state.began.plan != plan || !state.began.mode.is_live() {
                continue;
            }
            if state.began.mode != Mode::Guard {
                return Ok(Some((run, state)));
            }
            guard.get_or_insert((run, state));
        }
        Ok(guard)
    }

    /// Claims for a run that this process owns. What a run claims that died before its first event belongs to nobody:
    /// it is freed, and the claims are tried again.
    pub(crate) async fn claim(
        &self,
        run: &RunId,
        identities: &[Identity],
        actor: &Actor,
    ) -> Outcome<Claimed> {
        let claims = self.store.claims();
        loop {
            let held = match claims.take(run, identities, actor).await.map_err(unusable)? {
                Claimed::All => return Ok(Claimed::All),
                Claimed::Held(claim) => claim,
            };
            if !self.never_began(&held.run, actor).await {
                return Ok(Claimed::Held(held));
            }
            claims.release(&held.run).await?;
        }
    }

    /// Whether a run's process died before its first event. Its journal is owned for the moment of looking: nobody who
    /// is alive is mistaken for dead.
    async fn never_began(&self, run: &RunId, actor: &Actor) -> bool {
        match self.store.read_run(run).await {
            Ok(lines) if lines.is_empty() => {}
            Ok(_) | Err(_) => return false,
        }
        let owned = self.store.own_run(run, false, actor).await;
        owned.is_ok_and(|owned| owned.lines.is_empty())
    }
}

impl State {
    /// When the newest run of a plan that moved its writer ended. Rows that were acknowledged before are that run's
    /// account, not a later one's.
    pub(crate) async fn settled_until(&self, plan: &str) -> Outcome<Option<Timestamp>> {
        let mut runs = self.store.runs().await?;
        runs.reverse();
        for run in runs {
            let lines = self.store.read_run(&run).await?;
            if let Some(state) = replayed(&run, &lines)?
                && state.ended.is_some()
                && state.began.plan == plan
                && state.is_past_no_return()
            {
                return Ok(Some(state.last_at));
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
