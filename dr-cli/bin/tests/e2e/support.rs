//! A sandbox that is gone when its test is, and what the command said and left.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

pub(crate) const DR: &str = env!("CARGO_BIN_EXE_dr");
pub(crate) const SOURCE: &str = "us-east-1";
pub(crate) const TARGET: &str = "eu-central-1";
/// How long anything may take: two cores run several of these at once.
pub(crate) const PATIENCE: Duration = Duration::from_secs(90);

/// What a command said, and how it ended.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Said {
    /// It ended so; else everything that it said is shown.
    #[track_caller]
    pub(crate) fn ends(self, code: i32) -> Self {
        assert_eq!(self.code, code, "out:\n{}\nerr:\n{}", self.out, self.err);
        self
    }

    /// It said this on standard error.
    #[track_caller]
    pub(crate) fn tells(self, text: &str) -> Self {
        assert!(self.err.contains(text), "`{text}` is not in:\n{}", self.err);
        self
    }

    /// Each line of standard output as JSON.
    #[track_caller]
    pub(crate) fn lines(&self) -> Vec<Value> {
        let read = |line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        self.out.lines().map(read).collect()
    }

    /// The last line of standard output as JSON.
    #[track_caller]
    pub(crate) fn summary(&self) -> Value {
        self.lines().pop().expect("a summary")
    }
}

/// The command with a clean environment, and no terminal.
pub(crate) fn dr() -> Command {
    let mut command = Command::new(DR);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("DR_") {
            command.env_remove(name);
        }
    }
    command.env("NO_COLOR", "1").env("USER", "tester").env_remove("SUDO_USER").stdin(Stdio::null());
    command
}

/// Runs it to its end, which it comes to in time and without a panic.
#[track_caller]
pub(crate) fn run(command: &mut Command) -> Said {
    finish(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap())
}

/// Waits for the end of a command whose output is piped.
#[track_caller]
pub(crate) fn finish(mut child: Child) -> Said {
    let out = reader(child.stdout.take().unwrap());
    let err = reader(child.stderr.take().unwrap());
    let until = Instant::now() + PATIENCE;
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if Instant::now() > until {
            let _ = child.kill();
            let _ = child.wait();
            panic!("it never ended; it said:\n{}", err.join().unwrap());
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    let (out, err) = (out.join().unwrap(), err.join().unwrap());
    assert!(!err.contains("panicked") && !out.contains("panicked"), "{out}{err}");
    Said { code: status.code().unwrap_or(-1), out, err }
}

fn reader(mut from: impl std::io::Read + Send + 'static) -> std::thread::JoinHandle<String> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        // What was read before an error is what was said.
        let _ = from.read_to_end(&mut bytes);
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

/// Looks until it is so.
#[track_caller]
pub(crate) fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + PATIENCE;
    loop {
        if let Some(seen) = look() {
            return seen;
        }
        assert!(Instant::now() < end, "never seen: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// What a run must leave as it should be: who writes, who serves, who follows, and what the state store holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct World {
    pub(crate) writers: Vec<String>,
    pub(crate) routed: String,
    pub(crate) source_role: String,
    pub(crate) target_role: String,
    pub(crate) staff: [(u64, u64); 2],
    pub(crate) claims: usize,
    pub(crate) debts: usize,
    pub(crate) open_run: bool,
}

/// Two regions of a test's own.
pub(crate) struct Sandbox {
    folder: TempDir,
}

impl Sandbox {
    /// With a load that has begun to be served.
    pub(crate) fn up() -> Self {
        Self::with(&[])
    }

    /// The same with further arguments for `dr sandbox up`.
    pub(crate) fn with(arguments: &[&str]) -> Self {
        Self::lasting("5m", arguments)
    }

    /// The same with an end of its own.
    pub(crate) fn lasting(until: &str, arguments: &[&str]) -> Self {
        let sandbox = Self { folder: roomy_folder() };
        sandbox.sandbox(&[&["up", "--for", until], arguments].concat()).ends(0);
        sandbox.serves();
        sandbox
    }

    pub(crate) fn dir(&self) -> PathBuf {
        self.folder.path().join("sandbox")
    }

    /// Where everything of it is.
    pub(crate) fn state(&self) -> Value {
        serde_json::from_slice(&std::fs::read(self.dir().join("state.json")).unwrap()).unwrap()
    }

    pub(crate) fn plan(&self) -> PathBuf {
        self.dir().join("plan.yaml")
    }

    pub(crate) fn evidence(&self) -> PathBuf {
        self.folder.path().join("evidence")
    }

    /// A place for a test's files.
    pub(crate) fn beside(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// `dr` on this sandbox's plan.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = dr();
        command.args(arguments).env("DR_PLAN", self.plan()).env("DR_EVIDENCE", self.evidence());
        command.current_dir(self.folder.path());
        command
    }

    /// Runs it to its end; no secret of the sandbox is in what it says.
    #[track_caller]
    pub(crate) fn dr(&self, arguments: &[&str]) -> Said {
        let said = run(&mut self.command(arguments));
        for secret in self.secrets() {
            assert!(!said.out.contains(&secret) && !said.err.contains(&secret), "a secret in: {said:?}");
        }
        said
    }

    /// Begins it.
    pub(crate) fn begin(&self, arguments: &[&str]) -> Child {
        self.command(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    /// `dr sandbox …`
    #[track_caller]
    pub(crate) fn sandbox(&self, arguments: &[&str]) -> Said {
        run(dr().arg("sandbox").arg("--dir").arg(self.dir()).args(arguments))
    }

    /// Waits until the load is served.
    #[track_caller]
    pub(crate) fn serves(&self) {
        let before = self.acknowledged();
        until("orders that are acknowledged", || (self.acknowledged() > before + 10).then_some(()));
    }

    /// How many orders the load knows to be acknowledged.
    pub(crate) fn acknowledged(&self) -> u64 {
        let text = std::fs::read(self.dir().join("load.json")).unwrap_or_default();
        let load: Value = serde_json::from_slice(&text).unwrap_or_default();
        load["acked"].as_u64().unwrap_or(0)
    }

    /// The secrets that nobody may ever see.
    pub(crate) fn secrets(&self) -> Vec<String> {
        let folder = std::fs::read_dir(self.dir().join("secrets")).unwrap();
        let secrets = folder.map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap());
        secrets.map(|text| text.trim().to_owned()).collect()
    }

    /// The folders of the runs, oldest first.
    pub(crate) fn runs(&self) -> Vec<PathBuf> {
        sorted(&self.dir().join("runs/runs"))
    }

    /// The bundles, oldest first.
    pub(crate) fn bundles(&self) -> Vec<PathBuf> {
        sorted(&self.evidence())
    }

    /// The committed events of the newest run.
    pub(crate) fn events(&self) -> Vec<Value> {
        let Some(run) = self.runs().pop() else { return Vec::new() };
        let text = std::fs::read_to_string(run.join("journal.ndjson")).unwrap_or_default();
        text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    /// The last event of the newest run.
    pub(crate) fn last_event(&self) -> Value {
        self.events().pop().expect("an event")
    }

    /// The figures of the newest run's bundle: the sealed one, else the last provisional.
    pub(crate) fn metrics(&self) -> Value {
        let run = self.runs().pop().expect("a run");
        let name = run.file_name().unwrap();
        let sealed = self.evidence().join(name);
        let is_its = |path: &PathBuf| path.file_stem() == Some(name);
        let provisional = || self.bundles().into_iter().rfind(is_its).expect("a bundle");
        let bundle = if sealed.exists() { sealed } else { provisional() };
        serde_json::from_slice(&std::fs::read(bundle.join("metrics.json")).unwrap()).unwrap()
    }

    /// Every bundle is whole and linked to the one before.
    #[track_caller]
    pub(crate) fn evidence_verifies(&self) {
        self.dr(&["evidence", "verify", self.evidence().to_str().unwrap()]).ends(0);
        for bundle in self.bundles() {
            self.dr(&["evidence", "verify", bundle.to_str().unwrap()]).ends(0);
        }
    }

    /// What `dr status` sees.
    #[track_caller]
    pub(crate) fn world(&self) -> World {
        let said = self.dr(&["status", "--json"]);
        let status: Value =
            serde_json::from_str(said.out.trim()).unwrap_or_else(|error| panic!("{error}: {said:?}"));
        let seen = |resource: &str, group: &str| {
            let resources = status["resources"].as_array().unwrap();
            let one = resources.iter().find(|one| one["name"] == resource).unwrap();
            let all = one["seen"].as_array().unwrap();
            all.iter()
                .find(|seen| seen["group"] == group)
                .map(|seen| seen["data"].clone())
                .unwrap_or_default()
        };
        let (store, staff) = (seen("orders", "replication"), seen("services", "staffing"));
        let role = |side: &str| {
            let node = &store["sides"][side]["nodes"][0];
            let word = node["role"].as_str().unwrap_or("unknown");
            let receiving = node["receiving"].as_bool().unwrap_or(false);
            if receiving { format!("{word}, receiving") } else { word.to_owned() }
        };
        let served = |side: &str| {
            let one = &staff["sides"][side][0];
            (one["desired"].as_u64().unwrap_or(0), one["ready"].as_u64().unwrap_or(0))
        };
        let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        World {
            writers: status["writable"]["orders"].as_array().unwrap().iter().map(word).collect(),
            routed: word(&seen("entry", "routing")["answers"][0]["side"]),
            source_role: role(SOURCE),
            target_role: role(TARGET),
            staff: [served(SOURCE), served(TARGET)],
            claims: status["claims"].as_array().unwrap().len(),
            debts: status["debts"].as_array().unwrap().len(),
            open_run: !status["run"].is_null(),
        }
    }

    /// Asks a region's own database, on its own machine.
    #[track_caller]
    pub(crate) fn asked(&self, side: &str, query: &str) -> String {
        let state = self.state();
        let psql = format!("{}/psql", state["bin"].as_str().unwrap());
        let (host, port) = state["regions"][side]["postgres"].as_str().unwrap().split_once(':').unwrap();
        let said = self.sandbox(&[
            "exec", "--side", side, "--", &psql, "-h", host, "-p", port, "-U", "dr", "-d", "orders", "-Atc",
            query,
        ]);
        said.ends(0).out.trim().to_owned()
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        if std::thread::panicking() {
            for run in self.runs().iter().rev().take(1) {
                let console = std::fs::read_to_string(run.join("console.log")).unwrap_or_default();
                eprintln!("── {}\n{console}", run.display());
            }
        }
        // A partition that is left would outlive the folder.
        let _ = dr().arg("sandbox").arg("--dir").arg(self.dir()).arg("down").output();
    }
}

fn sorted(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut all: Vec<PathBuf> =
        entries.map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()).collect();
    all.sort();
    all
}

/// In memory where there is room: what is tested is no disk.
fn roomy_folder() -> TempDir {
    let memory = Path::new("/dev/shm");
    let room = rustix::fs::statvfs(memory).map_or(0, |stat| stat.f_bavail * stat.f_frsize);
    let folder = if room < 2 << 30 { tempfile::tempdir() } else { tempfile::tempdir_in(memory) }.unwrap();
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    folder
}
