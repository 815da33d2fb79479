//! `dr measure`: asks the real service as its callers do; with `--keep` it goes on, and leaves a heartbeat for runs.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use dr_core::journal::StateStore;
use dr_core::measure::{
    Bookkeeper, Heartbeat, Keeper, KeeperSpec, LedgerLog, LedgerSpec, ProbeLoop, ProbeSpec, Publish,
    SampleFile, Vantage, next_row,
};
use dr_core::plan::LossSpec;
use dr_core::resource::{Ask, Cancel, Cx, Replication, SeatKind};
use dr_core::time::show_duration;
use dr_core::{Backends, Env, Resource, ResourceName, Result, RunId, Side, StepId};
use serde_json::json;

use crate::actor;
use crate::args::MeasureArgs;
use crate::bound::{Loaded, load};
use crate::exit::Exit;
use crate::heard::{Beat, KeptAt};
use crate::kept::Kept;
use crate::problem::{Outcome, Problem};
use crate::secrets::{self, masked};
use crate::state;

const GLANCE: Duration = Duration::from_secs(10);
const WITHIN: Duration = Duration::from_secs(2);

/// Measures once, or keeps measuring.
pub(crate) async fn run(backends: &Backends, args: &MeasureArgs) -> Outcome {
    let loaded = load(backends, &args.plan.plan)?;
    if args.keep { keep(&loaded, args).await } else { glance(&loaded, args).await }
}

#[derive(Debug)]
struct ToStore {
    store: StateStore,
    samples: Option<KeptAt>,
}

#[async_trait]
impl Publish for ToStore {
    async fn publish(&self, heartbeat: &Heartbeat) -> Result<()> {
        let beat = Beat { heartbeat: heartbeat.clone(), samples: self.samples.clone() };
        let mut value = serde_json::to_value(beat)
            .map_err(|error| dr_core::Error::invalid("the heartbeat cannot be written").because(error))?;
        secrets::redactor().redact_json(&mut value);
        self.store.put_heartbeat(&format!("{}.{}", heartbeat.plan, heartbeat.name), value).await
    }
}

/// Looks at every store and asks every probe, until it is stopped.
async fn keep(loaded: &Loaded, args: &MeasureArgs) -> Outcome {
    let env = Env::system();
    let resources = loaded.connect(&env, secrets::redactor()).await?;
    let state = state::open(loaded, &args.plan).await?;
    let seat = match args.seat.as_str() {
        "outside" => Vantage::Outside,
        side => Vantage::At(Side::new(side)),
    };
    let kept = args.samples.then(|| folder(&state, &loaded.plan.name, &args.name)).transpose()?;
    let samples = kept.as_ref().map(|kept| KeptAt { host: actor::host(), folder: kept.folder().to_owned() });
    let mut spec = KeeperSpec::new(&args.name, &loaded.plan.name, seat);
    spec.interval = args.every.into();
    spec.within = WITHIN.min(spec.interval.max(Duration::from_millis(500)));
    let publish = Arc::new(ToStore { store: state.store, samples });
    let (mut keeper, _live) = Keeper::new(spec, env.clock(), publish);
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
    let sampling = async {
        match &kept {
            Some(kept) => sample(loaded, &resources, kept, args, &env, &stop).await,
            None => Ok(()),
        }
    };
    let ((), sampled) = tokio::join!(keeper.run(stop.clone()), sampling);
    signals.abort();
    sampled?;
    Ok(Exit::Success)
}

/// Where this prober keeps its samples: beside the runs, on this machine.
fn folder(state: &state::State, plan: &str, name: &str) -> Outcome<Kept> {
    let run = RunId::new(format!("prober-{plan}-{name}"));
    let runs = state.store.run_folder(&run);
    let folder =
        runs.parent().and_then(|runs| runs.parent()).unwrap_or(&runs).join("probers").join(run.as_str());
    std::fs::create_dir_all(&folder).map_err(|error| {
        Problem::new(Exit::JournalLost, format!("{} cannot be made: {error}", folder.display()))
    })?;
    Ok(Kept::new(folder))
}

/// Hour by hour: each has files and books of its own, and what is older than two hours goes.
async fn sample(
    loaded: &Loaded,
    resources: &BTreeMap<ResourceName, Resource>,
    kept: &Kept,
    args: &MeasureArgs,
    env: &Env,
    stop: &Cancel,
) -> Outcome<()> {
    while !stop.is_cancelled() {
        let hour = Kept::hour(&args.name, env.now());
        let (canceller, over) = Cancel::pair();
        let mut tasks = tokio::task::JoinSet::new();
        for (index, outage) in loaded.plan.measure.outages.iter().enumerate() {
            let Some(prober) = resources.get(&outage.probe).and_then(Resource::prober) else { continue };
            let file = SampleFile::open(&kept.file("probes", index, &hour))?.redacted_by(secrets::redactor());
            let (probe, _watch) = ProbeLoop::new(ProbeSpec::new(outage), prober, env.clock(), file);
            let over = over.clone();
            tasks.spawn(async move {
                probe.run(over).await;
            });
        }
        for (index, loss) in loaded.plan.measure.losses.iter().enumerate().filter(|_| args.ledger) {
            write_ledger(resources, kept, index, loss, &hour, env, &over, &mut tasks).await?;
        }
        tokio::select! {
            biased;
            () = stop.cancelled() => {}
            () = tokio::time::sleep(Kept::rest_of_hour(env.now())) => {}
        }
        canceller.cancel();
        while tasks.join_next().await.is_some() {}
    }
    Ok(())
}

#[expect(clippy::too_many_arguments, reason = "one call, in the loop above")]
async fn write_ledger(
    resources: &BTreeMap<ResourceName, Resource>,
    kept: &Kept,
    index: usize,
    loss: &LossSpec,
    hour: &str,
    env: &Env,
    over: &Cancel,
    tasks: &mut tokio::task::JoinSet<()>,
) -> Outcome<()> {
    let ledger = |name: &ResourceName| resources.get(name).and_then(Resource::ledger);
    let Some((via, store)) = ledger(loss.via.as_ref().unwrap_or(&loss.store)).zip(ledger(&loss.store)) else {
        return Ok(());
    };
    let mut cx = Cx::new(RunId::new(hour), StepId::new("measure"), WITHIN);
    cx.clock = env.clock();
    store.open(&cx, hour).await?;
    for (book, path) in kept.outlived("ledger", index) {
        // An hour that cannot be cleared away now is tried again in the next.
        if store.close(&cx, &book).await.is_ok() {
            let _ = std::fs::remove_file(path);
        }
    }
    for (_, path) in kept.outlived("probes", index) {
        let _ = std::fs::remove_file(path);
    }
    let path = kept.file("ledger", index, hour);
    let known = std::fs::read(&path).ok().and_then(|bytes| LedgerLog::parse(&bytes).ok());
    let mut spec = LedgerSpec::new(loss, &RunId::new(hour));
    spec.first = known.as_ref().map_or(1, next_row);
    let file = SampleFile::open(&path)?.redacted_by(secrets::redactor());
    let (keeper, _live) = Bookkeeper::new(spec, via, env.clock(), file);
    let over = over.clone();
    tasks.spawn(async move {
        if let Err(error) = keeper.run(over).await {
            anstream::eprintln!("the ledger stopped: {}", masked(&error.chain()));
        }
    });
    Ok(())
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
    let resources = loaded.connect(&Env::system(), secrets::redactor()).await?;
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
            let mut value = json!({ "probe": outage.probe, "asked": asked, "good": good,
                        "median_ms": median.map(|time| time.as_secs_f64() * 1e3), "last": last });
            secrets::redactor().redact_values(&mut value);
            anstream::println!("{value}");
        } else {
            let median = median.map_or("-".to_owned(), show_duration);
            let last = last.map_or("nothing".to_owned(), |answer| masked(&answer.to_string()));
            anstream::println!(
                "{}: {good} of {asked} answers good, median {median}; the last: {last}",
                outage.probe
            );
        }
    }
    Ok(if all_good { Exit::Success } else { Exit::Failure })
}
