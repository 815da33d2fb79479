//! The state store: the one value that a command opens.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::claims::{Claims, json, parse};
use super::debts::Debts;
use super::filesystem::{Filesystem, make_folder};
use super::folder::FolderSlots;
use super::inbox::Inbox;
use super::key;
use super::local::{JOURNAL, LocalJournal, Repair};
use super::plans;
use super::proven;
use super::register::Register;
use super::slots::{Created, Slots};
use super::slotted::{LEASES, SlotJournal, Tenancy};
use super::traits::{Journal, JournalError, Line};
use crate::env::{Clock, SystemClock};
use crate::error::{Error, ErrorKind, Result};
use crate::event::Actor;
use crate::ids::RunId;
use crate::time::Timestamp;

const APPLIED: &str = "applied/";
const HEARTBEATS: &str = "heartbeats/";
/// How long a lease lasts that nobody renews.
const LEASE: Duration = Duration::from_secs(30);

/// Everything that outlives a process: runs with their journals and inboxes, claims, debts, the register of bundles,
/// saved plans that were applied, heartbeats of probers. Cheap to clone; clones share it.
///
/// In a folder a run is owned by a lock and lives in `runs/<run>/` with its samples; on a shared store it is owned by
/// a lease, and its local files go to a spool.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), dr_core::Error> {
/// use dr_core::event::Actor;
/// use dr_core::journal::{Filesystem, StateStore};
/// use dr_core::{Env, RunId};
///
/// # let home = std::env::temp_dir().join(format!("dr-doc-{}", std::process::id()));
/// let store = StateStore::folder(&home, Filesystem::Any)?;
/// let alice = Actor { name: "alice".into(), from: "bastion".into() };
/// let run = Env::system().run_id();
/// let journal = store.create_run(&run, &alice).await.unwrap();
/// assert!(store.own_run(&run, false, &alice).await.is_err(), "it has an owner");
/// drop(journal);
/// assert_eq!(store.own_run(&run, false, &alice).await.unwrap().epoch, 1);
/// # std::fs::remove_dir_all(&home).ok();
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
pub struct StateStore {
    slots: Arc<dyn Slots>,
    clock: Arc<dyn Clock>,
    runs: Runs,
}

#[derive(Debug, Clone)]
enum Runs {
    Local { root: PathBuf, on: Filesystem },
    Shared { spool: PathBuf, lease: Duration },
}

/// A run that was taken over.
#[derive(Debug)]
pub struct Owned {
    /// Its journal, ours now.
    pub journal: Box<dyn Journal>,
    /// Every committed line.
    pub lines: Vec<Line>,
    /// What had to be put right.
    pub repair: Repair,
    /// The number of this ownership, for every event that it writes.
    pub epoch: u64,
}

/// Whether a saved plan may be applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Application {
    /// By this run, and by no other.
    Ours,
    /// It was applied before.
    Before(AppliedPlan),
}

/// A saved plan that was applied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppliedPlan {
    /// The saved plan's id.
    pub plan: String,
    /// By which run.
    pub run: RunId,
    /// When.
    pub at: Timestamp,
}

#[derive(Serialize, Deserialize)]
struct Heartbeat {
    name: String,
    value: Value,
}

impl StateStore {
    /// A folder of this machine, made if it is missing.
    ///
    /// # Errors
    /// `Refused` on a network file system, unless `on` says that any will do; else as the disk says.
    pub fn folder(root: &Path, on: Filesystem) -> Result<Self> {
        make_folder(root).map_err(|error| disk("make", root, error))?;
        on.admit(root).map_err(JournalError::into_error)?;
        let runs = Runs::Local { root: root.to_owned(), on };
        Ok(Self { slots: Arc::new(FolderSlots::open(root)?), clock: Arc::new(SystemClock), runs })
    }

    /// A shared store. What belongs on a disk (samples, pieces of the bundle) goes to `spool`.
    pub fn slots(slots: Arc<dyn Slots>, spool: &Path) -> Self {
        let runs = Runs::Shared { spool: spool.to_owned(), lease: LEASE };
        Self { slots, clock: Arc::new(SystemClock), runs }
    }

    /// With another clock.
    #[must_use]
    pub fn with_clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// With another term of the lease, on a shared store.
    #[must_use]
    pub fn with_lease(mut self, term: Duration) -> Self {
        if let Runs::Shared { lease, .. } = &mut self.runs {
            *lease = term;
        }
        self
    }

    /// Whether only this machine sees it. Live runs refuse such a store unless their plan says `state: local`.
    pub fn is_local(&self) -> bool {
        matches!(self.runs, Runs::Local { .. })
    }

    /// Begins a run and owns it, as ownership 1.
    ///
    /// # Errors
    /// [`JournalError::Refused`] if there is such a run already; what the store says.
    pub async fn create_run(&self, run: &RunId, owner: &Actor) -> Result<Box<dyn Journal>, JournalError> {
        check(run)?;
        match &self.runs {
            Runs::Local { on, .. } => Ok(Box::new(LocalJournal::create(&self.run_folder(run), owner, *on)?)),
            Runs::Shared { lease, .. } => {
                let who = Tenancy { owner: owner.clone(), ttl: *lease, take_over: false };
                let (slots, clock) = (Arc::clone(&self.slots), Arc::clone(&self.clock));
                Ok(Box::new(SlotJournal::create(slots, clock, run, &who).await?))
            }
        }
    }

    /// Takes a run over. On a shared store it waits for the end of the lease of an owner who did not release it, unless
    /// `take_over` says not to; a lock is free when its owner is dead, and cannot be taken from one who lives.
    ///
    /// # Errors
    /// [`JournalError::Lost`] if the owner is alive, [`JournalError::NoSuchRun`], [`JournalError::Damaged`].
    pub async fn own_run(&self, run: &RunId, take_over: bool, owner: &Actor) -> Result<Owned, JournalError> {
        check(run)?;
        match &self.runs {
            Runs::Local { on, .. } => {
                let taken = LocalJournal::own(&self.run_folder(run), owner, *on)?;
                let (lines, repair, epoch) = (taken.lines, taken.repair, taken.epoch);
                Ok(Owned { journal: Box::new(taken.journal), lines, repair, epoch })
            }
            Runs::Shared { lease, .. } => {
                let who = Tenancy { owner: owner.clone(), ttl: *lease, take_over };
                let (slots, clock) = (Arc::clone(&self.slots), Arc::clone(&self.clock));
                let (journal, lines, epoch) = SlotJournal::own(slots, clock, run, &who).await?;
                Ok(Owned { journal: Box::new(journal), lines, repair: Repair::default(), epoch })
            }
        }
    }

    /// Every committed line of a run, without owning it.
    ///
    /// # Errors
    /// [`JournalError::NoSuchRun`], [`JournalError::Damaged`], or what the store says.
    pub async fn read_run(&self, run: &RunId) -> Result<Vec<Line>, JournalError> {
        check(run)?;
        match &self.runs {
            Runs::Local { .. } => Ok(LocalJournal::read_only(&self.run_folder(run))?.lines),
            Runs::Shared { .. } => SlotJournal::read_only(&*self.slots, run).await,
        }
    }

    /// The runs, newest last.
    ///
    /// # Errors
    /// What the store says.
    pub async fn runs(&self) -> Result<Vec<RunId>> {
        let mut runs = match &self.runs {
            Runs::Local { root, .. } => local_runs(&root.join("runs"))?,
            Runs::Shared { .. } => {
                let keys = self.slots.list(LEASES).await?;
                let name = |key: &String| key.strip_prefix(LEASES)?.strip_suffix(".json").map(RunId::from);
                keys.iter().filter_map(name).collect()
            }
        };
        runs.sort();
        Ok(runs)
    }

    /// The folder of this machine for a run's samples and pieces of its bundle. [`StateStore::make_run_folder`] makes
    /// it.
    pub fn run_folder(&self, run: &RunId) -> PathBuf {
        match &self.runs {
            Runs::Local { root, .. } => root.join("runs").join(run.as_str()),
            Runs::Shared { spool, .. } => spool.join(run.as_str()),
        }
    }

    /// Makes the run's folder, for this user alone.
    ///
    /// # Errors
    /// As the disk says.
    pub fn make_run_folder(&self, run: &RunId) -> Result<PathBuf> {
        check(run).map_err(JournalError::into_error)?;
        let folder = self.run_folder(run);
        make_folder(&folder).map_err(|error| disk("make", &folder, error))?;
        Ok(folder)
    }

    /// Claims on identities.
    pub fn claims(&self) -> Claims {
        Claims::new(Arc::clone(&self.slots), Arc::clone(&self.clock))
    }

    /// A run's inbox.
    pub fn inbox(&self, run: &RunId) -> Inbox {
        Inbox::new(Arc::clone(&self.slots), Arc::clone(&self.clock), run)
    }

    /// Open debts.
    pub fn debts(&self) -> Debts {
        Debts::new(Arc::clone(&self.slots), Arc::clone(&self.clock))
    }

    /// The register of bundles.
    pub fn bundles(&self) -> Register {
        Register::new(Arc::clone(&self.slots))
    }

    /// Marks a saved plan as applied by `run`: at most one run ever gets [`Application::Ours`]. That run may ask again.
    ///
    /// # Errors
    /// What the store says.
    pub async fn apply_plan(&self, plan: &str, run: &RunId) -> Result<Application> {
        let ours = AppliedPlan { plan: plan.to_owned(), run: run.clone(), at: self.clock.now() };
        let key = format!("{APPLIED}{}.json", key::segment(plan));
        Ok(match self.slots.create(&key, json(&ours)?).await? {
            Created::Yes | Created::Mine => Application::Ours,
            Created::Other(there) => match parse::<AppliedPlan>(&key, &there)? {
                there if there.run == *run => Application::Ours,
                there => Application::Before(there),
            },
        })
    }

    /// Keeps the plan that a run begins with, for whoever resumes it.
    ///
    /// # Errors
    /// What the store says; `Conflict` if another plan is kept for it.
    pub async fn keep_plan(&self, run: &RunId, text: &str) -> Result<()> {
        check(run).map_err(JournalError::into_error)?;
        plans::keep(self.slots.as_ref(), run, text).await
    }

    /// The plan that a run began with. `None`: none was kept.
    ///
    /// # Errors
    /// What the store says.
    pub async fn plan_of(&self, run: &RunId) -> Result<Option<Vec<u8>>> {
        check(run).map_err(JournalError::into_error)?;
        Ok(plans::of(self.slots.as_ref(), run).await?.map(|bytes| bytes.to_vec()))
    }

    /// Proves that it can be read and written from here, by a record under the seat's name.
    ///
    /// # Errors
    /// What the store says.
    pub async fn prove(&self, seat: &str, by: &Actor) -> Result<()> {
        proven::prove(self.slots.as_ref(), seat, by, self.clock.now()).await
    }

    /// Publishes a prober's heartbeat in the place of its last one.
    ///
    /// # Errors
    /// What the store says; `Conflict` if others publish under that name at the same moment, again and again.
    pub async fn put_heartbeat(&self, name: &str, value: Value) -> Result<()> {
        let key = format!("{HEARTBEATS}{}.json", key::segment(name));
        let bytes = json(&Heartbeat { name: name.to_owned(), value })?;
        for _ in 0..5 {
            let put = match self.slots.read(&key).await? {
                Some((_, tag)) => self.slots.replace_if(&key, &tag, bytes.clone()).await?,
                None => matches!(self.slots.create(&key, bytes.clone()).await?, Created::Yes | Created::Mine),
            };
            if put {
                return Ok(());
            }
        }
        let text = "other probers publish under this name";
        Err(Error::new(ErrorKind::Conflict, text).on(name).transient(None).not_happened())
    }

    /// The last heartbeat of each prober, sorted by name. One that cannot be read is left out: it counts for nothing.
    ///
    /// # Errors
    /// What the store says.
    pub async fn heartbeats(&self) -> Result<Vec<(String, Value)>> {
        let mut beats = Vec::new();
        for key in self.slots.list(HEARTBEATS).await? {
            if let Some((bytes, _)) = self.slots.read(&key).await?
                && let Ok(Heartbeat { name, value }) = parse(&key, &bytes)
            {
                beats.push((name, value));
            }
        }
        beats.sort_by(|one, other| one.0.cmp(&other.0));
        Ok(beats)
    }
}

/// A run's name may come from a command line: it must not lead out of its folder.
fn check(run: &RunId) -> Result<(), JournalError> {
    let good = key::check(run.as_str()).is_ok() && !run.as_str().contains('/');
    if good { Ok(()) } else { Err(JournalError::NoSuchRun { run: run.to_string() }) }
}

fn local_runs(folder: &Path) -> Result<Vec<RunId>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(disk("list", folder, error)),
    };
    let mut runs = Vec::new();
    for entry in entries {
        let entry = entry.map_err(|error| disk("list", folder, error))?;
        if let Some(name) = entry.file_name().to_str().filter(|name| key::check(name).is_ok())
            && entry.path().join(JOURNAL).is_file()
        {
            runs.push(RunId::from(name));
        }
    }
    Ok(runs)
}

fn disk(operation: &str, path: &Path, error: io::Error) -> Error {
    Error::new(ErrorKind::Refused, "the state store's folder cannot be used")
        .during(operation)
        .on(path.display().to_string())
        .because(error)
        .not_happened()
}
