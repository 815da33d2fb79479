//! A command that is timed from its start to its exit, and that leaves nothing behind if it is not waited for.

use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

use crate::interrupt;

/// The sandbox's own time is not much longer.
const PATIENCE: Duration = Duration::from_secs(240);
const LOOK: Duration = Duration::from_millis(5);

/// A command with a process group of its own.
pub(crate) struct Running {
    child: Child,
    began: Instant,
}

impl Running {
    /// What it says goes to a file.
    pub(crate) fn begin(command: &mut Command, log: &Path) -> Self {
        let out = std::fs::File::create(log).unwrap();
        command.stderr(out.try_clone().unwrap()).stdout(out).process_group(0);
        let began = Instant::now();
        let child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        Self { child, began }
    }

    /// Its exit code, and how long it took.
    pub(crate) fn end(mut self) -> (i32, Duration) {
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return (status.code().unwrap_or(-1), self.began.elapsed());
            }
            interrupt::check();
            assert!(self.began.elapsed() < PATIENCE, "it never ended");
            std::thread::sleep(LOOK);
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(group) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            // Nobody is left of it after a good end.
            let _ = kill_process_group(group, Signal::KILL);
        }
        let _ = self.child.wait();
    }
}
