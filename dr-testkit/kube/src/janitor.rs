//! Whoever removes a region's folder when nobody else can any more.

use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::error::KubeFault;
use crate::process::{Owner, spawn};

/// Standard input ends with whoever holds its other end.
const AFTER_US: &str = r#"read -r _; until rm -rf "$0" 2>/dev/null; do sleep 0.1; done"#;
const AFTER_PROCESS: &str =
    r#"tail --pid="$1" -s 0.2 -f /dev/null; until rm -rf "$0" 2>/dev/null; do sleep 0.1; done"#;

/// A shell that waits for the end of the owner, however it comes, and removes a folder then.
#[derive(Debug)]
pub(crate) struct Janitor(Child);

impl Janitor {
    pub(crate) fn wait_for(owner: Owner, folder: &Path) -> Result<Self, KubeFault> {
        let mut command = Command::new("sh");
        match owner {
            Owner::Us => command.args(["-c", AFTER_US]).arg(folder).stdin(Stdio::piped()),
            Owner::Process(pid) => {
                command.args(["-c", AFTER_PROCESS]).arg(folder).arg(pid.to_string()).stdin(Stdio::null())
            }
        };
        let child = spawn(command, Stdio::null(), Stdio::null());
        child.map(Self).map_err(KubeFault::io("leave a folder to be removed"))
    }

    /// Has it removed now, and returns when it is gone. Only for what belongs to us.
    pub(crate) fn clean_up(&mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}
