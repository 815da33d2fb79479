//! `dr measure`: asks the real service as its callers do; with `--keep` it goes on, and leaves a heartbeat for runs.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use dr_core::journal::StateStore;
use dr_core::measure::{Heartbeat, Keeper, KeeperSpec, Publish, Vantage};
use dr_core::resource::{Ask, Cancel, Redactor, Replication, SeatKind};
use dr_core::time::show_duration;
use dr_core::{Backends, Env, Result, Side};
use serde_json::json;

use crate::args::MeasureArgs;
use crate::bound::{Loaded, load};
use crate::exit::Exit;
use crate::problem::{Outcome, Problem};
use crate::state;

const GLANCE: Duration = Duration::from_secs(10);
const WITHIN: Duration = Duration::from_secs(2);

/// Measures once, or keeps measuring.
pub(crate) async fn run(backends: &Backends, args: &MeasureArgs) -> Outcome {
    let loaded = load(backends, &args.plan.plan)?;
    if args.keep { keep(&loaded, args).await } else { glance(&loaded, args).await }
}

#[derive(Debug)]
struct ToStore(StateStore);

#[async_trait]
impl Publish for ToStore {
    async fn publish(&self, heartbeat: &Heartbeat) -> Result<()> {
        let value = serde_json::to_value(heartbeat)
            .map_err(|error| dr_core::Error::invalid("the heartbeat cannot be written").because(error))?;
        self.0.put_heartbeat(&format!("{}.{}", heartbeat.plan, heartbeat.name), value).await
    }
}

/// Looks at every store and asks every probe, until it is stopped.
async fn keep(loaded: &Loaded, args: &MeasureArgs) -> Outcome {
    let env = Env::system();
    let resources = loaded.connect(&env, &Redactor::default()).await?;
    let state = state::open(loaded, &args.plan).await?;
    let seat = match args.seat.as_str() {
        "outside" => Vantage::Outside,
        side => Vantage::At(Side::new(side)),
    };
    let mut spec = KeeperSpec::new(&args.name, &loaded.plan.name, seat);
    spec.interval = args.every.into();
    spec.within = WITHIN.min(spec.interval.max(Duration::from_millis(500)));
    let (mut keeper, _live) = Keeper::new(spec, env.clock(), Arc::new(ToStore(state.store)));
    for (name, resource) in &resources {
        if let Some(observer) = resource.observer::<Replication>() {
            keeper = keeper.watching(name.clone(), observer);
        }
    }
    for outage in &loaded.plan.measure.outages {
        if let Some(prober) = resources.get(&outage.probe).and_then(|resource| resource.prober()) {
            keeper = keeper.asking(outage.probe.clone(), &prober);
        }
    }
    let (canceller, stop) = Cancel::pair();
    let limit = args.time.map(Duration::from);
    let signals = tokio::spawn(async move {
        wait_for_the_end(limit).await;
        canceller.cancel();
    });
    anstream::eprintln!(
        "measuring {} from {} as {}; stop with an interrupt",
        loaded.plan.name,
        args.seat,
        args.name
    );
    keeper.run(stop).await;
    signals.abort();
    Ok(Exit::Success)
}

async fn wait_for_the_end(limit: Option<Duration>) {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut interrupt), Ok(mut terminate)) =
        (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        return;
    };
    let time = async {
        match limit {
            Some(limit) => tokio::time::sleep(limit).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        biased;
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
        () = time => {}
    }
}

/// Asks each probe for a while from both seats, and says what callers see.
async fn glance(loaded: &Loaded, args: &MeasureArgs) -> Outcome {
    let resources = loaded.connect(&Env::system(), &Redactor::default()).await?;
    if loaded.plan.measure.outages.is_empty() {
        return Err(Problem::new(Exit::Plan, "the plan measures nothing")
            .help("write measure: { outage: { probe: …, every: 250ms } }"));
    }
    let until = tokio::time::Instant::now() + args.time.map_or(GLANCE, Duration::from);
    let mut all_good = true;
    for outage in &loaded.plan.measure.outages {
        let Some(prober) = resources.get(&outage.probe).and_then(|resource| resource.prober()) else {
            continue;
        };
        let mut seats = [prober.seat(SeatKind::Caching), prober.seat(SeatKind::Kept)];
        let (mut asked, mut good) = (0_u64, 0_u64);
        let mut took = Vec::new();
        let mut last = None;
        let mut pace = tokio::time::interval(outage.every.max(Duration::from_millis(10)));
        while tokio::time::Instant::now() < until {
            pace.tick().await;
            for seat in &mut seats {
                let answer = seat.ask(Ask { write: outage.write }, WITHIN).await;
                asked += 1;
                if answer.is_good() {
                    good += 1;
                    took.push(answer.took);
                }
                last = Some(answer);
            }
        }
        took.sort();
        let median = took.get(took.len() / 2).copied();
        all_good &= good == asked && asked > 0;
        if args.json {
            anstream::println!(
                "{}",
                json!({ "probe": outage.probe, "asked": asked, "good": good,
                        "median_ms": median.map(|time| time.as_secs_f64() * 1e3), "last": last })
            );
        } else {
            let median = median.map_or("-".to_owned(), show_duration);
            let last = last.map_or("nothing".to_owned(), |answer| answer.to_string());
            anstream::println!(
                "{}: {good} of {asked} answers good, median {median}; the last: {last}",
                outage.probe
            );
        }
    }
    Ok(if all_good { Exit::Success } else { Exit::Failure })
}
