//! One server's process: started so that it cannot outlive whoever it belongs to.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::mpsc::{self, Sender};
use std::thread;

use rustix::process::{Pid, Signal, kill_process, kill_process_group};

use crate::error::KubeFault;

/// To whom a process belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Owner {
    /// This process.
    Us,
    /// Another one: ours may end before it.
    Process(u32),
}

/// Runs its arguments, and ends them when process `$0` ends or when it is killed itself. It ends with them.
const KEEPER: &str = r#"setpriv --pdeathsig KILL "$@" & server=$!
(tail --pid="$0" -s 0.2 -f /dev/null; kill -9 -$$) &
wait $server; kill -9 -$$"#;

/// A server that runs.
#[derive(Debug)]
pub(crate) struct Server {
    name: &'static str,
    log: PathBuf,
    child: Child,
    left: bool,
}

impl Server {
    /// Starts it. What it prints goes to `<name>.log` in `folder`, which is where it runs.
    pub(crate) fn start(
        name: &'static str,
        program: &Path,
        arguments: &[OsString],
        folder: &Path,
        owner: Owner,
    ) -> Result<Self, KubeFault> {
        let log = folder.join(format!("{name}.log"));
        let doing = || format!("start {name}");
        let out = File::options().create(true).append(true).open(&log).map_err(KubeFault::io(doing()))?;
        let err = out.try_clone().map_err(KubeFault::io(doing()))?;
        let mut command = match owner {
            Owner::Us => Command::new("setpriv"),
            Owner::Process(_) => Command::new("sh"),
        };
        match owner {
            Owner::Us => command.args(["--pdeathsig", "KILL"]),
            Owner::Process(pid) => command.args(["-c", KEEPER]).arg(pid.to_string()),
        };
        command.arg(program).args(arguments).current_dir(folder).stdin(Stdio::null());
        let child = spawn(command, out, err).map_err(KubeFault::io(doing()))?;
        Ok(Self { name, log, child, left: false })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn signal(&self, signal: Signal) -> Result<(), KubeFault> {
        let pid = i32::try_from(self.pid()).ok().and_then(Pid::from_raw);
        let sent = pid.map_or(Err(rustix::io::Errno::SRCH), |pid| kill_process(pid, signal));
        sent.map_err(|error| KubeFault::io(format!("signal {}", self.name))(error.into()))
    }

    /// An error if it has ended, with the last that it said.
    pub(crate) fn is_alive(&mut self) -> Result<(), KubeFault> {
        match self.child.try_wait() {
            Ok(None) => Ok(()),
            Ok(Some(_)) => Err(KubeFault::Died { server: self.name, words: self.last_words() }),
            Err(source) => Err(KubeFault::io(format!("look after {}", self.name))(source)),
        }
    }

    /// Ends it with SIGKILL and returns when it is gone.
    pub(crate) fn kill(&mut self) {
        // Gone already is what was wanted. The group, for a keeper has a child.
        if let Some(group) = i32::try_from(self.pid()).ok().and_then(Pid::from_raw)
            && matches!(self.child.try_wait(), Ok(None))
        {
            let _ = kill_process_group(group, Signal::KILL);
        }
        let _ = self.child.wait();
    }

    /// Leaves it to its owner.
    pub(crate) fn leave(&mut self) {
        self.left = true;
    }

    fn last_words(&self) -> String {
        let said = fs::read(&self.log).unwrap_or_default();
        let said = String::from_utf8_lossy(&said);
        let lines: Vec<&str> = said.lines().filter(|line| !line.trim().is_empty()).collect();
        lines[lines.len().saturating_sub(3)..].join(" | ")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if !self.left {
            self.kill();
        }
    }
}

type Order = (Command, Sender<io::Result<Child>>);

/// Starts a process from a thread that lives as long as this process. The kernel's "end with the parent" means the
/// *thread* that started it, and a test's thread ends with its test.
pub(crate) fn spawn(mut command: Command, out: impl Into<Stdio>, err: impl Into<Stdio>) -> io::Result<Child> {
    // A group of its own: what a terminal sends to us is not for it.
    command.process_group(0).stdout(out).stderr(err);
    static STARTER: OnceLock<Option<Sender<Order>>> = OnceLock::new();
    let starter = STARTER.get_or_init(|| {
        let (orders, taken) = mpsc::channel::<Order>();
        let thread = thread::Builder::new().name("dr-kube-starter".to_owned()).spawn(move || {
            for (mut command, reply) in taken {
                // Whoever asked may have gone: then the process goes too.
                if let Err(mpsc::SendError(Ok(mut unwanted))) = reply.send(command.spawn()) {
                    let _ = unwanted.kill();
                    let _ = unwanted.wait();
                }
            }
        });
        thread.ok().map(|_| orders)
    });
    let no_thread = || io::Error::other("no thread to start processes from");
    let starter = starter.as_ref().ok_or_else(no_thread)?;
    let (reply, child) = mpsc::channel();
    starter.send((command, reply)).map_err(|_| no_thread())?;
    child.recv().map_err(|_| no_thread())?
}
