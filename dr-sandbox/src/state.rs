//! What a sandbox is and where its things are: the one file that every process of it reads.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::net::SocketAddr;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use dr_core::{Error, ErrorKind, Result, Side, Timestamp};
use serde::{Deserialize, Serialize};

use crate::account::Account;
use crate::fault;
use crate::process::Process;
use crate::subnet::{Place, Subnet};

/// The name of the first region, the source of the plan.
pub(crate) const SOURCE: &str = "us-east-1";
/// The name of the second, its target.
pub(crate) const TARGET: &str = "eu-central-1";
/// The database.
pub(crate) const DATABASE: &str = "orders";
/// The zone.
pub(crate) const ZONE: &str = "example.test";
/// The name that callers use.
pub(crate) const RECORD: &str = "shop.example.test";
/// The key that signs updates of the zone.
pub(crate) const KEY: &str = "dr-key";
/// The workload's name.
pub(crate) const WORKLOAD: &str = "shop";
const VERSION: u32 = 1;

/// The folder of a sandbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Layout {
    dir: PathBuf,
}

impl Layout {
    pub(crate) fn new(dir: &Path) -> Result<Self> {
        let dir = std::path::absolute(dir).map_err(fault::at("find", dir))?;
        Ok(Self { dir: fs::canonicalize(&dir).unwrap_or(dir) })
    }

    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.dir.join("state.json")
    }

    pub(crate) fn plan(&self) -> PathBuf {
        self.dir.join("plan.yaml")
    }

    pub(crate) fn zone(&self) -> PathBuf {
        self.dir.join("zone.json")
    }

    pub(crate) fn load(&self) -> PathBuf {
        self.dir.join("load.json")
    }

    pub(crate) fn inside(&self, side: &Side) -> PathBuf {
        self.dir.join(format!("inside-{side}.json"))
    }

    pub(crate) fn secret(&self, name: &str) -> PathBuf {
        self.dir.join("secrets").join(name)
    }

    pub(crate) fn log(&self, name: &str) -> PathBuf {
        self.dir.join("log").join(format!("{name}.log"))
    }

    fn pids(&self) -> PathBuf {
        self.dir.join("pids")
    }

    /// The folders. The servers' accounts walk through the first, and no further than to their homes.
    pub(crate) fn create(&self) -> Result<()> {
        let secrets = self.dir.join("secrets");
        for (folder, mode) in
            [(&self.dir, 0o755), (&secrets, 0o700), (&self.dir.join("log"), 0o700), (&self.pids(), 0o700)]
        {
            open_folder(folder, mode)?;
        }
        Ok(())
    }

    /// Remembers a process that outlives the command that started it.
    pub(crate) fn record(&self, name: &str, process: Process) -> Result<()> {
        write(&self.pids().join(name), &process)
    }

    /// The process that was recorded under that name, running or not.
    pub(crate) fn recorded(&self, name: &str) -> Option<Process> {
        serde_json::from_str(&fs::read_to_string(self.pids().join(name)).ok()?).ok()
    }

    /// Every process that was recorded.
    pub(crate) fn every_recorded(&self) -> Vec<(String, Process)> {
        let Ok(entries) = fs::read_dir(self.pids()) else { return Vec::new() };
        entries
            .filter_map(|entry| {
                let name = entry.ok()?.file_name().into_string().ok()?;
                Some((name.clone(), self.recorded(&name)?))
            })
            .collect()
    }

    /// A new secret of letters and digits in a file of its own that only its owner reads.
    pub(crate) fn make_secret(&self, name: &str, text: &str) -> Result<()> {
        let path = self.secret(name);
        private(&path, text)
    }

    /// The secret of that name.
    pub(crate) fn read_secret(&self, name: &str) -> Result<String> {
        let path = self.secret(name);
        Ok(fs::read_to_string(&path).map_err(fault::at("read", &path))?.trim_end().to_owned())
    }
}

/// Makes a folder with exactly that mode, whatever the umask.
pub(crate) fn open_folder(folder: &Path, mode: u32) -> Result<()> {
    fs::create_dir_all(folder)
        .and_then(|()| fs::set_permissions(folder, fs::Permissions::from_mode(mode)))
        .map_err(fault::at("create", folder))
}

/// Writes a file that only its owner reads.
pub(crate) fn private(path: &Path, text: &str) -> Result<()> {
    fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .map_err(fault::at("write", path))
}

/// Writes a value as JSON, whole or not at all.
pub(crate) fn write(path: &Path, value: &impl Serialize) -> Result<()> {
    let text = serde_json::to_string_pretty(value)
        .map_err(|error| Error::invalid("it cannot be written as JSON").because(error))?;
    let beside = path.with_extension(format!("{}.new", std::process::id()));
    fs::write(&beside, text).and_then(|()| fs::rename(&beside, path)).map_err(fault::at("write", path))
}

/// A region of the sandbox.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct RegionState {
    /// Where its PostgreSQL listens.
    pub(crate) postgres: SocketAddr,
    /// Where its service listens.
    pub(crate) app: SocketAddr,
    /// Where its agent listens.
    pub(crate) agent: SocketAddr,
    /// PostgreSQL's own folder: configuration and password file, with the data in `pgdata` below.
    pub(crate) home: PathBuf,
    /// Whom it runs as; nobody else if this is null.
    pub(crate) account: Option<Account>,
    /// How many processes serve at first.
    pub(crate) replicas: u32,
}

impl RegionState {
    pub(crate) fn data(&self) -> PathBuf {
        self.home.join("pgdata")
    }

    pub(crate) fn passfile(&self) -> PathBuf {
        self.home.join("passfile")
    }
}

/// A sandbox.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct State {
    version: u32,
    /// Names the firewall table.
    pub(crate) id: String,
    /// The command to start roles with.
    pub(crate) program: PathBuf,
    /// When everything ends by itself.
    pub(crate) until: Timestamp,
    pub(crate) subnet: Subnet,
    /// Where PostgreSQL's programs are.
    pub(crate) bin: PathBuf,
    /// The folder of both regions' homes: the sandbox's own, or one that both accounts reach.
    pub(crate) data: PathBuf,
    /// Where the name server listens.
    pub(crate) dns: SocketAddr,
    pub(crate) regions: BTreeMap<Side, RegionState>,
    /// How many orders a second the load places.
    pub(crate) load: u32,
    /// Whether the plan may accept the source's silence.
    pub(crate) hard: bool,
}

impl State {
    #[expect(clippy::too_many_arguments, reason = "made in one place, from what that place has found")]
    pub(crate) fn new(
        id: String,
        program: PathBuf,
        until: Timestamp,
        subnet: Subnet,
        bin: PathBuf,
        data: PathBuf,
        dns: SocketAddr,
        regions: BTreeMap<Side, RegionState>,
        load: u32,
        hard: bool,
    ) -> Self {
        Self { version: VERSION, id, program, until, subnet, bin, data, dns, regions, load, hard }
    }

    /// Reads the sandbox in that folder.
    pub(crate) fn read(layout: &Layout) -> Result<Self> {
        let path = layout.state();
        let text = fs::read_to_string(&path).map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => Error::new(
                ErrorKind::NotFound,
                format!("there is no sandbox in {}: `dr sandbox up` makes one", layout.dir().display()),
            )
            .not_happened(),
            _ => fault::at("read", &path)(error),
        })?;
        let state: Self = serde_json::from_str(&text).map_err(|error| {
            Error::invalid(format!("{} is not a sandbox's state", path.display())).because(error)
        })?;
        if state.version != VERSION {
            return Err(Error::unsupported(format!(
                "the sandbox in {} was made by another release (version {})",
                layout.dir().display(),
                state.version
            )));
        }
        Ok(state)
    }

    /// The region of a side.
    pub(crate) fn region(&self, side: &Side) -> Result<&RegionState> {
        self.regions.get(side).ok_or_else(|| {
            Error::invalid(format!("there is no side `{side}` in the sandbox: {SOURCE} and {TARGET} are"))
        })
    }

    /// Where a side lies in the subnet.
    pub(crate) fn place(&self, side: &Side) -> Place {
        if side.as_str() == SOURCE { Place::First } else { Place::Second }
    }
}

/// A side by its name or by its part in the plan.
pub(crate) fn side(text: &str) -> Result<Side> {
    match text {
        "source" | SOURCE => Ok(Side::new(SOURCE)),
        "target" | TARGET => Ok(Side::new(TARGET)),
        _ => Err(Error::invalid(format!(
            "`{text}` is no side of the sandbox: source ({SOURCE}) or target ({TARGET})"
        ))),
    }
}
