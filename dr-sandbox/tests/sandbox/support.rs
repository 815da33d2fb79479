//! A sandbox for a test: it is gone when the test is, however that one ends.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command as Program;
use std::time::Duration;

use dr_sandbox::{Command, Report, Up, run};
use serde_json::Value;
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_dr-sandbox");
/// How long anything may take: two cores run several of these at once.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Debug)]
pub(crate) struct Sandbox {
    folder: TempDir,
}

impl Sandbox {
    /// A sandbox below a folder that only its owner may enter.
    pub(crate) async fn in_a_closed_home() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o700)).unwrap();
        Self::below(folder, Up { load: 0, ..Up::default() }).await
    }

    /// A sandbox with a small load.
    pub(crate) async fn up() -> Self {
        Self::with(Up { load: 20, ..Up::default() }).await
    }

    pub(crate) async fn with(options: Up) -> Self {
        Self::below(roomy_folder(), options).await
    }

    async fn below(folder: TempDir, options: Up) -> Self {
        let sandbox = Self { folder };
        let lifetime = options.lifetime.min(Duration::from_secs(180));
        let options = Up { lifetime, program: Some(PathBuf::from(PROGRAM)), ..options };
        sandbox.run(Command::Up(options)).await;
        sandbox
    }

    pub(crate) fn dir(&self) -> PathBuf {
        self.folder.path().join("sandbox")
    }

    pub(crate) async fn try_run(&self, command: Command) -> dr_core::Result<Report> {
        run(&self.dir(), command).await
    }

    pub(crate) async fn run(&self, command: Command) -> Report {
        self.try_run(command).await.unwrap_or_else(|error| panic!("{error:?}"))
    }

    pub(crate) async fn status(&self) -> Value {
        self.run(Command::Status).await.data
    }

    /// Looks until the status is as it should be.
    pub(crate) async fn until(&self, what: &str, accepts: impl Fn(&Value) -> bool) -> Value {
        let until = Instant::now() + PATIENCE;
        loop {
            let status = self.status().await;
            if accepts(&status) {
                return status;
            }
            assert!(Instant::now() < until, "never seen: {what}; last {status:#}");
            sleep(Duration::from_millis(50)).await;
        }
    }

    pub(crate) fn state(&self) -> Value {
        serde_json::from_str(&std::fs::read_to_string(self.dir().join("state.json")).unwrap()).unwrap()
    }

    /// Runs the command itself, as a plan's `control` does.
    pub(crate) fn exec(&self, side: &str, argv: &[&str]) -> Program {
        let mut program = Program::new(PROGRAM);
        program.arg("sandbox").arg("--dir").arg(self.dir()).args(["exec", "--side", side, "--"]).args(argv);
        program
    }
}

/// In memory where there is room: what is tested is no disk.
fn roomy_folder() -> TempDir {
    let memory = Path::new("/dev/shm");
    let room = rustix::fs::statvfs(memory).map_or(0, |stat| stat.f_bavail * stat.f_frsize);
    if room < 2 << 30 {
        return tempfile::tempdir().unwrap();
    }
    let folder = tempfile::tempdir_in(memory).unwrap();
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    folder
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        if self.dir().exists() {
            let _ = Program::new(PROGRAM).arg("sandbox").arg("--dir").arg(self.dir()).arg("down").output();
        }
    }
}

pub(crate) fn broken(side: &str) -> Command {
    Command::Break { side: side.to_owned(), hard: false }
}

pub(crate) fn acked(status: &Value) -> u64 {
    status["load"]["acked"].as_u64().unwrap_or(0)
}

/// The processes that have the text in one of their arguments.
pub(crate) fn processes(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let Ok(bytes) = std::fs::read(entry.path().join("cmdline")) else { continue };
        let line = String::from_utf8_lossy(&bytes).replace('\0', " ");
        let own = entry.file_name().to_string_lossy() == std::process::id().to_string();
        if line.contains(text) && !own {
            found.push(line);
        }
    }
    found
}

pub(crate) async fn wait_until(what: &str, accepts: impl Fn() -> bool) {
    let until = Instant::now() + PATIENCE;
    while !accepts() {
        assert!(Instant::now() < until, "never seen: {what}");
        sleep(Duration::from_millis(20)).await;
    }
}

pub(crate) fn exists(path: &Path) -> bool {
    path.symlink_metadata().is_ok()
}
