//! One history, from its seed to its end.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use dr_core::engine::DriveEnd;
use dr_core::event::{Request, Suspension};
use dr_core::journal::Crash;
use dr_core::model::{Agreeing, Snapshot};
use dr_core::plan::OnFailure;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::chaos::{Chaos, Mishap};
use super::plan::{Chosen, choose};
use super::promises::{AT_MOST, Lived, broken};
use super::shop::{BOOK, EAST, Shop, WEST};
use super::{Broken, Tally};
use crate::harness::mortal;
use crate::promises::{History as Said, Witness};
use crate::rig::{Rig, settled};

/// How many processes drive a run before it is left as it is.
const DRIVES: usize = 10;
/// How many rows are written at most: what comes minutes after a switch shows no more.
const CUSTOMERS: i64 = 400;
const CUSTOMERS_EVERY: Duration = Duration::from_millis(150);

/// Lives one history, and checks every promise over it.
///
/// # Errors
/// The first promise that it broke, with what is needed to see why.
pub async fn history(seed: u64) -> Result<Tally, Broken> {
    let mut random = StdRng::seed_from_u64(seed);
    let chosen = choose(&mut random);
    let chaos = Chaos::choose(&mut random);
    let shop = Shop::new().await;
    chaos.before.iter().for_each(|mishap| mishap.strike(&shop));
    let mut history = History { seed, chosen, chaos, shop, tally: Tally::default() };
    if random.random_bool(0.15) {
        history.look_first().await?;
    }
    history.live(&mut random).await?;
    Ok(history.tally)
}

struct History {
    seed: u64,
    chosen: Chosen,
    chaos: Chaos,
    shop: Shop,
    tally: Tally,
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Left {
    Drive(DriveEnd),
    Died,
}

impl History {
    fn rig(&self) -> Rig {
        let (planned, undoes) = (self.chosen.planned, self.chosen.undoes);
        let rig = Rig::new(&self.shop.world, &self.chosen.phases).watched_by(Arc::new(Agreeing));
        let rig = if planned { rig } else { rig.unplanned() };
        rig.with(|began| began.on_failure = if undoes { OnFailure::Undo } else { OnFailure::Hold })
    }

    fn breaks(&self, promise: &'static str, how: String, journal: &str) -> Broken {
        let (chosen, chaos) = (&self.chosen, &self.chaos);
        let story = format!("{}\n{chosen:?}\n{chaos:?}\n{}\n{journal}", chosen.phases, chaos.troubles);
        Broken { seed: self.seed, promise, how, story }
    }

    /// A dry run before the real one.
    async fn look_first(&mut self) -> Result<(), Broken> {
        let (before, requests) = (self.shop.world.snapshot(), self.shop.world.requests());
        let rig = self.rig().dry();
        let run = timeout(AT_MOST, rig.run()).await;
        self.tally.drives += 1;
        let Ok(run) = run else {
            return Err(self.breaks("every wait has a deadline", "a dry run does not end".to_owned(), ""));
        };
        if self.shop.world.requests() != requests || self.shop.world.snapshot() != before {
            let how = format!("before:\n{before}\nafter:\n{}", self.shop.world.snapshot());
            return Err(self.breaks("a dry run changes nothing", how, &run.story()));
        }
        Ok(())
    }

    async fn live(&mut self, random: &mut StdRng) -> Result<(), Broken> {
        let before = self.shop.world.snapshot();
        let rig = self.rig();
        let witness = Witness::of(rig.disk());
        let beside = witness.clone();
        let rig = rig.wrapped(move |step, action| beside.on(step, action)).in_trouble(&self.chaos.troubles);
        let loaded = random.random_bool(0.5);
        let (shop, chaos) = (self.shop.clone(), self.chaos.clone());
        let mut outside = pin!(outside(&shop, &chaos, loaded));
        let (mut mended, mut abort, mut end) = (false, false, None);
        for drive in 0..DRIVES {
            let crash = self.chaos.crashes.get(drive).copied();
            let interrupt = self.chaos.interrupt.filter(|_| drive == 0);
            let driving = one_drive(&rig, crash, interrupt, std::mem::take(&mut abort));
            let left = tokio::select! {
                biased;
                left = timeout(AT_MOST, driving) => left,
                () = &mut outside => continue,
            };
            self.tally.drives += 1;
            let Ok(left) = left else {
                let journal = String::from_utf8_lossy(&rig.disk().bytes()).into_owned();
                return Err(self.breaks(
                    "every wait has a deadline",
                    "a drive does not end".to_owned(),
                    &journal,
                ));
            };
            self.tally.crashes += u64::from(left == Left::Died);
            end = Some(left);
            match left {
                Left::Drive(DriveEnd::Ended(_)) => break,
                Left::Died | Left::Drive(DriveEnd::Suspended(Suspension::Interrupted)) => {
                    abort = random.random_bool(0.1);
                }
                Left::Drive(DriveEnd::Suspended(_)) if mended => break,
                Left::Drive(DriveEnd::Suspended(_)) => {
                    mended = true;
                    mend(&self.shop);
                    abort = random.random_bool(0.3);
                }
            }
            let pause = Duration::from_millis(random.random_range(0..60_000));
            tokio::select! {
                biased;
                () = sleep(pause) => {}
                () = &mut outside => {}
            }
        }
        let after = settled(&self.shop.world).await;
        self.count(end);
        self.judge(&rig, &witness, (&before, &after), loaded, mended)?;
        if matches!(end, Some(Left::Drive(DriveEnd::Ended(_)))) || self.chaos.loses_control() {
            return Ok(());
        }
        self.give_up(&rig).await?;
        let after = settled(&self.shop.world).await;
        self.judge(&rig, &witness, (&before, &after), loaded, true)
    }

    /// Somebody puts the world right and ends the run, which has to come to an end.
    async fn give_up(&mut self, rig: &Rig) -> Result<(), Broken> {
        mend(&self.shop);
        self.chaos.troubles.lift();
        rig.disk().crash_after(u64::MAX, Crash::After);
        let left = timeout(AT_MOST, one_drive(rig, None, None, true)).await;
        self.tally.drives += 1;
        match left {
            Ok(Left::Drive(DriveEnd::Ended(_))) => Ok(()),
            // What somebody else changed meanwhile only a person can put right.
            Ok(Left::Drive(DriveEnd::Suspended(Suspension::Stuck | Suspension::Held)))
                if self.chaos.has_others_at_work() =>
            {
                Ok(())
            }
            left => {
                let journal = String::from_utf8_lossy(&rig.disk().bytes()).into_owned();
                let how = format!("the world is as it should be, and the run ends {left:?}");
                Err(self.breaks("every run can be ended", how, &journal))
            }
        }
    }

    fn count(&mut self, end: Option<Left>) {
        self.tally.histories += 1;
        self.tally.changes += self.shop.world.requests();
        self.tally.faults += self.chaos.troubles.struck().len() as u64;
        self.tally.mishaps += (self.chaos.before.len() + self.chaos.meanwhile.len()) as u64;
        let end = match end {
            Some(Left::Drive(DriveEnd::Ended(ending))) => ending.as_str(),
            Some(Left::Drive(DriveEnd::Suspended(why))) => why.as_str(),
            Some(Left::Died) | None => "left dead",
        };
        *self.tally.ends.entry(end.to_owned()).or_default() += 1;
    }

    fn judge(
        &self,
        rig: &Rig,
        witness: &Witness,
        (before, after): (&Snapshot, &Snapshot),
        loaded: bool,
        mended: bool,
    ) -> Result<(), Broken> {
        // A run that died before its first event is none.
        let Some(state) = rig.state() else { return Ok(()) };
        let entries = rig.entries();
        let unannounced = witness.unannounced();
        let lived = Lived {
            chosen: &self.chosen,
            chaos: &self.chaos,
            shop: &self.shop,
            before,
            after,
            history: Said {
                world: &self.shop.world,
                entries: &entries,
                state: &state,
                unannounced: &unannounced,
            },
            loaded,
            mended,
        };
        match broken(&lived) {
            None => Ok(()),
            Some((promise, how)) => {
                let journal = String::from_utf8_lossy(&rig.disk().bytes()).into_owned();
                Err(self.breaks(promise, how, &journal))
            }
        }
    }
}

/// One process: it begins the run, or goes on with it.
async fn one_drive(rig: &Rig, crash: Option<(u64, Crash)>, interrupt: Option<Duration>, abort: bool) -> Left {
    if let Some(ending) = rig.state().and_then(|state| state.ended).map(|(ending, _)| ending) {
        return Left::Drive(DriveEnd::Ended(ending));
    }
    let (died, mut death) = mpsc::unbounded_channel();
    if let Some((appends, how)) = crash {
        rig.disk().crash_after(appends, how);
    }
    let driving = async {
        let Ok((drive, controls)) = rig.go_on(|journal| mortal(journal, died)).await else {
            return Left::Died;
        };
        if abort {
            controls.ask(Request::Abort);
        }
        let mut run = pin!(drive.run());
        if let Some(after) = interrupt {
            tokio::select! {
                biased;
                driven = &mut run => return Left::Drive(driven.end),
                () = sleep(after) => controls.interrupt(),
            }
        }
        Left::Drive(run.await.end)
    };
    tokio::select! {
        biased;
        left = driving => left,
        _ = death.recv() => Left::Died,
    }
}

/// What goes on beside the run: customers, and mishaps. Never over.
async fn outside(shop: &Shop, chaos: &Chaos, loaded: bool) {
    let begun = Instant::now();
    let mishaps = async {
        for (at, mishap) in &chaos.meanwhile {
            sleep_until(begun + *at).await;
            mishap.strike(shop);
        }
        std::future::pending::<()>().await;
    };
    let customers = async {
        if loaded {
            for row in 1..=CUSTOMERS {
                shop.orders.write(BOOK, row);
                sleep(CUSTOMERS_EVERY).await;
            }
        }
        std::future::pending::<()>().await;
    };
    tokio::join!(mishaps, customers);
}

/// Somebody puts right what can be put right from outside. A server that is down stays down: it may have been fenced.
fn mend(shop: &Shop) {
    for side in [EAST, WEST] {
        Mishap::Heal(side).strike(shop);
        Mishap::Rollouts(side, true).strike(shop);
    }
    for mishap in [
        Mishap::Cut(false),
        Mishap::Lags(Duration::ZERO),
        Mishap::Stall(Duration::ZERO),
        Mishap::Fences(true),
    ] {
        mishap.strike(shop);
    }
}
