//! A database moved by hand, by the health check of its primary's record: on purpose and home, and without Route 53's API.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;

use dr_testkit_aws::{Aws, Failure, Fault, Options, Record, Service};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use crate::by_hand::{OPEN, check_of_all, empty, endpoint_check, replicate, sampled};
use crate::callers::dig;
use crate::cloud::{EAST, STATE, WEST, dr_on, tell};
use crate::fitting::Fitting;
use crate::host::Host;
use crate::orders::{BOOK, Callers};
use crate::probers::Probers;
use crate::support::{Said, run, until};

const PLAN: &str = "manual-failover.yaml";
const NAME: &str = "db.example.com";
const PRIMARY: &str = "shop-db";
const STANDBY: &str = "shop-db-standby";
/// The primary's side first.
const SIDES: [(&str, &str); 2] = [(WEST, PRIMARY), (EAST, STANDBY)];
const SWITCH: (&str, &str) = ("shop-switch-us-east-1", "switch/db");
const PACE: f64 = 30.0;

struct Pair {
    callers: Callers,
    probers: Option<Probers>,
    aws: Arc<Aws>,
    host: Host,
    zone: String,
    /// Of the primary's endpoint, and of that and the switch together.
    checks: [String; 2],
    doors: [SocketAddr; 2],
    folder: TempDir,
}

impl Pair {
    fn up() -> Self {
        let host = Host::start();
        let (aws, doors, public) = host.block_on(async {
            let aws = Arc::new(Aws::start(Options::new()).await.unwrap());
            let primary = aws.rds(WEST).create(PRIMARY).unwrap();
            aws.rds(EAST).replicate(STANDBY, &primary).unwrap();
            let mut doors = Vec::new();
            for ((region, database), group) in
                SIDES.into_iter().zip(["sg-0a1b2c3d4e5f60718", "sg-0b1c2d3e4f5061728"])
            {
                aws.rds(region).close_group(group);
                aws.create_bucket(region, &format!("shop-backups-{region}"), true);
                let service = aws.start_service(region, &aws.rds(region).instance(database)).await.unwrap();
                doors.push(service.address());
            }
            aws.create_bucket(EAST, SWITCH.0, true);
            aws.create_bucket("us-east-2", STATE, true);
            let public = public(Arc::clone(&aws)).await;
            (aws, [doors[0], doors[1]], public)
        });
        for (from, to) in [(WEST, EAST), (EAST, WEST)] {
            replicate(&aws, (from, &format!("shop-backups-{from}")), &format!("shop-backups-{to}"));
        }
        aws.set_clock_pace(PACE);
        sampled(&aws, EAST, STANDBY);
        let serves = endpoint_check(&aws, doors[0], "/health", false);
        let no_switch = endpoint_check(&aws, public, "/switch", true);
        let both = check_of_all(&aws, &[&serves, &no_switch]);
        let zone = aws.create_zone("example.com");
        let at = |side: usize| Record::simple(NAME, "A", 1, &[&doors[side].ip().to_string()]);
        aws.put_record(&zone, at(0).failover("Primary", true).checked_by(&both)).unwrap();
        aws.put_record(&zone, at(1).failover("Secondary", false)).unwrap();
        let callers = Callers::begin(NAME, doors[0].port(), aws.name_servers());
        let folder = TempDir::new().unwrap();
        let checks = [serves, both];
        let mut pair = Self { callers, probers: None, aws, host, zone, checks, doors, folder };
        pair.are_served_by(0);
        let watching = Probers::begin(&pair.aws, pair.folder.path(), &pair.plan(), EAST, |arguments| {
            pair.command(arguments)
        });
        pair.probers = Some(watching);
        pair
    }

    fn plan(&self) -> PathBuf {
        let servers: Vec<String> =
            self.aws.name_servers().iter().map(|server| format!("\"{server}\"")).collect();
        let port = self.doors[0].port();
        let aws = format!(
            "aws: {{ endpoint: \"{}\", answers_within: 1s, keys: {{ id: AKIATESTTESTTESTTEST, secret: \"${{env:AWS_SECRET_ACCESS_KEY}}\" }} }}",
            self.aws.endpoint()
        );
        let mut plan = Fitting::example(PLAN)
            .fit("database-dr-state", STATE)
            .fit("Z1234567890ABC", &self.zone)
            .fit("primary-and-no-switch", &self.checks[1])
            .fit("ttl: 60s", "ttl: 1s")
            .fit("\"192.0.2.53:53\", \"192.0.2.54:53\"", &servers.join(", "))
            .fit("192.0.2.10", &self.doors[0].ip().to_string())
            .fit("198.51.100.10", &self.doors[1].ip().to_string())
            .fit("healthy_for: 30s", "healthy_for: 1s")
            .fit("accept_after: 90s", "accept_after: 2s")
            .fit(&format!("https://{NAME}/"), &format!("http://{NAME}:{port}/"));
        for kind in ["rds", "s3-replication", "route53-health-check"] {
            let kind = format!("    kind: {kind}\n");
            plan = plan.fit(&kind, &format!("{kind}    {aws}\n"));
        }
        plan.write(self.folder.path())
    }

    fn command(&self, arguments: &[&str]) -> Command {
        dr_on(&self.aws, self.folder.path(), arguments)
    }

    #[track_caller]
    fn does(&self, verb: &str) -> Said {
        let plan = self.plan();
        run(&mut self.command(&[verb, plan.to_str().unwrap(), "--yes"]))
    }

    fn answers(&self, side: usize) -> bool {
        self.aws.name_servers().iter().all(|server| dig(*server, NAME) == Some(vec![self.doors[side].ip()]))
    }

    /// Every name server sends callers there, and their writes are acknowledged.
    #[track_caller]
    fn are_served_by(&self, side: usize) {
        until("every name server's answer", || self.answers(side).then_some(()));
        let before = self.callers.acknowledged().len();
        until("orders that are acknowledged", || {
            (self.callers.acknowledged().len() > before + 10).then_some(())
        });
    }

    fn is_switched(&self) -> bool {
        self.aws.object(SWITCH.0, SWITCH.1).is_some()
    }

    /// Which databases take writes.
    fn writable(&self) -> [bool; 2] {
        SIDES.map(|(region, database)| {
            let instance = self.aws.rds(region).instance(database);
            instance.is_replica() == Some(false) && instance.takes_connections()
        })
    }

    /// The acknowledged orders that a database does not have.
    fn missing(&self, side: usize) -> Vec<i64> {
        let (region, database) = SIDES[side];
        let acknowledged = self.callers.acknowledged();
        let rows = self.aws.rds(region).instance(database).rows();
        let there: std::collections::BTreeSet<i64> =
            rows.into_iter().filter(|row| row.book == BOOK).map(|row| row.row).collect();
        acknowledged.into_iter().filter(|row| !there.contains(row)).collect()
    }

    /// Nothing in the primary's region answers any more.
    fn lose_the_primary(&self) {
        self.aws.rds(EAST).instance(STANDBY).set_link(false);
        empty(&self.aws, WEST, PRIMARY);
        for service in [Service::Rds, Service::S3, Service::CloudWatch] {
            self.aws.fail(Failure::new(Fault::BlackHole).region(WEST).service(service));
        }
        until("a check that sees it", || (!self.aws.is_healthy(&self.checks[0])).then_some(()));
    }
}

impl Drop for Pair {
    fn drop(&mut self) {
        drop(self.probers.take());
        tell(&self.aws);
        // What is served ends with its runtime, after those who ask.
        self.host.block_on(async {});
    }
}

/// The switch's public address: found or not found.
async fn public(aws: Arc<Aws>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = [0; 4096];
            let _ = stream.read(&mut request).await;
            let there = aws.object(SWITCH.0, SWITCH.1).is_some();
            let status = if there { "200 OK" } else { "404 Not Found" };
            let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    address
}

/// P12: a way back before the old side follows again is refused by the name of the debt.
#[test]
fn a_database_is_moved_by_its_check_on_purpose_and_home_again_without_a_loss() {
    let pair = Pair::up();
    pair.does("switchover").ends(11);
    pair.are_served_by(1);
    assert!(pair.is_switched());
    assert_eq!(pair.writable(), [false, true]);
    assert_eq!(pair.missing(1), Vec::<i64>::new());

    pair.does("failback").ends(12).tells("--override debts");
    assert_eq!(pair.writable(), [false, true], "nothing is touched");
    pair.does("protect").ends(0);
    pair.does("failback").ends(11);
    pair.are_served_by(0);
    assert!(!pair.is_switched(), "the check decides again");
    assert_eq!(pair.writable(), [true, false]);
    assert_eq!(pair.missing(0), Vec::<i64>::new());
}

/// P5 and P45: Route 53's API is gone as well; the data plane alone moves callers, and holds them.
#[test]
fn a_lost_primary_is_left_without_any_control_plane_of_route_53_and_its_return_moves_nobody() {
    let pair = Pair::up();
    pair.lose_the_primary();
    pair.aws.fail(Failure::new(Fault::BlackHole).service(Service::Route53));
    pair.does("failover").ends(11);
    pair.are_served_by(1);
    assert!(pair.is_switched());
    assert!(pair.writable()[1]);

    pair.aws.heal_all();
    pair.aws.rds(WEST).open_group(OPEN);
    until("a primary that looks well again", || pair.aws.is_healthy(&pair.checks[0]).then_some(()));
    pair.are_served_by(1);
}
