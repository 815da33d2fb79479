//! A pair of real servers on loopback that cannot outlive its test.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Sender};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

/// East is the primary, west its replica.
#[derive(Debug)]
pub(crate) struct Servers {
    pub(crate) east: Server,
    pub(crate) west: Server,
}

#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) port: u16,
    process: Mutex<Child>,
    /// Connections that fill its queue: the kernel drops what comes after them.
    queue: Mutex<Vec<TcpStream>>,
    folder: tempfile::TempDir,
}

impl Servers {
    pub(crate) async fn start() -> Self {
        let east = Server::start("").await;
        let west = Server::start(&format!("replicaof 127.0.0.1 {}\n", east.port)).await;
        west.streams().await;
        // As it writes its file itself, so that the first one of a test's is no change.
        east.ask("CONFIG REWRITE");
        west.ask("CONFIG REWRITE");
        Self { east, west }
    }
}

impl Server {
    async fn start(more: &str) -> Self {
        loop {
            let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
            let folder = tempfile::tempdir().unwrap();
            let dir = folder.path().display();
            let file = format!(
                "bind 127.0.0.1\nport {port}\ndir {dir}\nlogfile {dir}/log\nsave \"\"\ntcp-backlog 16\n\
                 repl-diskless-sync-delay 0\nmasteruser copy\nmasterauth copy-secret\n\
                 user default off\nuser dr on >dr-secret ~* &* +@all\nuser app on >app-secret ~* &* +@all -@admin -@dangerous\n\
                 user copy on >copy-secret -@all +psync +replconf +ping\n{more}"
            );
            fs::write(folder.path().join("redis.conf"), file).unwrap();
            let process = spawn(folder.path().join("redis.conf"));
            let server = Self { port, process: Mutex::new(process), queue: Mutex::default(), folder };
            // Somebody else may have taken the port meanwhile.
            if server.answers().await {
                return server;
            }
        }
    }

    /// It is killed as by a power failure, and started again from its own file.
    pub(crate) async fn crash_and_start(&self) {
        {
            let mut process = self.process.lock().unwrap_or_else(PoisonError::into_inner);
            process.kill().unwrap();
            process.wait().unwrap();
            *process = spawn(self.folder.path().join("redis.conf"));
        }
        assert!(self.answers().await, "{}", fs::read_to_string(self.folder.path().join("log")).unwrap());
    }

    /// A folder stands where its file was.
    pub(crate) fn make_its_file_unwritable(&self) {
        let file = self.folder.path().join("redis.conf");
        fs::remove_file(&file).unwrap();
        fs::create_dir(&file).unwrap();
    }

    /// Whether it answers, before it ends.
    async fn answers(&self) -> bool {
        let ended = || self.process.lock().unwrap_or_else(PoisonError::into_inner).try_wait().unwrap();
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_secs(20) {
            if self.ask("PING") == "PONG" {
                return true;
            }
            if ended().is_some() {
                return false;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!(
            "it neither answers nor ends: {}",
            fs::read_to_string(self.folder.path().join("log")).unwrap()
        );
    }

    /// Asks it as a person would, beside the backend.
    pub(crate) fn ask(&self, words: &str) -> String {
        self.ask_as("dr", "dr-secret", words)
    }

    pub(crate) fn ask_as(&self, user: &str, password: &str, words: &str) -> String {
        let port = self.port.to_string();
        let who = ["-h", "127.0.0.1", "-p", &port, "--user", user, "--no-auth-warning"];
        let mut command = Command::new("redis-cli");
        command.args(who).args(words.split(' ')).env("REDISCLI_AUTH", password);
        let answer = command.stdin(Stdio::null()).output().unwrap();
        String::from_utf8(answer.stdout).unwrap().trim_end().to_owned()
    }

    /// A line of `INFO replication`.
    pub(crate) fn replication(&self, key: &str) -> String {
        let all = self.ask("INFO replication");
        let line = all.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'));
        line.unwrap_or_default().trim_end().to_owned()
    }

    /// Waits until a replica has its link.
    pub(crate) async fn streams(&self) {
        eventually("the link is up", || self.replication("master_link_status") == "up").await;
    }

    /// What matters of it: its role, its accounts, its keys, and what it would be after a restart.
    pub(crate) fn state(&self) -> String {
        self.state_of(|_| true)
    }

    /// The same without the books of runs, which stay in the store.
    pub(crate) fn state_but_for_books(&self) -> String {
        self.state_of(|key| !key.starts_with("dr:ledger:"))
    }

    fn state_of(&self, counts: impl Fn(&str) -> bool) -> String {
        let file = fs::read_to_string(self.folder.path().join("redis.conf")).unwrap();
        let mut kept: Vec<&str> =
            file.lines().filter(|line| line.starts_with("user ") || line.starts_with("replicaof")).collect();
        kept.sort_unstable();
        let follows = ["role", "master_port", "master_link_status"].map(|key| self.replication(key));
        let (accounts, keys) = (self.ask("ACL LIST"), self.ask("KEYS *"));
        let keys: Vec<&str> = keys.lines().filter(|key| counts(key)).collect();
        format!("{follows:?}\n{accounts}\nkeys: {keys:?}\nafter a restart: {kept:#?}")
    }

    /// It hangs: it is stopped, and the kernel still takes connections for it.
    pub(crate) fn hang(&self) {
        self.signal("STOP");
    }

    /// It is silent: stopped, and its queue of connections is full.
    pub(crate) fn silence(&self) {
        self.hang();
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        let address = ([127, 0, 0, 1], self.port).into();
        while let Ok(stream) = TcpStream::connect_timeout(&address, Duration::from_millis(200)) {
            queue.push(stream);
        }
    }

    pub(crate) async fn heal(&self) {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner).clear();
        self.signal("CONT");
        eventually("it answers", || self.ask("PING") == "PONG").await;
    }

    fn signal(&self, signal: &str) {
        let id = self.process.lock().unwrap_or_else(PoisonError::into_inner).id().to_string();
        assert!(Command::new("kill").args(["-s", signal, &id]).status().unwrap().success());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let mut process = self.process.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = process.kill();
        let _ = process.wait();
    }
}

/// Awaits a condition for at most twenty seconds.
pub(crate) async fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(20) {
        if condition() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("never: {what}");
}

/// Starts a server that the kernel ends with this process. It ends it with the *thread* that started it, and a test's
/// thread ends before its process: so one thread starts them all.
fn spawn(file: PathBuf) -> Child {
    static STARTER: OnceLock<Sender<(PathBuf, Sender<Child>)>> = OnceLock::new();
    let starter = STARTER.get_or_init(|| {
        let (orders, taken) = mpsc::channel::<(PathBuf, Sender<Child>)>();
        std::thread::spawn(move || {
            for (file, reply) in taken {
                let mut command = Command::new("setpriv");
                command.args(["--pdeathsig", "KILL", "redis-server"]).arg(file);
                command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
                reply.send(command.spawn().expect("apt-get install redis-server")).unwrap();
            }
        });
        orders
    });
    let (reply, child) = mpsc::channel();
    starter.send((file, reply)).unwrap();
    child.recv().expect("the thread that starts servers")
}
