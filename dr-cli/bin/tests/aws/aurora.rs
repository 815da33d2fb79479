//! An Aurora global database: on purpose without a loss, and after the loss of a region; home again both times.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use dr_testkit_aws::{Aws, Failure, Fault, Options, Record, Service};
use tempfile::TempDir;

use crate::callers::dig;
use crate::cloud::{EAST, STATE, WEST, dr_on, tell};
use crate::fitting::Fitting;
use crate::host::Host;
use crate::orders::{BOOK, Callers};
use crate::probers::Probers;
use crate::support::{Said, run, until};

const PLAN: &str = "aurora-global.yaml";
const NAME: &str = "orders.example.com";
const CLUSTERS: [(&str, &str); 2] = [(EAST, "orders-use1"), (WEST, "orders-usw2")];

struct Global {
    callers: Callers,
    probers: Option<Probers>,
    aws: Aws,
    host: Host,
    zone: String,
    doors: [SocketAddr; 2],
    folder: TempDir,
}

impl Global {
    fn up() -> Self {
        let host = Host::start();
        let (aws, doors) = host.block_on(async {
            let aws = Aws::start(Options::new()).await.unwrap();
            let clusters = CLUSTERS.map(|(region, id)| aws.rds(region).create_cluster(id).unwrap());
            aws.create_global_cluster("orders", &[&clusters[0], &clusters[1]]).unwrap();
            let mut doors = Vec::new();
            for ((region, _), cluster) in CLUSTERS.into_iter().zip(&clusters) {
                for group in ["sg-0a1b2c3d4e5f60718", "sg-0b1c2d3e4f5061728"] {
                    aws.rds(region).close_group(group);
                }
                doors.push(aws.start_service(region, cluster).await.unwrap().address());
            }
            drop(clusters);
            (aws, [doors[0], doors[1]])
        });
        aws.create_bucket("us-east-2", STATE, true);
        let zone = aws.create_zone("example.com");
        aws.put_record(&zone, Record::simple(NAME, "A", 1, &[&doors[0].ip().to_string()])).unwrap();
        let callers = Callers::begin(NAME, doors[0].port(), aws.name_servers());
        let folder = TempDir::new().unwrap();
        let mut global = Self { callers, probers: None, aws, host, zone, doors, folder };
        global.served();
        let watching = Probers::begin(&global.aws, global.folder.path(), &global.plan(), WEST, |arguments| {
            global.command(arguments)
        });
        global.probers = Some(watching);
        global
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
            .fit("Z1234567890ABC", &self.zone)
            .fit("ttl: 60s", "ttl: 1s")
            .fit("\"192.0.2.53:53\", \"192.0.2.54:53\"", &servers.join(", "))
            .fit("192.0.2.10", &self.doors[0].ip().to_string())
            .fit("198.51.100.10", &self.doors[1].ip().to_string())
            .fit("healthy_for: 10s", "healthy_for: 1s")
            .fit("accept_after: 1m", "accept_after: 2s")
            .fit(&format!("https://{NAME}/"), &format!("http://{NAME}:{port}/"));
        for kind in ["aurora-global", "route53"] {
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

    #[track_caller]
    fn served(&self) {
        let before = self.callers.acknowledged().len();
        until("orders that are acknowledged", || {
            (self.callers.acknowledged().len() > before + 10).then_some(())
        });
    }

    /// The acknowledged orders that a cluster does not have.
    fn missing(&self, (region, id): (&str, &str)) -> usize {
        let acknowledged = self.callers.acknowledged();
        let rows = self.aws.rds(region).cluster(id).rows();
        let there: std::collections::BTreeSet<i64> =
            rows.into_iter().filter(|row| row.book == BOOK).map(|row| row.row).collect();
        acknowledged.into_iter().filter(|row| !there.contains(row)).count()
    }

    #[track_caller]
    fn is_served_by(&self, side: usize) {
        self.served();
        let writable = CLUSTERS.map(|(region, id)| self.aws.rds(region).cluster(id).is_writable());
        assert!(writable[side], "{writable:?}");
        for server in self.aws.name_servers() {
            assert_eq!(dig(server, NAME), Some(vec![self.doors[side].ip()]));
        }
    }

    fn only_side_that_writes(&self, side: usize) -> bool {
        let writable = CLUSTERS.map(|(region, id)| self.aws.rds(region).cluster(id).is_writable());
        writable[side] && !writable[1 - side]
    }
}

impl Drop for Global {
    fn drop(&mut self) {
        tell(&self.aws);
        drop(self.probers.take());
        // What is served ends with its runtime, after those who ask.
        self.host.block_on(async {});
    }
}

#[test]
fn an_aurora_global_database_is_switched_both_ways_without_a_loss() {
    let global = Global::up();
    global.does("switchover").ends(0);
    global.is_served_by(1);
    assert!(global.only_side_that_writes(1));
    assert_eq!(global.missing(CLUSTERS[1]), 0);
    global.does("failback").ends(0);
    global.is_served_by(0);
    assert!(global.only_side_that_writes(0));
    assert_eq!(global.missing(CLUSTERS[0]), 0);
}

#[test]
fn an_aurora_global_database_fails_over_from_a_lost_region_and_returns() {
    let global = Global::up();
    global.aws.rds(WEST).cluster(CLUSTERS[1].1).set_lag(Duration::from_millis(300));
    global.served();
    // The region is gone, but for Route 53's control plane: whose loss has a test of its own.
    global.aws.lose_region(EAST, Fault::BlackHole);
    let said = std::thread::scope(|scope| {
        let run = scope.spawn(|| global.does("failover"));
        until("the promotion", || global.aws.rds(WEST).cluster(CLUSTERS[1].1).is_writable().then_some(()));
        global.aws.restore_region(EAST);
        for service in [Service::Rds, Service::CloudWatch] {
            global.aws.fail(Failure::new(Fault::BlackHole).region(EAST).service(service));
        }
        run.join().unwrap()
    });
    assert!([0, 11].contains(&said.code), "{said:?}");
    global.is_served_by(1);
    let lost = global.missing(CLUSTERS[1]);
    let orphans = global.aws.rds(EAST).cluster(CLUSTERS[0].1).orphans();
    let orphans = orphans.iter().filter(|row| row.book == BOOK).count();
    assert!(lost <= orphans || orphans == 0, "{lost} lost, {orphans} kept apart");

    global.aws.heal_all();
    until("the old writer follows", || global.only_side_that_writes(1).then_some(()));
    let protected = global.does("protect");
    assert!([0, 12].contains(&protected.code), "{protected:?}");
    global.does("failback").ends(0);
    global.is_served_by(0);
}
