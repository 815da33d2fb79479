//! Two regions of a platform: databases and services from the sandbox, clusters, and a record in a hosted zone.
//!
//! What is not real: AWS's API (a simulator; the evidence says so), the kubelets (pods are ready without running), and
//! the load balancers (an ingress' address is that of the sandbox's services).

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use dr_testkit_aws::{Aws, Options, Record};
use dr_testkit_kube::{Access, Contexts, Passage, SharedRegion};
use serde_json::{Value, json};

use crate::callers::{Callers, dig};
use crate::clusters::{Cluster, Staff};
use crate::fitted::Fitted;
use crate::host::Host;
use crate::support::{DR, SOURCE, Said, Sandbox, TARGET, dr, run, until};

/// The name that callers use.
pub(crate) const NAME: &str = "teei.example.com";
/// For how many seconds an answer may be remembered here, so that no test waits a minute for caches.
const TTL: u32 = 1;
const SIDES: [&str; 2] = [SOURCE, TARGET];

/// What a run must leave as it should be, looked at past the code under test.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seen {
    /// Which databases take writes.
    pub(crate) writable: Vec<String>,
    /// Where every name server sends callers.
    pub(crate) callers: Vec<String>,
    /// What runs in each region.
    pub(crate) staff: BTreeMap<String, Staff>,
}

/// The platform.
pub(crate) struct World {
    callers: Callers,
    probers: Vec<Prober>,
    clusters: BTreeMap<String, Cluster>,
    pub(crate) aws: Aws,
    host: Host,
    pub(crate) zone: String,
    ttl: u32,
    pub(crate) sandbox: Sandbox,
    pub(crate) state: Value,
}

/// A process that ends with its test.
struct Prober(Child);

impl Drop for Prober {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl World {
    /// Served by the source, with callers who are.
    pub(crate) fn up() -> Self {
        Self::with_ttl(TTL)
    }

    /// The same with a record that is remembered for so many seconds.
    pub(crate) fn with_ttl(ttl: u32) -> Self {
        Self::on(Sandbox::with(&["--load", "20"]), ttl)
    }

    /// The same for many rounds.
    pub(crate) fn for_a_sweep() -> Self {
        Self::on(Sandbox::lasting("1h", &["--load", "20"]), TTL)
    }

    fn on(sandbox: Sandbox, ttl: u32) -> Self {
        let state = std::fs::read(sandbox.dir().join("state.json")).unwrap();
        let state: Value = serde_json::from_slice(&state).unwrap();
        let host = Host::start();
        let doors = SIDES.map(|side| app(&state, side));
        let (aws, zone, clusters) = host.block_on(async {
            let aws = Aws::start(Options::new()).await.unwrap();
            let zone = aws.create_zone("example.com");
            let record = Record::simple(NAME, "A", ttl, &[&doors[0].ip().to_string()]);
            aws.put_record(&zone, record).unwrap();
            let (east, west) = SharedRegion::pair().await.unwrap();
            let namespace = east.access().namespace("teei").await.unwrap();
            let ingress = doors.map(|door| door.ip().to_string());
            let (source, target) = tokio::join!(
                Cluster::up(&east, &namespace, 3, &ingress[0]),
                Cluster::up(&west, &namespace, 1, &ingress[1]),
            );
            (aws, zone, BTreeMap::from([(SOURCE.to_owned(), source), (TARGET.to_owned(), target)]))
        });
        let callers = Callers::begin(NAME, doors[0].port(), aws.name_servers());
        let mut world = Self { callers, probers: Vec::new(), clusters, aws, host, zone, ttl, sandbox, state };
        world.become_known();
        world.served();
        world
    }

    /// Writes the files that credentials are found in, and has somebody measure from now on.
    fn become_known(&mut self) {
        let accesses = SIDES.map(|side| {
            let cluster = &self.clusters[side];
            (format!("teei-{side}"), cluster.admin.via(cluster.relay.address()))
        });
        self.know(&accesses);
        let keys =
            "[profile dr]\naws_access_key_id = AKIATESTTESTTESTTEST\naws_secret_access_key = of-a-test\n";
        private(self.sandbox.beside("aws"), keys);
        let failover = self.plan("region-failover.yaml");
        let failover = failover.to_str().unwrap();
        for (name, seat, more) in
            [("outside", "outside", &["--samples", "--ledger"][..]), ("beside", TARGET, &[])]
        {
            let keep = ["measure", failover, "--keep", "--name", name, "--seat", seat, "--every", "250ms"];
            let mut command = self.command(&[&keep[..], more].concat());
            let log = std::fs::File::create(self.sandbox.beside(&format!("measure-{name}.log"))).unwrap();
            self.probers.push(Prober(command.stdout(Stdio::null()).stderr(log).spawn().unwrap()));
        }
    }

    fn know(&self, accesses: &[(String, Access)]) {
        let contexts = accesses.iter().fold(Contexts::new(), |all, (name, access)| all.with(name, access));
        contexts.write_to(&self.sandbox.beside("kubeconfig")).unwrap();
    }

    /// From here on `dr` is somebody with fewer rights in the target's cluster.
    pub(crate) fn is_known_in_the_target_as(&self, user: impl AsyncFnOnce(&Access, &str) -> Access) {
        let (source, target) = (&self.clusters[SOURCE], &self.clusters[TARGET]);
        let lesser = self.host.block_on(user(&target.admin, &target.namespace));
        self.know(&[
            (format!("teei-{SOURCE}"), source.admin.via(source.relay.address())),
            (format!("teei-{TARGET}"), lesser.via(target.relay.address())),
        ]);
    }

    /// An example plan, fitted to this world.
    pub(crate) fn plan(&self, name: &str) -> PathBuf {
        let servers: Vec<String> = self.aws.name_servers().iter().map(ToString::to_string).collect();
        let port = app(&self.state, SOURCE).port();
        let at = format!("http://{NAME}:{port}");
        let mut plan = Fitted::example(name)
            .state(&self.sandbox.beside("witness"))
            .set("services", "/namespace", self.clusters[SOURCE].namespace.clone())
            .set("entry", "/zone", self.zone.clone())
            .set("entry", "/ttl", format!("{}s", self.ttl))
            .set("entry", "/name_servers", json!(servers))
            .add("entry", "/aws", "endpoint", self.aws.endpoint())
            .set("teei", "/url", format!("{at}/health"))
            .set("teei", "/write/url", format!("{at}/touch"))
            .set("teei", "/ledger/url", format!("{at}/ledger/{{book}}/{{row}}"))
            .set("teei", "/resolver/servers", json!(servers));
        for side in SIDES {
            let region = &self.state["regions"][side];
            let dir = self.sandbox.dir();
            let prefix = [DR, "sandbox", "--dir", dir.to_str().unwrap(), "exec", "--side", side, "--"];
            let data = PathBuf::from(region["home"].as_str().unwrap()).join("pgdata");
            let control = json!({ "prefix": prefix, "data": data, "bin": self.state["bin"] });
            let url = format!("postgres://dr@{}/orders", region["postgres"].as_str().unwrap());
            plan = plan.set("platform", &format!("/sides/{side}/url"), url).set(
                "platform",
                &format!("/sides/{side}/control/command"),
                control,
            );
            let door = if side == SOURCE { "teei-us" } else { "teei-eu" };
            if plan.has(door) {
                plan = plan.set(door, "/url", format!("http://{}/health", app(&self.state, side)));
                if name == "full-return.yaml" {
                    plan = plan.set(door, "/write/url", format!("http://{}/touch", app(&self.state, side)));
                }
            }
        }
        let path = self.sandbox.beside(name);
        plan.write(&path);
        path
    }

    /// `dr` with what a person's environment holds.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = dr();
        self.at_home(command.args(arguments))
            .env("DR_EVIDENCE", self.sandbox.evidence())
            .env("PLATFORM_APP_PASSWORD", self.secret("app"))
            .env("PLATFORM_DR_PASSWORD", self.secret("dr"))
            .env("PLATFORM_URL_US", "postgres://app:canary-of-a-secret@db.us.internal/platform");
        command
    }

    /// A secret of the sandbox.
    pub(crate) fn secret(&self, name: &str) -> String {
        let path = self.sandbox.dir().join("secrets").join(name);
        std::fs::read_to_string(path).unwrap().trim().to_owned()
    }

    /// A command with a person's files, where that person works.
    pub(crate) fn at_home<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command
            .env("KUBECONFIG", self.sandbox.beside("kubeconfig"))
            .env("AWS_CONFIG_FILE", self.sandbox.beside("aws"))
            .env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .current_dir(self.sandbox.beside(""))
    }

    /// Runs it to its end.
    #[track_caller]
    pub(crate) fn dr(&self, arguments: &[&str]) -> Said {
        let said = run(&mut self.command(arguments));
        assert!(!said.out.contains("canary") && !said.err.contains("canary"), "a secret in: {said:?}");
        said
    }

    /// A verb on an example plan, confirmed.
    #[track_caller]
    pub(crate) fn does(&self, verb: &[&str], plan: &str) -> Said {
        let plan = self.plan(plan);
        self.dr(&[verb, &[plan.to_str().unwrap(), "--yes"]].concat())
    }

    /// Begins the same.
    pub(crate) fn begin(&self, verb: &[&str], plan: &str) -> Child {
        let plan = self.plan(plan);
        let before = self.runs().len();
        let mut command = self.command(&[verb, &[plan.to_str().unwrap(), "--yes"]].concat());
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        until("a run that has begun", || (self.runs().len() > before).then_some(()));
        child
    }

    /// Waits for an event of the newest run.
    #[track_caller]
    pub(crate) fn awaits(&self, (event, step): (&str, &str)) {
        let is = |entry: &Value| entry["event"] == event && entry["step"] == step;
        let over = |entry: &Value| ["ended", "suspended"].iter().any(|end| entry["event"] == *end);
        until(&format!("{event} {step}"), || {
            let events = self.events();
            let come = events.iter().any(is);
            assert!(come || !events.iter().any(over), "it was over before {event} {step}");
            come.then_some(())
        });
    }

    /// The folders of the runs, oldest first.
    pub(crate) fn runs(&self) -> Vec<PathBuf> {
        let Ok(entries) = std::fs::read_dir(self.sandbox.beside("witness/runs")) else { return Vec::new() };
        let mut all: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
        all.sort();
        all
    }

    /// The committed events of the newest run.
    pub(crate) fn events(&self) -> Vec<Value> {
        let Some(run) = self.runs().pop() else { return Vec::new() };
        let text = std::fs::read_to_string(run.join("journal.ndjson")).unwrap_or_default();
        text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    /// Whether a run is open, or holds what it claimed.
    pub(crate) fn is_open(&self) -> bool {
        let claims = std::fs::read_dir(self.sandbox.beside("witness/claims"));
        claims.is_ok_and(|mut all| all.next().is_some())
    }

    /// Waits until nobody who measures sees an outage.
    pub(crate) fn is_at_peace(&self) {
        until("an end of the outage", || {
            self.heartbeats().iter().all(|beat| beat["outage"].is_null()).then_some(())
        });
    }

    /// The newest bundle.
    pub(crate) fn bundle(&self) -> PathBuf {
        self.sandbox.bundles().pop().expect("a bundle")
    }

    /// A file of the newest bundle.
    pub(crate) fn evidence(&self, file: &str) -> String {
        let path = self.bundle().join(file);
        std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    /// The figures of the newest run.
    pub(crate) fn metrics(&self) -> Value {
        serde_json::from_str(&self.evidence("metrics.json")).unwrap()
    }

    /// The source region is gone: its database and services are killed, and nobody there answers any more. Whoever
    /// measures has seen it.
    pub(crate) fn lose_the_source(&self) {
        self.lose(&["break", "source"]);
    }

    /// The same by another fault of the sandbox.
    pub(crate) fn lose(&self, fault: &[&str]) {
        self.clusters[SOURCE].relay.set(Passage::BlackHole);
        self.sandbox.sandbox(fault).ends(0);
        until("an outage that is noticed", || {
            self.heartbeats().iter().any(|beat| beat["outage"].is_object()).then_some(())
        });
    }

    /// What the probers say that measure all the time.
    fn heartbeats(&self) -> Vec<Value> {
        let Ok(files) = std::fs::read_dir(self.sandbox.beside("witness/heartbeats")) else {
            return Vec::new();
        };
        let read = |file: std::fs::DirEntry| serde_json::from_slice(&std::fs::read(file.path()).ok()?).ok();
        files.filter_map(|file| read(file.ok()?)).map(|beat: Value| beat["value"].clone()).collect()
    }

    /// It is back.
    pub(crate) fn heal(&self) {
        self.clusters[SOURCE].relay.set(Passage::Open);
        self.sandbox.sandbox(&["heal"]).ends(0);
    }

    /// A region's cluster, on the runtime it lives on.
    pub(crate) fn with_cluster<T>(&self, side: &str, act: impl AsyncFnOnce(&Cluster) -> T) -> T {
        self.host.block_on(act(&self.clusters[side]))
    }

    /// Waits until callers are served.
    #[track_caller]
    pub(crate) fn served(&self) {
        let before = self.callers.acknowledged();
        until("orders that are acknowledged", || (self.callers.acknowledged() > before + 10).then_some(()));
    }

    /// Every order that a caller saw acknowledged is in that side's database.
    #[track_caller]
    pub(crate) fn has_every_acknowledged_order(&self, side: &str) {
        let acknowledged = self.callers.acknowledged();
        let rows: u64 = self.sandbox.asked(side, "select count(*) from orders").parse().unwrap();
        assert!(rows >= acknowledged, "{rows} rows of {acknowledged} acknowledged");
    }

    /// Looks at everything that a run may change.
    pub(crate) fn seen(&self) -> Seen {
        let takes_writes = |side: &&str| {
            self.state["regions"][*side]["postgres"].as_str().is_some() && {
                let answer = self.sandbox_asked(side, "select not pg_is_in_recovery()");
                answer.as_deref() == Some("t")
            }
        };
        let side_of = |address: &IpAddr| {
            let found = SIDES.into_iter().find(|side| app(&self.state, side).ip() == *address);
            found.map_or_else(|| address.to_string(), str::to_owned)
        };
        let answers = self.aws.name_servers().into_iter().map(|server| dig(server, NAME).unwrap());
        let mut callers: Vec<String> =
            answers.flat_map(|answer| answer.iter().map(side_of).collect::<Vec<_>>()).collect();
        callers.dedup();
        let staff =
            |(side, cluster): (&String, &Cluster)| (side.clone(), self.host.block_on(cluster.staff()));
        Seen {
            writable: SIDES.into_iter().filter(takes_writes).map(str::to_owned).collect(),
            callers,
            staff: self.clusters.iter().map(staff).collect(),
        }
    }

    /// What a side's database answers, if it does.
    fn sandbox_asked(&self, side: &str, query: &str) -> Option<String> {
        let psql = format!("{}/psql", self.state["bin"].as_str().unwrap());
        let (host, port) = self.state["regions"][side]["postgres"].as_str().unwrap().split_once(':').unwrap();
        let said = self.sandbox.sandbox(&[
            "exec", "--side", side, "--", &psql, "-h", host, "-p", port, "-U", "dr", "-d", "orders", "-Atc",
            query,
        ]);
        (said.code == 0).then(|| said.out.trim().to_owned())
    }

    /// Every bundle is whole and linked to the one before.
    #[track_caller]
    pub(crate) fn evidence_verifies(&self) {
        self.dr(&["evidence", "verify", self.sandbox.evidence().to_str().unwrap()]).ends(0);
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if std::thread::panicking()
            && let Some(run) = self.runs().pop()
        {
            eprintln!(
                "── {}\n{}",
                run.display(),
                std::fs::read_to_string(run.join("console.log")).unwrap_or_default()
            );
        }
    }
}

impl Seen {
    /// The world while that side serves: so many pods of each service in the source and the target, all ready.
    #[track_caller]
    pub(crate) fn is_served_by(&self, side: &str, pods: [i32; 2]) {
        assert_eq!(
            (self.writable.as_slice(), self.callers.as_slice()),
            (&[side.to_owned()][..], &[side.to_owned()][..])
        );
        for (side, wanted) in SIDES.into_iter().zip(pods) {
            let staff = &self.staff[side];
            assert_eq!(staff.len(), crate::clusters::SERVICES.len());
            for (name, (desired, ready, _)) in staff {
                assert_eq!((*desired, *ready), (wanted, wanted), "{name} in {side}");
            }
        }
    }
}

/// Where a region's services listen.
pub(crate) fn app(state: &Value, side: &str) -> SocketAddr {
    state["regions"][side]["app"].as_str().unwrap().parse().unwrap()
}

fn private(path: PathBuf, text: &str) {
    use std::io::Write as _;
    let mut file = std::fs::File::options().write(true).create_new(true).mode(0o600).open(path).unwrap();
    file.write_all(text.as_bytes()).unwrap();
}
