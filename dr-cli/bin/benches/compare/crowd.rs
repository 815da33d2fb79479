//! The seat that both ways are measured from: callers who place numbered orders through the name, remember its address for
//! as long as its TTL, and write down how each order ended.
//!
//! Their caches are of every age: the first asks anew after a part of the TTL, the last after all of it. So the crowd's
//! outage is not one caller's luck. Beside them one caller remembers nothing: that outage is the failover's own part.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::callers::{dig, post};
use crate::interrupt;
use crate::world::NAME;

/// Whose rows they are in the ledger of the database.
pub(crate) const BOOK: &str = "crowd";
/// One for each second of the TTL.
const CALLERS: u32 = 60;
const PAUSE: Duration = Duration::from_secs(1);
/// How often the one asks who remembers nothing.
const SHORT_PAUSE: Duration = Duration::from_millis(100);
/// So many good answers in a row are lasting.
const LASTING: u64 = 5;
const LOOK: Duration = Duration::from_millis(100);
const PATIENCE: Duration = Duration::from_secs(180);

/// The callers, until they are asked for what they have seen.
pub(crate) struct Crowd {
    callers: Vec<Caller>,
    stop: Arc<AtomicBool>,
}

struct Caller {
    /// How many of the last orders were good, without a break.
    served: Arc<AtomicU64>,
    thread: JoinHandle<Vec<Order>>,
}

/// One order and how it ended.
struct Order {
    row: u64,
    asked: Instant,
    answered: Instant,
    good: bool,
}

/// What one crowd has seen.
pub(crate) struct Seen {
    /// First failed to first lasting good answer, of each caller with a cache who had an outage, shortest first.
    pub(crate) outages: Vec<Duration>,
    /// The same of the caller without.
    pub(crate) of_the_forgetful: Duration,
    /// From the first failed answer of any to the moment from which all are served.
    pub(crate) outage: Duration,
    /// The rows that were acknowledged.
    pub(crate) acknowledged: BTreeSet<u64>,
}

impl Crowd {
    pub(crate) fn begin(port: u16, servers: &[SocketAddr], ttl: Duration) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let begin = |number: u32, ttl: Duration, pause: Duration| {
            let served = Arc::new(AtomicU64::new(0));
            let (count, over, servers) = (Arc::clone(&served), Arc::clone(&stop), servers.to_vec());
            let first = ttl * (number + 1) / CALLERS;
            let thread = std::thread::spawn(move || {
                // Not all in the same moment.
                std::thread::sleep(PAUSE * number / CALLERS);
                let mut cache = Cache::new(servers, ttl, first);
                let mut orders = Vec::new();
                while !over.load(Ordering::Relaxed) {
                    let row = u64::from(number) * 1_000_000 + orders.len() as u64;
                    let order = place(row, port, &mut cache);
                    count.store(
                        if order.good { count.load(Ordering::Relaxed) + 1 } else { 0 },
                        Ordering::Relaxed,
                    );
                    orders.push(order);
                    std::thread::sleep(pause);
                }
                orders
            });
            Caller { served, thread }
        };
        let mut callers: Vec<Caller> = (0..CALLERS).map(|number| begin(number, ttl, PAUSE)).collect();
        callers.push(begin(CALLERS, Duration::ZERO, SHORT_PAUSE));
        Self { callers, stop }
    }

    /// Waits until each of them is, lastingly.
    pub(crate) fn is_served(&self) {
        let end = Instant::now() + PATIENCE;
        while self.callers.iter().any(|caller| caller.served.load(Ordering::Relaxed) < LASTING) {
            interrupt::check();
            assert!(Instant::now() < end, "callers are not served");
            std::thread::sleep(LOOK);
        }
    }

    /// What they have seen.
    pub(crate) fn ends(self) -> Seen {
        self.stop.store(true, Ordering::Relaxed);
        let all: Vec<Vec<Order>> =
            self.callers.into_iter().map(|caller| caller.thread.join().unwrap()).collect();
        let good = all.iter().flatten().filter(|order| order.good);
        let acknowledged = good.map(|order| order.row).collect();
        let parted: Vec<Option<(Instant, Instant)>> = all.iter().map(|orders| outage(orders)).collect();
        let from = parted.iter().flatten().map(|(from, _)| *from).min().expect("an outage that callers saw");
        let to = parted.iter().flatten().map(|(_, to)| *to).max().expect("an outage that callers saw");
        let (forgetful, others) = parted.split_last().expect("callers");
        let (since, until) = forgetful.expect("an outage that everybody saw");
        let mut outages: Vec<Duration> = others.iter().flatten().map(|(from, to)| *to - *from).collect();
        outages.sort();
        Seen { outages, of_the_forgetful: until - since, outage: to - from, acknowledged }
    }
}

/// From when on one caller was not served, and until when.
fn outage(orders: &[Order]) -> Option<(Instant, Instant)> {
    let first = orders.iter().find(|order| !order.good)?;
    let last = orders.iter().rposition(|order| !order.good)?;
    Some((first.asked, orders.get(last + 1)?.answered))
}

fn place(row: u64, port: u16, cache: &mut Cache) -> Order {
    let asked = Instant::now();
    let address = cache.address();
    let path = format!("/ledger/{BOOK}/{row}");
    let good = address.and_then(|address| post(SocketAddr::new(address, port), NAME, &path)).is_some();
    Order { row, asked, answered: Instant::now(), good }
}

/// A resolver that keeps an answer for as long as it may.
struct Cache {
    servers: Vec<SocketAddr>,
    ttl: Duration,
    until: Instant,
    address: Option<IpAddr>,
}

impl Cache {
    /// With an answer that is valid for that much longer.
    fn new(servers: Vec<SocketAddr>, ttl: Duration, first: Duration) -> Self {
        let mut cache = Self { servers, ttl, until: Instant::now(), address: None };
        cache.ask();
        cache.until = Instant::now() + first;
        cache
    }

    fn address(&mut self) -> Option<IpAddr> {
        if self.address.is_none() || Instant::now() >= self.until {
            self.ask();
        }
        self.address
    }

    fn ask(&mut self) {
        self.address = self.servers.iter().find_map(|server| dig(*server, NAME)?.first().copied());
        self.until = Instant::now() + self.ttl;
    }
}
