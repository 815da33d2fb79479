//! Two regions of an e-commerce platform, in warm standby.
//!
//! What is not real: AWS (a strict simulator; the evidence says so), the kubelets (pods are ready without running), and
//! the services behind the pods: one small service a region, on the database that the region's deployments are told of,
//! and running while their pods are ready.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use dr_testkit_aws::{Aws, Failure, Fault, Options, Record, Service};
use dr_testkit_kube::{Contexts, Passage, SharedRegion};
use k8s_openapi::api::apps::v1::Deployment;
use kube::Api;
use serde_json::Value;
use tempfile::TempDir;

use crate::asking::{ask, within};
use crate::by_hand::{OPEN, empty, endpoint_check, replicate, sampled};
use crate::callers::dig;
use crate::crew::{Crew, Staff, staff};
use crate::fitting::Fitting;
use crate::host::Host;
use crate::orders::{BOOK, Callers};
use crate::probers::Probers;
use crate::support::{Said, dr, finish, run, until};

pub(crate) const EAST: &str = "us-east-1";
pub(crate) const WEST: &str = "us-west-2";
pub(crate) const FAILOVER: &str = "ecommerce-failover.yaml";
pub(crate) const FAILBACK: &str = "gradual-failback.yaml";
/// The name of who orders.
pub(crate) const NAME: &str = "ecommerce.example.com";
/// The name of who browses.
pub(crate) const BROWSERS: &str = "catalogue.example.com";
pub(crate) const DATABASE: &str = "ecommerce-db";
pub(crate) const REPLICA: &str = "ecommerce-db-dr";
pub(crate) const STATE: &str = "ecommerce-dr-state";
const SIDES: [&str; 2] = [EAST, WEST];
const FENCES: [&str; 2] = ["sg-0a1b2c3d4e5f60718", "sg-0b1c2d3e4f5061728"];
/// How long an answer may be remembered here, so that no test waits a minute for caches.
const TTL: u32 = 1;
/// How many times faster than AWS documents things happen while tests run: one of AWS's minutes takes two seconds.
const PACE: f64 = 30.0;
/// How often a service looks what its deployments are told.
const TOLD_EVERY: Duration = Duration::from_millis(50);

/// What a run must leave as it should be, looked at past the code under test.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seen {
    /// Which databases take writes.
    pub(crate) writable: Vec<String>,
    /// Where every name server sends callers.
    pub(crate) callers: Vec<String>,
    /// What runs in each region.
    pub(crate) staff: BTreeMap<String, Staff>,
    /// How many nodes each region has.
    pub(crate) nodes: [i64; 2],
}

/// The platform.
pub(crate) struct Cloud {
    pub(crate) callers: Callers,
    probers: Option<Probers>,
    pub(crate) crews: BTreeMap<String, Crew>,
    pub(crate) aws: Arc<Aws>,
    /// Whether nothing runs in the source any more, whatever its cluster says.
    lost: Arc<AtomicBool>,
    host: Host,
    zone: String,
    check: String,
    doors: [SocketAddr; 2],
    folder: TempDir,
}

impl Cloud {
    /// Served by the east, with callers who are, and two probers that heard both regions.
    pub(crate) fn up() -> Self {
        let host = Host::start();
        let lost = Arc::new(AtomicBool::new(false));
        let (aws, doors, crews) = host.block_on(async {
            let aws = Arc::new(Aws::start(Options::new()).await.unwrap());
            seed(&aws);
            let (east, west) = SharedRegion::pair().await.unwrap();
            let namespace = east.access().namespace("production").await.unwrap();
            let url = url(DATABASE, EAST);
            let (source, target) =
                tokio::join!(Crew::up(&east, &namespace, 9, &url), Crew::up(&west, &namespace, 3, &url),);
            let mut doors = Vec::new();
            for region in SIDES {
                let at = aws.start_service(region, &aws.rds(EAST).instance(DATABASE)).await.unwrap();
                doors.push(at.address());
            }
            for (region, crew) in [(EAST, &source), (WEST, &target)] {
                tokio::spawn(serve(Arc::clone(&aws), region, crew.deployments(), Arc::clone(&lost)));
            }
            let crews = BTreeMap::from([(EAST.to_owned(), source), (WEST.to_owned(), target)]);
            (aws, [doors[0], doors[1]], crews)
        });
        let (zone, check) = records(&aws, doors);
        by_hand(&aws);
        aws.set_clock_pace(PACE);
        sampled(&aws, WEST, REPLICA);
        let callers = Callers::begin(NAME, doors[0].port(), aws.name_servers());
        let folder = TempDir::new().unwrap();
        let mut cloud = Self { callers, probers: None, crews, aws, lost, host, zone, check, doors, folder };
        let contexts = [("ecommerce-cluster", EAST), ("ecommerce-cluster-dr", WEST)];
        let contexts = contexts.into_iter().fold(Contexts::new(), |all, (name, side)| {
            let crew = &cloud.crews[side];
            all.with(name, &crew.admin.via(crew.relay.address()))
        });
        contexts.write_to(&cloud.folder.path().join("kubeconfig")).unwrap();
        cloud.served();
        let watching =
            Probers::begin(&cloud.aws, cloud.folder.path(), &cloud.plan(FAILOVER), WEST, |arguments| {
                cloud.command(arguments)
            });
        cloud.probers = Some(watching);
        cloud
    }

    /// An example plan, fitted to this world.
    pub(crate) fn plan(&self, name: &str) -> PathBuf {
        self.fitted(name).write(self.folder.path())
    }

    /// The same, to fit further.
    pub(crate) fn fitted(&self, name: &str) -> Fitting {
        let servers: Vec<String> =
            self.aws.name_servers().iter().map(|server| format!("\"{server}\"")).collect();
        let port = self.doors[0].port();
        let aws = format!(
            "aws: {{ endpoint: \"{}\", answers_within: 1s, keys: {{ id: AKIATESTTESTTESTTEST, secret: \"${{env:PLATFORM_SECRET}}\" }} }}",
            self.aws.endpoint()
        );
        let mut plan = Fitting::example(name)
            .fit("Z1234567890ABC", &self.zone)
            .fit("ttl: 60s", &format!("ttl: {TTL}s"))
            .fit("\"192.0.2.53:53\", \"192.0.2.54:53\"", &servers.join(", "))
            .fit("192.0.2.10", &self.doors[0].ip().to_string())
            .fit("198.51.100.10", &self.doors[1].ip().to_string())
            .fit("healthy_for: 30s", "healthy_for: 1s")
            .fit("primary-health-check", &self.check)
            .fit("namespace: production", &format!("namespace: {}", self.crews[EAST].namespace))
            .fit(&format!("https://{NAME}/actuator/health"), &format!("http://{NAME}:{port}/health"))
            .fit(&format!("https://{NAME}/"), &format!("http://{NAME}:{port}/"))
            .fit_if_there("accept_after: 1m", "accept_after: 2s")
            .fit_if_there("bake: 24h", "bake: 2s")
            .fit_if_there(
                "https://dr.internal.example.com/actuator/health",
                &format!("http://{}/health", self.doors[1]),
            )
            .fit_if_there("https://dr.internal.example.com/", &format!("http://{}/", self.doors[1]))
            .fit_if_there(
                "https://home.internal.example.com/actuator/health",
                &format!("http://{}/health", self.doors[0]),
            );
        for kind in ["rds", "eks-nodegroup", "route53", "s3-replication", "cloudwatch-alarm"] {
            let kind = format!("    kind: {kind}\n");
            plan = plan.fit_if_there(&kind, &format!("{kind}    {aws}\n"));
        }
        plan
    }

    /// Where plans and evidence are kept.
    pub(crate) fn beside(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// `dr` with what a person's environment holds.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = dr_on(&self.aws, self.folder.path(), arguments);
        command.env("KUBECONFIG", self.beside("kubeconfig"));
        command
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
        let mut command = self.command(&[verb, &[plan.to_str().unwrap(), "--yes"]].concat());
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    /// The east answers again, as it was when it was lost: its database may be written, and nobody comes.
    pub(crate) fn return_the_east(&self) {
        self.aws.heal_all();
        self.aws.rds(EAST).open_group(OPEN);
        self.crews[EAST].relay.set(Passage::Open);
        self.lost.store(false, Ordering::SeqCst);
    }

    /// Begins to take the open run of an example plan over.
    pub(crate) fn begin_to_take_over(&self, plan: &str) -> Child {
        let plan = self.plan(plan);
        let mut command = self.command(&["resume", plan.to_str().unwrap(), "--take-over"]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    /// Begins the same and kills it as soon as AWS was asked for that.
    #[track_caller]
    pub(crate) fn killed(&self, verb: &[&str], plan: &str, action: &str) {
        let asked = || self.aws.mutations().iter().filter(|call| call.action == action).count();
        let before = asked();
        let mut child = self.begin(verb, plan);
        until(action, || {
            let over = child.try_wait().unwrap();
            let come = asked() > before;
            assert!(come || over.is_none(), "it ended before {action}: {:?}", self.events().last());
            come.then_some(())
        });
        child.kill().unwrap();
        assert_eq!(finish(child).code, -1, "it was over before it was killed");
    }

    /// Whether a run is open, or holds what it claimed.
    pub(crate) fn is_open(&self) -> bool {
        let plan = self.plan(FAILOVER);
        let claims = self.dr(&["claims", plan.to_str().unwrap(), "--json"]).ends(0);
        !serde_json::from_str::<Vec<Value>>(&claims.out).unwrap().is_empty()
    }

    /// The events of the newest run.
    pub(crate) fn events(&self) -> Vec<Value> {
        events(&self.aws)
    }

    pub(crate) fn evidence(&self) -> PathBuf {
        self.beside("evidence")
    }

    /// A file of the newest bundle.
    pub(crate) fn told(&self, file: &str) -> String {
        let mut bundles: Vec<PathBuf> = std::fs::read_dir(self.evidence())
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.join("manifest.json").exists())
            .collect();
        bundles.sort();
        let path = bundles.pop().expect("a bundle").join(file);
        std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    /// The figures of the newest run.
    pub(crate) fn metrics(&self) -> Value {
        serde_json::from_str(&self.told("metrics.json")).unwrap()
    }

    /// Every bundle is whole and linked to the one before.
    #[track_caller]
    pub(crate) fn evidence_verifies(&self) {
        self.dr(&["evidence", "verify", self.evidence().to_str().unwrap()]).ends(0);
    }

    /// Nothing in the east answers any more: its APIs, its cluster, its services, its database's line to the replica.
    /// Route 53 goes on.
    pub(crate) fn lose_the_east(&self) {
        self.lost.store(true, Ordering::SeqCst);
        self.crews[EAST].relay.set(Passage::BlackHole);
        self.aws.rds(WEST).instance(REPLICA).set_link(false);
        empty(&self.aws, EAST, DATABASE);
        for service in [Service::Rds, Service::Eks, Service::S3, Service::CloudWatch, Service::ServiceQuotas]
        {
            self.aws.fail(Failure::new(Fault::BlackHole).region(EAST).service(service));
        }
        until("callers whom nobody serves", || {
            let before = self.callers.acknowledged().len();
            std::thread::sleep(Duration::from_millis(200));
            (self.callers.acknowledged().len() == before).then_some(())
        });
    }

    /// The world as text, but for the state store, and for when a node group was last changed.
    pub(crate) fn world(&self) -> String {
        let text = self.aws.snapshot();
        let lines = text.lines().filter(|line| !line.starts_with(&format!("object {STATE} ")));
        let changed = |line: &str| {
            line.split_once("\"modifiedAt\":").map(|(before, after)| {
                let after = after.trim_start_matches(|letter: char| letter.is_ascii_digit() || letter == '.');
                format!("{before}\"modifiedAt\":…{after}\n")
            })
        };
        lines.map(|line| changed(line).unwrap_or_else(|| format!("{line}\n"))).collect()
    }

    /// A region's cluster, on the runtime it lives on.
    pub(crate) fn with_crew<T>(&self, side: &str, act: impl AsyncFnOnce(&Crew) -> T) -> T {
        self.host.block_on(act(&self.crews[side]))
    }

    /// Waits until callers are served.
    #[track_caller]
    pub(crate) fn served(&self) {
        let before = self.callers.acknowledged().len();
        until("orders that are acknowledged", || {
            (self.callers.acknowledged().len() > before + 10).then_some(())
        });
    }

    /// The acknowledged orders that an instance does not have.
    pub(crate) fn missing(&self, region: &str, instance: &str) -> Vec<i64> {
        let acknowledged = self.callers.acknowledged();
        let rows = self.aws.rds(region).instance(instance).rows();
        let there: std::collections::BTreeSet<i64> =
            rows.into_iter().filter(|row| row.book == BOOK).map(|row| row.row).collect();
        acknowledged.into_iter().filter(|row| !there.contains(row)).collect()
    }

    /// Where every name server sends callers of a name.
    pub(crate) fn answers(&self, name: &str) -> Vec<String> {
        let side_of = |address: &IpAddr| {
            let found = SIDES.into_iter().zip(self.doors).find(|(_, door)| door.ip() == *address);
            found.map_or_else(|| address.to_string(), |(side, _)| side.to_owned())
        };
        let answers = self.aws.name_servers().into_iter().map(|server| dig(server, name).unwrap());
        let mut callers: Vec<String> =
            answers.flat_map(|answer| answer.iter().map(side_of).collect::<Vec<_>>()).collect();
        callers.dedup();
        callers
    }

    /// What share of a name's callers each side gets, of a hundred, as the zone says.
    pub(crate) fn weights(&self, name: &str) -> [i64; 2] {
        let world = self.aws.snapshot();
        let records = world.lines().filter(|line| line.starts_with("record "));
        let of = |side: &str| {
            let record = records.clone().find_map(|line| {
                let record: Value = serde_json::from_str(&line[line.find('{')?..]).ok()?;
                let meant = record["Name"] == format!("{name}.") && record["SetIdentifier"] == side;
                meant.then(|| record["Weight"].as_i64())?
            });
            record.unwrap_or_else(|| panic!("no weight of {name} in {side}:\n{world}"))
        };
        SIDES.map(of)
    }

    /// Looks at everything that a run may change.
    pub(crate) fn seen(&self) -> Seen {
        let instances = [(EAST, DATABASE), (WEST, REPLICA)];
        let writes = |(region, id): &(&str, &str)| {
            let instance = self.aws.rds(region).instance(id);
            instance.is_replica() == Some(false) && instance.takes_connections()
        };
        let nodes = |region, cluster| self.aws.nodes(region, cluster, "application-nodes").unwrap();
        Seen {
            writable: instances
                .iter()
                .filter(|one| writes(one))
                .map(|(region, _)| (*region).to_owned())
                .collect(),
            callers: self.answers(NAME),
            staff: self
                .crews
                .iter()
                .map(|(side, crew)| (side.clone(), self.host.block_on(crew.staff())))
                .collect(),
            nodes: [nodes(EAST, "ecommerce-cluster"), nodes(WEST, "ecommerce-cluster-dr")],
        }
    }
}

impl Drop for Cloud {
    fn drop(&mut self) {
        drop(self.probers.take());
        tell(&self.aws);
    }
}

/// `dr` with what a person's environment holds: the keys of this world's AWS, and the way to its state store.
pub(crate) fn dr_on(aws: &Aws, folder: &Path, arguments: &[&str]) -> Command {
    let mut command = dr();
    command
        .args(arguments)
        .env("DR_EVIDENCE", folder.join("evidence"))
        .env("AWS_ENDPOINT_URL", aws.endpoint())
        .env("AWS_ALLOW_HTTP", "true")
        .env("AWS_REGION", "us-east-2")
        .env("AWS_ACCESS_KEY_ID", "AKIATESTTESTTESTTEST")
        .env("AWS_SECRET_ACCESS_KEY", "canary-of-a-secret")
        .env("PLATFORM_SECRET", "canary-of-another-secret")
        .env("AWS_CONFIG_FILE", "/dev/null")
        .env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env("TMPDIR", folder)
        .current_dir(folder);
    command
}

/// The events of the newest run, as they stand in the bucket.
pub(crate) fn events(aws: &Aws) -> Vec<Value> {
    let runs: Vec<String> = aws.keys(STATE).into_iter().filter(|key| key.contains("/runs/")).collect();
    let run_of =
        |key: &str| key.split("/runs/").nth(1).and_then(|rest| rest.split('/').next()).map(str::to_owned);
    let Some(newest) = runs.iter().filter_map(|key| run_of(key)).max() else { return Vec::new() };
    let mine = runs.iter().filter(|key| run_of(key).as_deref() == Some(&newest));
    let objects = mine.filter_map(|key| aws.object(STATE, key));
    let text: Vec<String> = objects.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).collect();
    text.iter().flat_map(|text| text.lines()).filter_map(|line| serde_json::from_str(line).ok()).collect()
}

/// Tells of a run whose test failed.
pub(crate) fn tell(aws: &Aws) {
    if std::thread::panicking() {
        for entry in events(aws) {
            eprintln!("{entry}");
        }
    }
}

/// What a deployment is told of a database.
fn url(instance: &str, region: &str) -> String {
    format!("jdbc:postgresql://{instance}.{region}.rds.amazonaws.com:5432/ecommerce")
}

/// Databases, nodes, buckets.
fn seed(aws: &Aws) {
    let primary = aws.rds(EAST).create(DATABASE).unwrap();
    aws.rds(WEST).replicate(REPLICA, &primary).unwrap();
    for (region, cluster, size) in
        [(EAST, "ecommerce-cluster", (9, 30, 9)), (WEST, "ecommerce-cluster-dr", (3, 9, 3))]
    {
        for group in FENCES {
            aws.rds(region).close_group(group);
        }
        aws.create_cluster(region, cluster);
        aws.create_nodegroup(region, cluster, "application-nodes", size, 4).unwrap();
        aws.set_vcpu_quota(region, 64, 0);
        aws.create_bucket(region, &format!("ecommerce-data-{region}"), true);
    }
    aws.create_bucket("us-east-2", STATE, true);
}

/// The zone, and the health check of its primary.
fn records(aws: &Aws, doors: [SocketAddr; 2]) -> (String, String) {
    let check = endpoint_check(aws, doors[0], "/health", false);
    let zone = aws.create_zone("example.com");
    let at = |door: SocketAddr| door.ip().to_string();
    let put = |record| aws.put_record(&zone, record).unwrap();
    put(Record::simple(NAME, "A", TTL, &[&at(doors[0])]).failover("Primary", true).checked_by(&check));
    put(Record::simple(NAME, "A", TTL, &[&at(doors[1])]).failover("Secondary", false));
    put(Record::simple(BROWSERS, "A", TTL, &[&at(doors[0])]).weighted(EAST, 100));
    put(Record::simple(BROWSERS, "A", TTL, &[&at(doors[1])]).weighted(WEST, 0));
    (zone, check)
}

/// What somebody set up once: replication of objects, a copy of the database in the west, an alarm that reaches people.
fn by_hand(aws: &Aws) {
    let endpoint = aws.endpoint();
    replicate(aws, (EAST, "ecommerce-data-us-east-1"), "ecommerce-data-us-west-2");
    ask(
        &endpoint,
        ("monitoring", WEST),
        "POST /",
        "Action=PutMetricAlarm&Version=2010-08-01&AlarmName=DR-Database-Replication-Lag&Namespace=AWS%2FRDS\
         &MetricName=ReplicaLag&Dimensions.member.1.Name=DBInstanceIdentifier&Dimensions.member.1.Value=ecommerce-db-dr\
         &Statistic=Maximum&Period=60&EvaluationPeriods=1&Threshold=300&ComparisonOperator=GreaterThanThreshold\
         &AlarmActions.member.1=arn%3Aaws%3Asns%3Aus-west-2%3A123456789012%3Adr-team",
    );
    ask(
        &endpoint,
        ("rds", WEST),
        "POST /",
        "Action=CreateDBSnapshot&Version=2014-10-31&DBInstanceIdentifier=ecommerce-db-dr&DBSnapshotIdentifier=nightly",
    );
    until("a copy of the database in the west", || {
        let copies = ask(&endpoint, ("rds", WEST), "POST /", "Action=DescribeDBSnapshots&Version=2014-10-31");
        let settled = aws.rds(WEST).instance(REPLICA).status() == Some("available");
        (within(&copies, "Status") == "available" && settled).then_some(())
    });
}

/// Lets a region's service follow its deployments: it runs while pods of all of them are ready, on the database that the
/// order service is told of.
async fn serve(aws: Arc<Aws>, region: &'static str, deployments: Api<Deployment>, lost: Arc<AtomicBool>) {
    let service = aws.start_service(region, &aws.rds(EAST).instance(DATABASE)).await.unwrap();
    let mut running = None;
    loop {
        let gone = region == EAST && lost.load(Ordering::SeqCst);
        if let Some(staff) = staff(&deployments).await {
            let ready = staff.values().map(|(_, ready, _)| *ready).min().unwrap_or(0);
            let ready = if gone { 0 } else { u32::try_from(ready).unwrap_or(0) };
            let told = staff.get("order-service").map(|(_, _, told)| told.as_str()).unwrap_or_default();
            let there = if told.contains(REPLICA) { (WEST, REPLICA) } else { (EAST, DATABASE) };
            service.set_database(&aws.rds(there.0).instance(there.1));
            if running != Some(ready) {
                service.set_replicas(ready);
                running = Some(ready);
            }
        }
        tokio::time::sleep(TOLD_EVERY).await;
    }
}
