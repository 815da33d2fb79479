//! Processes that outlive the command that started them, named so that no other can be meant.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use dr_core::{Error, ErrorKind, Result};
use rustix::process::{Pid, Signal, kill_process};
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep};

/// A process by its number and the moment of its start: numbers come again, both together do not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Process {
    pub(crate) pid: u32,
    start: u64,
}

/// What `/proc` says of a process.
struct Stat {
    zombie: bool,
    parent: u32,
    session: u32,
    start: u64,
}

fn stat(pid: u32) -> Option<Stat> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name stands in parentheses and may hold anything; what follows the last one is numbers.
    let fields: Vec<&str> = text.rsplit_once(") ")?.1.split(' ').collect();
    Some(Stat {
        zombie: matches!(*fields.first()?, "Z" | "X"),
        parent: fields.get(1)?.parse().ok()?,
        session: fields.get(3)?.parse().ok()?,
        start: fields.get(19)?.parse().ok()?,
    })
}

/// Every process number there is.
fn numbers() -> Vec<u32> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).collect()
}

impl Process {
    /// The running process with that number.
    pub(crate) fn of(pid: u32) -> Option<Self> {
        stat(pid).filter(|stat| !stat.zombie).map(|stat| Self { pid, start: stat.start })
    }

    /// Whether it still runs. A zombie does not.
    pub(crate) fn is_alive(self) -> bool {
        stat(self.pid).is_some_and(|stat| !stat.zombie && stat.start == self.start)
    }

    /// Sends it a signal, if it still is the same process.
    pub(crate) fn signal(self, signal: Signal) {
        let pid = i32::try_from(self.pid).ok().and_then(Pid::from_raw);
        if let Some(pid) = pid.filter(|_| self.is_alive()) {
            // Gone in between is what was wanted.
            let _ = kill_process(pid, signal);
        }
    }

    /// Its arguments.
    pub(crate) fn arguments(self) -> Vec<String> {
        let bytes = fs::read(format!("/proc/{}/cmdline", self.pid)).unwrap_or_default();
        bytes
            .split(|byte| *byte == 0)
            .filter(|part| !part.is_empty())
            .map(|part| String::from_utf8_lossy(part).into_owned())
            .collect()
    }

    /// It and everything below it, itself first.
    pub(crate) fn family(self) -> Vec<Self> {
        let mut children: BTreeMap<u32, Vec<Self>> = BTreeMap::new();
        for pid in numbers() {
            if let Some(stat) = stat(pid).filter(|stat| !stat.zombie) {
                children.entry(stat.parent).or_default().push(Self { pid, start: stat.start });
            }
        }
        let mut family = vec![self];
        let mut next = 0;
        while let Some(member) = family.get(next).copied() {
            family.extend(children.get(&member.pid).into_iter().flatten());
            next += 1;
        }
        family
    }
}

/// The processes whose arguments `accepts`.
pub(crate) fn running(accepts: impl Fn(&[String]) -> bool) -> Vec<Process> {
    numbers().into_iter().filter_map(Process::of).filter(|process| accepts(&process.arguments())).collect()
}

/// Ends them all with SIGKILL, and returns when none is left.
pub(crate) async fn kill(processes: &[Process], within: Duration) -> Result<()> {
    for process in processes {
        process.signal(Signal::KILL);
    }
    gone(processes, within).await
}

/// Returns when none of them is left. There is no event for the end of a process that is not our child.
pub(crate) async fn gone(processes: &[Process], within: Duration) -> Result<()> {
    let until = Instant::now() + within;
    loop {
        let left: Vec<String> =
            processes.iter().filter(|process| process.is_alive()).map(|left| left.pid.to_string()).collect();
        if left.is_empty() {
            return Ok(());
        }
        if Instant::now() >= until {
            return Err(Error::new(
                ErrorKind::Timeout,
                format!("still running: process {}", left.join(", ")),
            ));
        }
        sleep(Duration::from_millis(2)).await;
    }
}

/// Buries the dead that were left to us. Servers that put themselves into the background lose their parent; where
/// nobody takes them, a dead one keeps its number, and PostgreSQL takes it for alive and does not start again.
///
/// What leads a session of its own was never started by us: those that we did start have somebody who waits for them.
pub(crate) fn bury_orphans() {
    let ours = std::process::id();
    let Some(session) = stat(ours).map(|stat| stat.session) else { return };
    for pid in numbers() {
        let orphan =
            stat(pid).is_some_and(|stat| stat.zombie && stat.parent == ours && stat.session != session);
        if let Some(pid) = i32::try_from(pid).ok().filter(|_| orphan).and_then(Pid::from_raw) {
            // Whoever buried it first did what was wanted.
            let _ = rustix::process::waitpid(Some(pid), rustix::process::WaitOptions::NOHANG);
        }
    }
}

/// PostgreSQL's programs that work below a folder, without what they have started.
pub(crate) fn servers_in(home: &Path) -> Vec<Process> {
    let Some(home) = home.to_str() else { return Vec::new() };
    let below = format!("{home}/");
    running(|arguments| {
        let program = arguments.first().and_then(|program| Path::new(program).file_name()?.to_str());
        program.is_some_and(|program| program == "postgres" || program.starts_with("pg_"))
            && arguments.iter().any(|argument| argument.starts_with(&below))
    })
}

/// The System V segment that a data directory's last server left when it was killed: it holds a few bytes and outlives
/// everything but a restart. `None` if somebody still uses it, or if it is somebody else's by now.
pub(crate) fn segment_left(data: &Path) -> Option<u32> {
    let text = fs::read_to_string(data.join("postmaster.pid")).ok()?;
    let mut words = text.lines().nth(6)?.split_whitespace();
    let (key, id): (i64, u32) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
    // The kernel prints the key signed, PostgreSQL unsigned.
    let same_key = |other: i64| other as u32 == key as u32;
    let table = fs::read_to_string("/proc/sysvipc/shm").ok()?;
    table.lines().skip(1).find_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let (theirs, number): (i64, u32) = (fields.first()?.parse().ok()?, fields.get(1)?.parse().ok()?);
        (number == id && same_key(theirs) && *fields.get(6)? == "0").then_some(id)
    })
}

/// The postmaster of a data directory, if it runs.
pub(crate) fn postmaster(data: &Path) -> Option<Process> {
    let data = data.to_str()?;
    running(|arguments| {
        let program = arguments.first().and_then(|program| Path::new(program).file_name()?.to_str());
        program == Some("postgres") && arguments.iter().any(|argument| argument == data)
    })
    .pop()
}
