//! A primary and its streaming standby, which cannot outlive the test.

use std::fs;
use std::io::Read;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use dr_core::resource::{
    At, Basis, Call, Connect, Cx, Effect, Fence, FenceOutcome, FenceProof, Follow, Following, LossBound,
    NodeState, Prepared, Progress, Promote, Promotion, Redactor, Replication, Resource, Secret, SecretRef,
    SecretSource, Urgency,
};
use dr_core::{Backend, Clock, Error, ErrorKind, Result, RunId, Side, StepId, SystemClock, async_trait};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio_postgres::{NoTls, SimpleQueryMessage};

pub(crate) const EAST: &str = "east";
pub(crate) const WEST: &str = "west";

/// One server.
#[derive(Debug, Clone)]
pub(crate) struct Server {
    pub(crate) port: u16,
    pub(crate) data: PathBuf,
    pub(crate) bin: PathBuf,
}

/// Two of them; east is the primary, west its standby. Stopped and removed when dropped, even if the test is killed.
#[derive(Debug)]
pub(crate) struct Pair {
    pub(crate) east: Server,
    pub(crate) west: Server,
    root: PathBuf,
    watchdog: Child,
}

#[derive(Debug)]
struct NoSecrets;

#[async_trait]
impl SecretSource for NoSecrets {
    async fn fetch(&self, reference: &SecretRef) -> Result<Secret> {
        Err(Error::new(ErrorKind::NotFound, reference.to_string()))
    }
}

impl Pair {
    /// A pair that streams.
    pub(crate) async fn start() -> Self {
        Self::start_with("").await
    }

    /// A pair with more settings on both.
    pub(crate) async fn start_with(settings: &str) -> Self {
        let bin = binaries();
        let root = fresh_root();
        let watchdog = watchdog(&root);
        let east = Server { port: free_port(), data: root.join("a/data"), bin: bin.clone() };
        let west = Server { port: free_port(), data: root.join("b/data"), bin };
        let pair = Self { east, west, root, watchdog };
        for side in ["a", "b"] {
            pair.east.run(&["mkdir", "-p", pair.root.join(side).to_str().unwrap()]);
        }
        let template = template(&pair.east);
        pair.east.run(&["cp", "-a", template.to_str().unwrap(), pair.east.data.to_str().unwrap()]);
        pair.east.configure(settings);
        pair.east.start();
        sql(pair.east.port, "postgres", "create role dr superuser login; create role app login")
            .await
            .unwrap();
        sql(pair.east.port, "postgres", "create table t (i int primary key); grant all on t to app")
            .await
            .unwrap();
        let from = format!("host=127.0.0.1 port={} user=dr", pair.east.port);
        let west = pair.west.data.to_str().unwrap();
        pair.east.tool(
            "pg_basebackup",
            &["-D", west, "-d", &from, "-R", "-C", "-S", "west", "-X", "stream", "-c", "fast", "-N"],
        );
        pair.west.configure(settings);
        pair.west.start();
        pair.streams(pair.east.port).await;
        pair
    }

    /// Waits until a primary has a streaming standby.
    pub(crate) async fn streams(&self, primary: u16) {
        let question = "select count(*) from pg_stat_replication where state = 'streaming'";
        eventually("a standby streams", async || one(primary, question).await.as_deref() == Ok("1")).await;
    }

    /// The configuration with control of both servers.
    pub(crate) fn config(&self) -> Value {
        let side = |server: &Server| {
            json!({
                "url": format!("postgres://dr@127.0.0.1:{}/postgres", server.port),
                "control": { "local": { "data": server.data, "bin": server.bin } },
            })
        };
        json!({
            "application": { "user": "app" },
            "connect_timeout": "1s",
            "sides": { EAST: side(&self.east), WEST: side(&self.west) },
        })
    }

    /// The same without control.
    pub(crate) fn config_without_control(&self) -> Value {
        let mut config = self.config();
        for side in [EAST, WEST] {
            config["sides"][side].as_object_mut().unwrap().remove("control");
        }
        config
    }

    /// The configuration with both servers behind a command, as behind ssh.
    pub(crate) fn config_by_command(&self) -> Value {
        let mut config = self.config();
        let prefix = if is_root() {
            let (uid, gid) = account();
            vec![
                "setpriv".to_owned(),
                format!("--reuid={uid}"),
                format!("--regid={gid}"),
                "--clear-groups".to_owned(),
            ]
        } else {
            Vec::new()
        };
        let prefix: Vec<String> = prefix.into_iter().chain(["sh".to_owned(), "-c".to_owned()]).collect();
        for (side, server) in [(EAST, &self.east), (WEST, &self.west)] {
            config["sides"][side]["control"] = json!({
                "command": { "prefix": prefix, "shell": true, "data": server.data, "bin": server.bin },
            });
        }
        config
    }

    /// The store with control of both servers.
    pub(crate) async fn store(&self) -> Store {
        Store::connect(self.config()).await
    }

    /// The same without control.
    pub(crate) async fn store_without_control(&self) -> Store {
        Store::connect(self.config_without_control()).await
    }
}

impl Drop for Pair {
    fn drop(&mut self) {
        drop(self.watchdog.stdin.take());
        let _ = self.watchdog.wait();
    }
}

impl Server {
    fn configure(&self, settings: &str) {
        let conf = format!(
            "listen_addresses = '127.0.0.1'\nunix_socket_directories = ''\nport = {}\nwal_log_hints = on\n\
             fsync = off\ndynamic_shared_memory_type = mmap\nshared_buffers = 16MB\nmax_connections = 30\nwal_retrieve_retry_interval = 100ms\n\
             max_prepared_transactions = 5\nautovacuum = off\n{settings}\n",
            self.port
        );
        fs::write(self.data.join("postgresql.conf"), conf).unwrap();
    }

    pub(crate) fn start(&self) {
        let log = format!("{}.log", self.data.display());
        let words = [self.bin.join("pg_ctl").to_str().unwrap().to_owned()];
        let arguments =
            ["start", "-s", "-w", "-D", self.data.to_str().unwrap(), "-l", &log].map(str::to_owned);
        let words: Vec<String> = words.into_iter().chain(arguments).collect();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let mut command = as_postgres(&words);
        let status =
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap();
        assert!(status.success(), "{}", fs::read_to_string(&log).unwrap_or_default());
    }

    pub(crate) fn stop(&self, mode: &str) {
        self.tool("pg_ctl", &["stop", "-s", "-w", "-m", mode, "-D", self.data.to_str().unwrap()]);
    }

    /// Gives it a certificate that it signed itself.
    pub(crate) fn encrypt(&self) {
        let [key, certificate] = ["server.key", "server.crt"].map(|name| self.data.join(name));
        let (key, certificate) = (key.to_str().unwrap(), certificate.to_str().unwrap());
        let subject = ["-subj", "/CN=127.0.0.1", "-days", "2", "-nodes", "-keyout", key, "-out", certificate];
        let request = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"];
        self.run(&[request.as_slice(), subject.as_slice()].concat());
        let mut conf = fs::read_to_string(self.data.join("postgresql.conf")).unwrap();
        conf.push_str("ssl = on\n");
        fs::write(self.data.join("postgresql.conf"), conf).unwrap();
        self.tool("pg_ctl", &["reload", "-s", "-D", self.data.to_str().unwrap()]);
    }

    /// Kills the postmaster and all of its children at once.
    pub(crate) fn kill(&self) {
        self.signal("KILL");
    }

    /// Sends a signal to the postmaster and all of its children.
    pub(crate) fn signal(&self, signal: &str) {
        for pid in self.processes() {
            let _ = Command::new("kill").args(["-s", signal, &pid]).stderr(Stdio::null()).status();
        }
    }

    /// The ids of its processes.
    pub(crate) fn processes(&self) -> Vec<String> {
        let entries = fs::read_dir("/proc").unwrap().flatten();
        entries
            .filter(|entry| fs::read_link(entry.path().join("cwd")).is_ok_and(|cwd| cwd == self.data))
            .map(|entry| entry.file_name().into_string().unwrap())
            .collect()
    }

    /// Its process of a kind: `startup`, `walreceiver`.
    pub(crate) fn process(&self, title: &str) -> Option<String> {
        self.processes().into_iter().find(|pid| {
            fs::read_to_string(format!("/proc/{pid}/cmdline")).is_ok_and(|line| line.contains(title))
        })
    }

    /// Runs one of PostgreSQL's tools.
    pub(crate) fn tool(&self, tool: &str, arguments: &[&str]) {
        let path = self.bin.join(tool);
        let words: Vec<&str> =
            [path.to_str().unwrap()].into_iter().chain(arguments.iter().copied()).collect();
        self.run(&words);
    }

    fn run(&self, words: &[&str]) {
        // A server that a tool starts keeps its pipes: none is given.
        let mut command = as_postgres(words);
        let status =
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap();
        assert!(status.success(), "{words:?} failed");
    }
}

/// A connected store and shorthand for its verbs.
#[derive(Debug)]
pub(crate) struct Store {
    pub(crate) resource: Resource,
}

impl Store {
    pub(crate) async fn connect(config: Value) -> Self {
        let configured = dr_postgres::backend().configure(config).unwrap();
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let redactor = Redactor::default();
        let resource = configured.connect(&Connect::new(&NoSecrets, &redactor, &clock)).await.unwrap();
        Self { resource }
    }

    pub(crate) async fn observe(&self) -> Replication {
        self.resource.observer::<Replication>().unwrap().observe(&cx()).await.unwrap()
    }

    /// The one node of a side.
    pub(crate) async fn node(&self, side: &str) -> NodeState {
        self.observe().await.sides[side].nodes[0].clone()
    }

    pub(crate) fn effect<C: Call>(&self) -> Arc<dyn Effect<C>> {
        self.resource.effect::<C>().unwrap()
    }

    pub(crate) async fn fence(&self, cx: &Cx, side: &str) -> Result<FenceProof> {
        let call = fence(side);
        let effect = self.effect::<Fence>();
        let was = effect.prepare(cx, &call).await?;
        match effect.apply(cx, &call, &was).await? {
            FenceOutcome::Confirmed(proof) => Ok(proof),
            FenceOutcome::Accepted(_) => panic!("a backend never accepts silence"),
        }
    }

    pub(crate) async fn promote(&self, cx: &Cx, side: &str, basis: Basis) -> Result<Promotion> {
        let call = promote(side, Some(basis));
        let effect = self.effect::<Promote>();
        let was = effect.prepare(cx, &call).await?;
        effect.apply(cx, &call, &was).await
    }

    pub(crate) async fn follow(&self, cx: &Cx, side: &str, of: &str) -> Result<Following> {
        let call = Follow { side: at(side), of: at(of) };
        let effect = self.effect::<Follow>();
        let was = effect.prepare(cx, &call).await?;
        effect.apply(cx, &call, &was).await
    }

    pub(crate) async fn prepare_follow(&self, side: &str, of: &str) -> Result<Prepared> {
        self.effect::<Follow>().prepare(&cx(), &Follow { side: at(side), of: at(of) }).await
    }

    /// Fence and promote with the planned proof.
    pub(crate) async fn switch(&self, from: &str, to: &str) -> Promotion {
        let proof = self.fence(&cx(), from).await.unwrap();
        self.promote(&cx(), to, Basis::Planned { fences: vec![proof] }).await.unwrap()
    }
}

pub(crate) fn fence(side: &str) -> Fence {
    serde_json::from_value(json!({ "in": side })).unwrap()
}

pub(crate) fn promote(side: &str, basis: Option<Basis>) -> Promote {
    Promote { side: at(side), accept_loss: None, graceful_for: Duration::from_secs(10), basis }
}

pub(crate) fn forced(fences: Vec<FenceProof>) -> Basis {
    Basis::Forced { fences, risk: None, loss: LossBound::Unknown { why: "a test".to_owned() } }
}

pub(crate) fn at(side: &str) -> At {
    At::Named(Side::new(side))
}

/// A planned run with plenty of time.
pub(crate) fn cx() -> Cx {
    let mut cx =
        Cx::new(RunId::new("20261121T000000Z-aaaaaa"), StepId::new("test/step"), Duration::from_secs(60));
    let begun = std::time::Instant::now();
    cx.progress = Progress::to(move |text| println!("{:>6} ms  {text}", begun.elapsed().as_millis()));
    cx
}

/// An unplanned one.
pub(crate) fn unplanned() -> Cx {
    let mut cx = cx();
    cx.urgency = Urgency::Unplanned;
    cx
}

/// Runs statements, each answer's first column.
pub(crate) async fn sql(port: u16, user: &str, text: &str) -> Result<Vec<String>, tokio_postgres::Error> {
    let conninfo = format!("host=127.0.0.1 port={port} user={user} dbname=postgres connect_timeout=5");
    let (client, connection) = tokio_postgres::connect(&conninfo, NoTls).await?;
    let driver = tokio::spawn(connection);
    let messages = client.simple_query(text).await;
    driver.abort();
    Ok(messages?
        .into_iter()
        .filter_map(|message| match message {
            SimpleQueryMessage::Row(row) => Some(row.get(0).unwrap_or_default().to_owned()),
            _ => None,
        })
        .collect())
}

/// One value, or the error's text.
pub(crate) async fn one(port: u16, text: &str) -> Result<String, String> {
    let rows = sql(port, "postgres", text).await.map_err(|error| error.to_string())?;
    rows.into_iter().next().ok_or_else(|| "no row".to_owned())
}

/// Awaits a condition for at most twenty seconds.
pub(crate) async fn eventually(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    let begun = std::time::Instant::now();
    while begun.elapsed() < Duration::from_secs(20) {
        if condition().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("never: {what}");
}

/// An address that answers nothing at all: its queue of connections is full, so the kernel drops what comes.
#[derive(Debug)]
pub(crate) struct BlackHole {
    pub(crate) port: u16,
    _listener: TcpListener,
    _queue: Vec<TcpStream>,
}

impl BlackHole {
    pub(crate) fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let mut queue = Vec::new();
        while let Ok(stream) = TcpStream::connect_timeout(&address, Duration::from_millis(300)) {
            queue.push(stream);
        }
        Self { port: address.port(), _listener: listener, _queue: queue }
    }
}

/// An address behind which a server answers, but late: each byte is on its way for that long, in both directions.
#[derive(Debug)]
pub(crate) struct SlowLink {
    pub(crate) port: u16,
    accepting: tokio::task::JoinHandle<()>,
}

impl SlowLink {
    pub(crate) async fn to(server: u16, one_way: Duration) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let accept = async move {
            let mut calls = tokio::task::JoinSet::new();
            while let Ok((caller, _)) = listener.accept().await {
                let Ok(callee) = tokio::net::TcpStream::connect(("127.0.0.1", server)).await else {
                    continue;
                };
                let ((from_caller, to_caller), (from_callee, to_callee)) =
                    (caller.into_split(), callee.into_split());
                calls.spawn(late(from_caller, to_callee, one_way));
                calls.spawn(late(from_callee, to_caller, one_way));
            }
        };
        Self { port, accepting: tokio::spawn(accept) }
    }
}

impl Drop for SlowLink {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// Hands on what it reads, each piece when its time on the way is over.
async fn late(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, way: Duration) {
    let (sender, mut on_the_way) = tokio::sync::mpsc::unbounded_channel::<(tokio::time::Instant, Vec<u8>)>();
    let read = async move {
        let mut piece = vec![0; 16 * 1024];
        while let Ok(1..) = from.read(&mut piece).await.inspect(|length| piece.truncate(*length)) {
            let arrives = tokio::time::Instant::now() + way;
            if sender.send((arrives, std::mem::replace(&mut piece, vec![0; 16 * 1024]))).is_err() {
                break;
            }
        }
    };
    let write = async move {
        while let Some((arrives, piece)) = on_the_way.recv().await {
            tokio::time::sleep_until(arrives).await;
            if to.write_all(&piece).await.is_err() {
                break;
            }
        }
    };
    tokio::join!(read, write);
}

/// A small disk under a server's log, as root alone can make one. Gone when dropped: the server is killed before.
#[derive(Debug)]
pub(crate) struct SmallDisk {
    server: Server,
    at: PathBuf,
}

impl SmallDisk {
    /// The server is down; its log moves to a disk on which so many bytes are free beyond it.
    pub(crate) fn under(server: &Server, free: u64) -> Self {
        let (wal, at) = (server.data.join("pg_wal"), server.data.with_file_name("small"));
        let used: u64 = fs::read_dir(&wal)
            .unwrap()
            .filter_map(|entry| entry.ok()?.metadata().ok())
            .map(|file| file.len() + 4096)
            .sum();
        server.run(&["mkdir", at.to_str().unwrap()]);
        let size = format!("size={},mode=777", used + free);
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "none"]).arg(&at).status();
        assert!(mounted.unwrap().success());
        let disk = Self { server: server.clone(), at };
        let moved = disk.at.join("wal");
        server.run(&["cp", "-a", wal.to_str().unwrap(), moved.to_str().unwrap()]);
        server.run(&["rm", "-r", wal.to_str().unwrap()]);
        server.run(&["ln", "-s", moved.to_str().unwrap(), wal.to_str().unwrap()]);
        disk
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        self.server.kill();
        let _ = Command::new("umount").arg("--lazy").arg(&self.at).status();
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn binaries() -> PathBuf {
    let on_path = std::env::var_os("PATH")
        .into_iter()
        .flat_map(|path| std::env::split_paths(&path).collect::<Vec<_>>());
    let versions = (14..=19).rev().map(|version| PathBuf::from(format!("/usr/lib/postgresql/{version}/bin")));
    let known = ["initdb", "pg_ctl", "pg_rewind", "pg_basebackup", "postgres"];
    on_path
        .chain(versions)
        .find(|folder| known.iter().all(|tool| folder.join(tool).exists()))
        .expect("PostgreSQL 14 or newer: apt-get install postgresql")
}

/// Whether this process may do everything.
pub(crate) fn is_root() -> bool {
    fs::metadata("/proc/self").unwrap().uid() == 0
}

/// Whom servers run as: PostgreSQL refuses root.
fn as_postgres(words: &[&str]) -> Command {
    let root = is_root();
    let mut command = Command::new(if root { "setpriv" } else { words[0] });
    if root {
        let (uid, gid) = account();
        command
            .args([format!("--reuid={uid}"), format!("--regid={gid}"), "--clear-groups".to_owned()])
            .args(words);
    } else {
        command.args(&words[1..]);
    }
    command.env("LC_ALL", "C").current_dir("/");
    command
}

fn account() -> (String, String) {
    let users = fs::read_to_string("/etc/passwd").unwrap();
    let find =
        |name: &str| users.lines().find(|line| line.starts_with(&format!("{name}:"))).map(str::to_owned);
    let entry = find("postgres").or_else(|| find("nobody")).unwrap();
    let parts: Vec<&str> = entry.split(':').collect();
    (parts[2].to_owned(), parts[3].to_owned())
}

fn fresh_root() -> PathBuf {
    let mut bytes = [0; 6];
    fs::File::open("/dev/urandom").unwrap().read_exact(&mut bytes).unwrap();
    let name: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let root = PathBuf::from(format!("/tmp/dr-postgres-test-{name}"));
    fs::create_dir(&root).unwrap();
    open_to_postgres(&root);
    root
}

fn open_to_postgres(folder: &Path) {
    fs::set_permissions(folder, fs::Permissions::from_mode(0o777)).unwrap();
}

/// Ends everything in a folder, and the folder, when this process ends, however it ends.
fn watchdog(root: &Path) -> Child {
    let script = r#"cat >/dev/null
        for turn in 1 2; do
          find /proc -maxdepth 2 -name cwd -lname "$1/*" 2>/dev/null | cut -d/ -f3 | xargs -r kill -s KILL 2>/dev/null
        done
        rm -rf "$1""#;
    Command::new("sh")
        .args(["-c", script, "watchdog", root.to_str().unwrap()])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .unwrap()
}

/// A data directory made once for all tests: initdb takes a second.
fn template(server: &Server) -> PathBuf {
    let folder =
        PathBuf::from(format!("/tmp/dr-postgres-template-{}", fs::metadata("/proc/self").unwrap().uid()));
    let _ = fs::create_dir(&folder);
    open_to_postgres(&folder);
    let lock = fs::File::create(folder.join("lock")).unwrap();
    lock.lock().unwrap();
    let version = format!("{}_small", server.bin.to_str().unwrap().replace('/', "_"));
    let done = folder.join(&version);
    if !done.join("PG_VERSION").exists() {
        let half = folder.join(format!("{version}.half"));
        server.run(&["rm", "-rf", half.to_str().unwrap()]);
        server.tool(
            "initdb",
            &[
                "-D",
                half.to_str().unwrap(),
                "-U",
                "postgres",
                "-A",
                "trust",
                "-N",
                "-E",
                "UTF8",
                // Most of what a fresh pair writes would be empty log.
                "--wal-segsize=1",
            ],
        );
        server.run(&["mv", half.to_str().unwrap(), done.to_str().unwrap()]);
    }
    done
}

pub(crate) fn signal(pid: &str, signal: &str) {
    let _ = std::process::Command::new("kill")
        .args(["-s", signal, pid])
        .stderr(std::process::Stdio::null())
        .status();
}
