//! A steady load: orders placed through the real name, at their due times whether or not the last was answered.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use dr_core::{Result, Timestamp};
use hyper::{Method, StatusCode};
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex as Turn;
use tokio::time::{Instant, MissedTickBehavior, interval};

use crate::dns::lookup;
use crate::http;
use crate::leash;
use crate::lifetime;
use crate::state::{self, Layout, RECORD, State};

/// How long a caller waits for an answer.
const PATIENCE: Duration = Duration::from_secs(2);
/// How often the counters are written down.
const WRITE: Duration = Duration::from_millis(200);

/// What the callers saw.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LoadStats {
    /// Orders sent.
    pub(crate) sent: u64,
    /// Orders acknowledged.
    pub(crate) acked: u64,
    /// Orders that the service said are not written.
    pub(crate) refused: u64,
    /// Orders of which nobody knows.
    pub(crate) unknown: u64,
    /// Orders acknowledged by each region.
    pub(crate) by_region: BTreeMap<String, u64>,
    /// When the last was acknowledged.
    pub(crate) last_acked: Option<Timestamp>,
    /// What the last failure was.
    pub(crate) last_problem: Option<String>,
}

/// What became of one order.
enum Order {
    Acked(String),
    Refused(String),
    Unknown(String),
}

/// The name's addresses, for as long as they may be remembered.
struct Cache {
    server: SocketAddr,
    known: Turn<Option<(IpAddr, Instant)>>,
}

/// Places orders until the sandbox ends.
pub(crate) async fn run(layout: &Layout) -> Result<()> {
    let _ = rustix::process::setsid();
    let state = State::read(layout)?;
    let port = state.regions.values().next().map_or(80, |region| region.app.port());
    let stats = Arc::new(Mutex::new(LoadStats::default()));
    let cache = Arc::new(Cache { server: state.dns, known: Turn::new(None) });
    leash::say_ready()?;
    tokio::select! {
        biased;
        () = lifetime::over(layout, &state) => Ok(()),
        () = place(state.load, port, &cache, &stats) => Ok(()),
        result = keep(layout, &stats) => result,
    }
}

async fn place(rate: u32, port: u16, cache: &Arc<Cache>, stats: &Arc<Mutex<LoadStats>>) {
    let mut due = interval(Duration::from_secs(1) / rate.max(1));
    due.set_missed_tick_behavior(MissedTickBehavior::Burst);
    loop {
        due.tick().await;
        let (cache, stats) = (Arc::clone(cache), Arc::clone(stats));
        // It ends by itself: an order has its deadline.
        tokio::spawn(async move {
            let order = tokio::time::timeout(PATIENCE, order(&cache, port))
                .await
                .unwrap_or_else(|_| Order::Unknown("no answer in time".to_owned()));
            stats.lock().unwrap_or_else(PoisonError::into_inner).count(order);
        });
    }
}

async fn order(cache: &Cache, port: u16) -> Order {
    let address = match cache.address().await {
        Ok(address) => SocketAddr::new(address, port),
        Err(error) => return Order::Refused(error.chain()),
    };
    match http::ask(address, RECORD, Method::POST, "/orders", PATIENCE).await {
        Ok(answer) if answer.status == StatusCode::OK => {
            Order::Acked(answer.region.unwrap_or_else(|| "?".to_owned()))
        }
        Ok(answer) if answer.not_written => Order::Refused(format!("HTTP {}", answer.status)),
        Ok(answer) => Order::Unknown(format!("HTTP {}", answer.status)),
        Err(http::Failed::BeforeSending(why)) => Order::Refused(why),
        Err(http::Failed::AfterSending(why)) => Order::Unknown(why),
    }
}

async fn keep(layout: &Layout, stats: &Mutex<LoadStats>) -> Result<()> {
    let mut tick = interval(WRITE);
    loop {
        tick.tick().await;
        let now = stats.lock().unwrap_or_else(PoisonError::into_inner).clone();
        state::write(&layout.load(), &now)?;
    }
}

impl LoadStats {
    fn count(&mut self, order: Order) {
        self.sent += 1;
        match order {
            Order::Acked(region) => {
                self.acked += 1;
                *self.by_region.entry(region).or_default() += 1;
                self.last_acked = Some(Timestamp::system());
            }
            Order::Refused(why) => {
                self.refused += 1;
                self.last_problem = Some(why);
            }
            Order::Unknown(why) => {
                self.unknown += 1;
                self.last_problem = Some(why);
            }
        }
    }

    /// The counters of a sandbox; `None` if there is no load.
    pub(crate) fn read(layout: &Layout) -> Option<Self> {
        serde_json::from_str(&std::fs::read_to_string(layout.load()).ok()?).ok()
    }
}

impl Cache {
    async fn address(&self) -> Result<IpAddr> {
        let mut known = self.known.lock().await;
        if let Some((address, until)) = *known
            && Instant::now() < until
        {
            return Ok(address);
        }
        let asked = Instant::now();
        let (addresses, ttl) = lookup(self.server, RECORD, PATIENCE / 2).await?;
        let address = addresses[0];
        *known = Some((address, asked + ttl));
        Ok(address)
    }
}
