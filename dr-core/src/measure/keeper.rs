//! The always-on prober's second half: it looks, and says what it hears.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::join_all;
use tokio::sync::watch;
use tokio::time::{Instant, timeout};

use super::bookkeeper::{Pace, cx};
use super::hearing::{Hearing, Look};
use super::heartbeat::{FRESH_FOR, HEARTBEAT_FORMAT, Heartbeat, OutageNow, Vantage};
use crate::env::Clock;
use crate::error::Result;
use crate::ids::{ResourceName, RunId, Side};
use crate::resource::{Answer, Ask, Cancel, Observe, Prober, Replication, Seat, SeatKind};
use crate::time::Timestamp;

/// Where heartbeats go: the state store, a file.
#[async_trait]
pub trait Publish: fmt::Debug + Send + Sync {
    /// Puts this heartbeat in the place of the one before. An error is told to whoever watches; the next heartbeat
    /// comes all the same.
    async fn publish(&self, heartbeat: &Heartbeat) -> Result<()>;
}

/// Who listens, where, how often and how patiently.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeeperSpec {
    /// Its name, its own among all that watch the plan.
    pub name: String,
    /// The plan's name.
    pub plan: String,
    /// Where it sits.
    pub seat: Vantage,
    /// How often it looks.
    pub interval: Duration,
    /// How long a look may take.
    pub within: Duration,
    /// How many questions in a row have to fail before it is an alarm.
    pub detect_after: u32,
}

impl KeeperSpec {
    /// Every second, with two seconds' patience; three failures in a row are an alarm.
    pub fn new(name: impl Into<String>, plan: impl Into<String>, seat: Vantage) -> Self {
        Self {
            name: name.into(),
            plan: plan.into(),
            seat,
            interval: Duration::from_secs(1),
            within: Duration::from_secs(2),
            detect_after: 3,
        }
    }
}

/// What a keeper knows at this moment.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct KeeperLive {
    /// Its last heartbeat.
    pub heartbeat: Option<Heartbeat>,
    /// Why the last heartbeat was not published; `None`: it was.
    pub unpublished: Option<String>,
}

/// Looks at stores and asks probes at an interval, and publishes what it hears.
pub struct Keeper {
    spec: KeeperSpec,
    stores: Vec<(ResourceName, Arc<dyn Observe<Replication>>)>,
    probes: Vec<Probed>,
    clock: Arc<dyn Clock>,
    publish: Arc<dyn Publish>,
    hearing: Hearing,
    live: watch::Sender<KeeperLive>,
}

/// One probe with the outage that its callers have now.
struct Probed {
    probe: ResourceName,
    seat: Box<dyn Seat>,
    failed: u32,
    good: Option<Timestamp>,
    outage: Option<OutageNow>,
}

impl Keeper {
    /// One that listens to nothing yet, and what it knows.
    pub fn new(
        spec: KeeperSpec,
        clock: Arc<dyn Clock>,
        publish: Arc<dyn Publish>,
    ) -> (Self, watch::Receiver<KeeperLive>) {
        let (live, receiver) = watch::channel(KeeperLive::default());
        let hearing = Hearing::default();
        (Self { spec, stores: Vec::new(), probes: Vec::new(), clock, publish, hearing, live }, receiver)
    }

    /// Looks at a store as well.
    #[must_use]
    pub fn watching(mut self, store: ResourceName, observer: Arc<dyn Observe<Replication>>) -> Self {
        self.stores.push((store, observer));
        self
    }

    /// Asks a probe as well, without a write. The first one's outage is the plan's.
    #[must_use]
    pub fn asking(mut self, probe: ResourceName, prober: &Arc<dyn Prober>) -> Self {
        let seat = prober.seat(SeatKind::Caching);
        self.probes.push(Probed { probe, seat, failed: 0, good: None, outage: None });
        self
    }

    /// Looks until it is told to stop; a look on its way is given up.
    pub async fn run(mut self, stop: Cancel) {
        let begun = Instant::now();
        let mut pace = Pace::new(self.spec.interval);
        while pace.next(&stop).await {
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                () = self.beat(begun) => {}
            }
        }
    }

    async fn beat(&mut self, begun: Instant) {
        let (look, asked, answers) = self.look().await;
        let at = self.clock.now();
        let interval = self.spec.interval.max(self.spec.within);
        self.hearing.take(at, interval.saturating_mul(FRESH_FOR), &look);
        for (probe, answer) in self.probes.iter_mut().zip(&answers) {
            probe.take(answer, asked, at, self.spec.detect_after);
        }
        let heartbeat = Heartbeat {
            v: HEARTBEAT_FORMAT,
            name: self.spec.name.clone(),
            plan: self.spec.plan.clone(),
            seat: self.spec.seat.clone(),
            at,
            since_begin: begun.elapsed(),
            interval,
            outage: self.probes.iter().find_map(|probe| probe.outage.clone()),
            sides: self.hearing.sides().clone(),
            answered_by: self.hearing.answered_by().clone(),
        };
        let unpublished = match timeout(self.spec.within, self.publish.publish(&heartbeat)).await {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(error.chain()),
            Err(_) => Some("the state store does not answer".to_owned()),
        };
        self.live.send_replace(KeeperLive { heartbeat: Some(heartbeat), unpublished });
    }

    /// Looks at everything at once. An observer that does not keep to its time has seen nothing.
    async fn look(&mut self) -> (Look, Timestamp, Vec<Answer>) {
        let within = self.spec.within;
        let cx = cx(&RunId::new(self.spec.name.clone()), &self.clock, within);
        let asked = self.clock.now();
        let stores = join_all(self.stores.iter().map(|(store, observer)| {
            let observation = timeout(within + within / 4, observer.observe(&cx));
            async move { (store.clone(), observation.await.ok().and_then(Result::ok)) }
        }));
        let answers = join_all(self.probes.iter_mut().map(|probe| async move {
            let answer = timeout(within + within / 4, probe.seat.ask(Ask { write: false }, within)).await;
            answer.unwrap_or_else(|_| Answer::none("no answer in time", within))
        }));
        let (stores, answers) = futures_util::join!(stores, answers);
        let answered_by = |answer: &Answer| -> Option<Side> { answer.served_by.clone() };
        let answered = self
            .probes
            .iter()
            .zip(&answers)
            .filter_map(|(probe, answer)| Some((probe.probe.clone(), answered_by(answer)?)))
            .collect();
        (Look { stores, answered }, asked, answers)
    }
}

impl Probed {
    fn take(&mut self, answer: &Answer, asked: Timestamp, at: Timestamp, detect_after: u32) {
        if answer.is_good() {
            self.failed = 0;
            self.good = Some(asked);
            self.outage = None;
            return;
        }
        self.failed = self.failed.saturating_add(1);
        let outage = self.outage.get_or_insert_with(|| OutageNow {
            probe: self.probe.clone(),
            since: asked,
            good_until: self.good,
            detected: None,
        });
        if self.failed >= detect_after {
            outage.detected.get_or_insert(at);
        }
    }
}

impl fmt::Debug for Keeper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keeper")
            .field("spec", &self.spec)
            .field("stores", &self.stores)
            .field("publish", &self.publish)
            .finish_non_exhaustive()
    }
}
