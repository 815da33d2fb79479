//! Everything there is, behind one lock, looked at one moment at a time.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use crate::app::App;
use crate::aurora::{self, GlobalCluster};
use crate::clock::Clock;
use crate::cloudwatch::{self, CloudWatch};
use crate::eks::{self, Eks};
use crate::fault::{Fault, Faults};
use crate::ids::Ids;
use crate::options::Options;
use crate::place::Place;
use crate::quotas::Quotas;
use crate::rds::{self, Rds, Store, StoreKey};
use crate::recorder::Recorder;
use crate::route53::{self, Balancer, Route53};
use crate::s3::{self, S3};

/// What the server, the name servers and the handle share.
#[derive(Debug)]
pub(crate) struct Shared {
    world: Mutex<World>,
    changed: watch::Sender<u64>,
}

/// The simulated world.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) clock: Clock,
    /// Names of what is made.
    pub(crate) ids: Ids,
    /// Names of requests, and the dice of weighted answers: reading does not change what is made next.
    pub(crate) chance: Ids,
    pub(crate) recorder: Recorder,
    pub(crate) faults: Faults,
    /// Permissions that were taken away.
    pub(crate) denied: BTreeSet<String>,
    /// Regions that are lost as a whole, and how their connections fail.
    pub(crate) lost: BTreeMap<String, Fault>,
    /// The account of credentials that say nothing else.
    pub(crate) account: String,
    pub(crate) route53_rate: Option<f64>,
    pub(crate) route53: BTreeMap<String, Route53>,
    pub(crate) balancers: BTreeMap<String, Balancer>,
    /// How addresses that are not on loopback answer health checks.
    pub(crate) endpoints: BTreeMap<IpAddr, bool>,
    pub(crate) apps: BTreeMap<String, App>,
    pub(crate) cloudwatch: BTreeMap<Place, CloudWatch>,
    pub(crate) s3: S3,
    pub(crate) eks: BTreeMap<Place, Eks>,
    pub(crate) quotas: BTreeMap<Place, Quotas>,
    /// Global databases, by account and name.
    pub(crate) globals: BTreeMap<(String, String), GlobalCluster>,
    pub(crate) rds: BTreeMap<Place, Rds>,
    /// The rows of instances and clusters.
    pub(crate) stores: BTreeMap<StoreKey, Store>,
    /// Accounts of temporary credentials.
    pub(crate) sessions: BTreeMap<String, String>,
    pub(crate) name_servers: Vec<NameServer>,
    pub(crate) list_addresses: bool,
    pending: BTreeMap<(Instant, u64), Due>,
    next: u64,
    woken: u64,
}

/// A name server and where it really listens.
#[derive(Debug, Clone)]
pub(crate) struct NameServer {
    pub(crate) name: String,
    pub(crate) address: std::net::SocketAddr,
}

/// What comes about by itself.
#[derive(Debug, Clone)]
pub(crate) enum Due {
    Route53(route53::Due),
    Rds(rds::Due),
    Aurora(aurora::Due),
    Eks(eks::Due),
    CloudWatch(cloudwatch::Due),
    S3(s3::Due),
}

impl From<route53::Due> for Due {
    fn from(due: route53::Due) -> Self {
        Self::Route53(due)
    }
}

impl From<rds::Due> for Due {
    fn from(due: rds::Due) -> Self {
        Self::Rds(due)
    }
}

impl From<aurora::Due> for Due {
    fn from(due: aurora::Due) -> Self {
        Self::Aurora(due)
    }
}

impl From<eks::Due> for Due {
    fn from(due: eks::Due) -> Self {
        Self::Eks(due)
    }
}

impl From<cloudwatch::Due> for Due {
    fn from(due: cloudwatch::Due) -> Self {
        Self::CloudWatch(due)
    }
}

impl From<s3::Due> for Due {
    fn from(due: s3::Due) -> Self {
        Self::S3(due)
    }
}

impl Shared {
    pub(crate) fn new(world: World) -> Arc<Self> {
        Arc::new(Self { world: Mutex::new(world), changed: watch::Sender::new(0) })
    }

    /// Looks at, or changes, the world as it is now.
    pub(crate) fn with<T>(&self, look: impl FnOnce(&mut World) -> T) -> T {
        let mut world = self.world.lock().unwrap_or_else(PoisonError::into_inner);
        world.catch_up(Instant::now());
        let before = world.woken;
        let seen = look(&mut world);
        if world.woken != before {
            self.changed.send_replace(world.woken);
        }
        seen
    }

    /// Tells of changes that background work has to know of.
    pub(crate) fn watch(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }
}

impl World {
    pub(crate) fn new(options: &Options) -> Self {
        Self {
            clock: Clock::new(options.pace),
            ids: Ids::new(options.seed),
            chance: Ids::new(!options.seed),
            recorder: Recorder::default(),
            faults: Faults::default(),
            denied: BTreeSet::new(),
            lost: BTreeMap::new(),
            account: options.account.clone(),
            route53_rate: options.route53_rate,
            route53: BTreeMap::new(),
            balancers: BTreeMap::new(),
            endpoints: BTreeMap::new(),
            apps: BTreeMap::new(),
            cloudwatch: BTreeMap::new(),
            s3: S3::default(),
            eks: BTreeMap::new(),
            quotas: BTreeMap::new(),
            globals: BTreeMap::new(),
            rds: BTreeMap::new(),
            stores: BTreeMap::new(),
            sessions: BTreeMap::new(),
            name_servers: Vec::new(),
            list_addresses: options.list_addresses,
            pending: BTreeMap::new(),
            next: 0,
            woken: 0,
        }
    }

    /// An account's Route 53.
    pub(crate) fn route53(&mut self, account: &str) -> &mut Route53 {
        self.route53.entry(account.to_owned()).or_default()
    }

    /// An account's RDS in a region.
    pub(crate) fn rds(&mut self, place: &Place) -> &mut Rds {
        self.rds.entry(place.clone()).or_default()
    }

    /// Whether a region is lost as a whole.
    pub(crate) fn is_lost(&self, region: &str) -> bool {
        self.lost.contains_key(region)
    }

    /// What a new zone's delegation set says.
    pub(crate) fn name_server_names(&self) -> Vec<String> {
        self.name_servers
            .iter()
            .map(|server| if self.list_addresses { server.address.to_string() } else { server.name.clone() })
            .collect()
    }

    /// Background work has something to look at.
    pub(crate) fn changed(&mut self) {
        self.woken += 1;
    }

    /// Lets something come about after a while.
    pub(crate) fn later(&mut self, after: Duration, due: impl Into<Due>) {
        self.next += 1;
        let at = self.clock.now() + after;
        self.pending.insert((at, self.next), due.into());
    }

    /// Lets what is due come about, in order, at its own moment.
    fn catch_up(&mut self, now: Instant) {
        while let Some(due) = self.pending.first_entry().filter(|due| due.key().0 <= now) {
            let ((at, _), due) = due.remove_entry();
            self.clock.set_now(at);
            rds::replicate(self);
            match due {
                Due::Route53(due) => route53::carry_out(self, due),
                Due::Rds(due) => rds::carry_out(self, due),
                Due::Aurora(due) => aurora::carry_out(self, due),
                Due::Eks(due) => eks::carry_out(self, due),
                Due::CloudWatch(due) => cloudwatch::carry_out(self, due),
                Due::S3(due) => s3::carry_out(self, due),
            }
        }
        self.clock.set_now(now);
        rds::replicate(self);
    }
}
