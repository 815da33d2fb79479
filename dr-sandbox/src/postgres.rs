//! The pair of PostgreSQL servers: made once, started again as they were.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use dr_core::{Error, ErrorKind, Result, Side};
use tokio::process::Command;
use tokio::time::timeout;

use crate::account::Account;
use crate::fault;
use crate::state::{DATABASE, Layout, RegionState, State, TARGET};
use crate::wire::Database;

/// The administrator's role, which `dr` logs in as.
pub(crate) const ADMIN: &str = "dr";
/// The service's role.
pub(crate) const APP: &str = "app";
/// The role that copies.
const REPLICATOR: &str = "replicator";
/// How long one of PostgreSQL's programs may take.
const PROGRAM: Duration = Duration::from_secs(60);

/// Where PostgreSQL's programs are: on the search path, else the distribution's newest.
pub(crate) fn find_programs() -> Result<PathBuf> {
    let wanted = ["initdb", "pg_ctl", "pg_basebackup", "postgres"];
    let complete = |folder: &Path| wanted.iter().all(|program| folder.join(program).is_file());
    let path = std::env::var_os("PATH").unwrap_or_default();
    if let Some(folder) = std::env::split_paths(&path).find(|folder| complete(folder)) {
        return Ok(folder);
    }
    let mut versions: Vec<(u32, PathBuf)> = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .filter_map(|entry| {
            let entry = entry.ok()?;
            Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin")))
        })
        .filter(|(_, folder)| complete(folder))
        .collect();
    versions.sort();
    versions.pop().map(|(_, folder)| folder).ok_or_else(|| {
        Error::new(
            ErrorKind::NotFound,
            "no PostgreSQL server programs on PATH or in /usr/lib/postgresql: apt-get install postgresql",
        )
        .not_happened()
    })
}

/// One of PostgreSQL's programs as its own user, with a clean environment.
pub(crate) fn program(state: &State, region: &RegionState, name: impl AsRef<Path>) -> Command {
    let name = name.as_ref();
    let ours = state.bin.join(name);
    let mut command = Command::new(if ours.is_file() { ours.as_path() } else { name });
    command
        .env_clear()
        .env("PATH", format!("{}:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", state.bin.display()))
        .env("LC_ALL", "C")
        .env("HOME", &region.home)
        .env("PGPASSFILE", region.passfile())
        .env("PGCONNECT_TIMEOUT", "5")
        .current_dir(&region.home)
        .process_group(0)
        .kill_on_drop(true);
    if let Some(account) = &region.account {
        command.uid(account.uid).gid(account.gid);
    }
    command
}

/// Runs it to its end.
async fn finish(mut command: Command, doing: &str) -> Result<String> {
    command.stdin(Stdio::null());
    let output = timeout(PROGRAM, command.output())
        .await
        .map_err(|_| Error::new(ErrorKind::Timeout, "it took too long").during(doing.to_owned()))?
        .map_err(fault::io(doing))?;
    if !output.status.success() {
        return Err(Error::new(ErrorKind::Unknown, fault::last_words(&output)).during(doing.to_owned()));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// A folder that the servers' account owns.
fn folder(path: &Path, account: Option<&Account>) -> Result<()> {
    fs::create_dir_all(path).map_err(fault::at("create", path))?;
    give(path, account)
}

fn give(path: &Path, account: Option<&Account>) -> Result<()> {
    match account {
        Some(account) => std::os::unix::fs::chown(path, Some(account.uid), Some(account.gid))
            .map_err(fault::at("give away", path)),
        None => Ok(()),
    }
}

/// Writes a file into a home, for the servers' account alone.
fn own(region: &RegionState, path: &Path, text: &str) -> Result<()> {
    crate::state::private(path, text)?;
    give(path, region.account.as_ref())
}

/// The homes of both servers.
pub(crate) fn make_homes(layout: &Layout, state: &State) -> Result<()> {
    for (side, region) in &state.regions {
        folder(&region.home, region.account.as_ref())?;
        own(region, &region.home.join("node.conf"), &node_conf(state, side, region))?;
        own(region, &region.passfile(), &passfile(layout)?)?;
    }
    Ok(())
}

/// The data of the primary, still empty.
pub(crate) async fn make_primary(layout: &Layout, state: &State, region: &RegionState) -> Result<()> {
    let password = region.home.join("initial-password");
    own(region, &password, &layout.read_secret("dr")?)?;
    let mut initdb = program(state, region, "initdb");
    initdb
        .arg("--pgdata")
        .arg(region.data())
        .args(["--username", ADMIN, "--auth", "scram-sha-256", "--data-checksums", "--no-sync"])
        .args(["--encoding", "UTF8", "--locale", "C"])
        .arg("--pwfile")
        .arg(&password);
    finish(initdb, "initdb").await?;
    fs::remove_file(&password).map_err(fault::at("remove", &password))?;
    // The file is the same on both sides, so that a rewind which copies it changes nothing; what is one node's own
    // stands beside the data, where no rewind goes.
    let conf = region.data().join("postgresql.conf");
    let text = fs::read_to_string(&conf).map_err(fault::at("read", &conf))?;
    own(region, &conf, &format!("{text}\n{SHARED_CONF}"))?;
    own(region, &region.data().join("pg_hba.conf"), HBA)
}

/// Roles, database and tables, in the running primary.
pub(crate) async fn furnish(layout: &Layout, region: &RegionState) -> Result<()> {
    let password = layout.read_secret("dr")?;
    let connect = async |database: &str| {
        Database::new(region.postgres, None, ADMIN, &password, database).connect().await
    };
    let sql = |error: tokio_postgres::Error| {
        Error::new(ErrorKind::Unknown, "PostgreSQL said no").during("furnish the database").because(error)
    };
    let admin = connect("postgres").await?;
    let (app, replicator) = (layout.read_secret("app")?, layout.read_secret("replicator")?);
    admin
        .batch_execute(&format!(
            "create role {APP} login password '{app}';
             create role {REPLICATOR} login replication password '{replicator}';"
        ))
        .await
        .map_err(sql)?;
    admin.batch_execute(&format!("create database {DATABASE}")).await.map_err(sql)?;
    connect(DATABASE).await?.batch_execute(TABLES).await.map_err(sql)
}

/// The data of the standby, copied from the running primary.
pub(crate) async fn make_standby(state: &State, region: &RegionState, of: &RegionState) -> Result<()> {
    let mut backup = program(state, region, "pg_basebackup");
    backup
        .arg("--pgdata")
        .arg(region.data())
        .args([
            "--checkpoint",
            "fast",
            "--wal-method",
            "stream",
            "--write-recovery-conf",
            "--create-slot",
            "--no-sync",
        ])
        .args(["--slot", &slot(TARGET), "--dbname", &conninfo(of, region, TARGET)]);
    finish(backup, "pg_basebackup").await.map(drop)
}

/// Starts a server as it is: a primary comes back as a primary, which is what real machines do.
pub(crate) async fn start(state: &State, region: &RegionState) -> Result<()> {
    let mut start = program(state, region, "pg_ctl");
    start.arg("--pgdata").arg(region.data()).arg("--log").arg(region.home.join("server.log")).args([
        "--wait",
        "--timeout",
        "30",
        "--silent",
        "start",
    ]);
    let started = finish(start, "pg_ctl start").await;
    started.map(drop).map_err(|error| {
        let log = fs::read_to_string(region.home.join("server.log")).unwrap_or_default();
        error.with("log", fault::tail(&log))
    })
}

/// Why a server must not start as it is: the word of the start gate, which a real machine runs as `ExecStartPre`.
pub(crate) async fn barred(state: &State, region: &RegionState) -> Result<Option<String>> {
    let doing = "ask the start gate";
    let mut gate = program(state, region, "sh");
    gate.args(["-c", dr_postgres::START_GATE, "dr-start-gate"]).arg(region.data()).stdin(Stdio::null());
    let output = timeout(PROGRAM, gate.output())
        .await
        .map_err(|_| Error::new(ErrorKind::Timeout, "it took too long").during(doing))?
        .map_err(fault::io(doing))?;
    match output.status.code() {
        Some(0) => Ok(None),
        Some(1) => Ok(Some(fault::last_words(&output))),
        // What cannot be understood is no leave to start.
        _ => Err(Error::new(ErrorKind::Unknown, fault::last_words(&output)).during(doing)),
    }
}

fn slot(side: &str) -> String {
    side.replace('-', "_")
}

fn conninfo(of: &RegionState, from: &RegionState, name: &str) -> String {
    format!(
        "host={} port={} user={REPLICATOR} application_name={name} passfile={}",
        of.postgres.ip(),
        of.postgres.port(),
        from.passfile().display()
    )
}

fn passfile(layout: &Layout) -> Result<String> {
    let mut text = String::new();
    for role in [ADMIN, REPLICATOR, APP] {
        text.push_str(&format!("*:*:*:{role}:{}\n", layout.read_secret(role)?));
    }
    Ok(text)
}

fn node_conf(state: &State, side: &Side, region: &RegionState) -> String {
    let inside = state.subnet.region(state.place(side));
    format!(
        "# This node's own settings ({side}, {inside}).\n\
         listen_addresses = '{}'\nport = {}\ncluster_name = '{side}'\n",
        region.postgres.ip(),
        region.postgres.port()
    )
}

const SHARED_CONF: &str = "
# The same on every node; what differs stands beside the data directory.
include = '../node.conf'
unix_socket_directories = ''
shared_buffers = 32MB
# In the data directory, not in /dev/shm: a killed server leaves its segments, and they have to go with the sandbox.
dynamic_shared_memory_type = mmap
max_connections = 60
wal_level = replica
wal_log_hints = on
max_wal_senders = 10
max_replication_slots = 10
wal_keep_size = 256MB
hot_standby = on
wal_retrieve_retry_interval = 100ms
wal_receiver_timeout = 5s
wal_sender_timeout = 5s
password_encryption = 'scram-sha-256'
log_line_prefix = '%m [%p] %q%u@%d '
timezone = 'UTC'
log_timezone = 'UTC'
";

const HBA: &str = "# Passwords only, also from this machine: there is no socket.
host all         all 127.0.0.0/8 scram-sha-256
host replication all 127.0.0.0/8 scram-sha-256
";

const TABLES: &str = "
create table orders (
    id bigint generated always as identity primary key,
    at timestamptz not null default clock_timestamp(),
    by text not null
);
create table touches (
    id bigint generated always as identity primary key,
    at timestamptz not null default clock_timestamp(),
    by text not null
);
create table dr_ledger (
    book text not null,
    row bigint not null,
    at timestamptz not null default clock_timestamp(),
    primary key (book, row)
);
grant select, insert, delete on orders, touches, dr_ledger to app;
";
