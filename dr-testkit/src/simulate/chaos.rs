//! What goes wrong in a history: before it begins, while it runs, and in the calls themselves.

use std::time::Duration;

use dr_core::model::Fault;
use rand::RngExt as _;
use rand::rngs::StdRng;

use super::shop::{EAST, Shop, WEST};
use crate::decorate::Schedule;

/// Something that happens to a world by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mishap {
    /// The writer's server is killed, or the copy's.
    Kill(&'static str),
    /// Somebody starts it, unless something keeps it down.
    Start(&'static str),
    /// A whole side fails so.
    Fail(&'static str, Fault),
    /// A side's network is whole again.
    Heal(&'static str),
    /// Replication is cut, or whole again.
    Cut(bool),
    /// The copy is so far behind.
    Lags(Duration),
    /// A promotion takes so much longer.
    Stall(Duration),
    /// New programs do not come up there, or do again.
    Rollouts(&'static str, bool),
    /// A fence is refused, or no longer.
    Fences(bool),
    /// Nodes can no longer be stopped from outside.
    LoseControl,
    /// Somebody else changes the record.
    Meddle,
}

impl Mishap {
    pub(super) fn strike(self, shop: &Shop) {
        match self {
            Self::Kill(side) => shop.orders.kill(side),
            Self::Start(side) => shop.orders.start(side),
            Self::Fail(side, fault) => shop.world.fail(side, fault),
            Self::Heal(side) => shop.world.heal(side),
            Self::Cut(cut) => shop.orders.cut_replication(cut),
            Self::Lags(by) => shop.orders.lags(by),
            Self::Stall(by) => shop.orders.stall_promotions(by),
            Self::Rollouts(side, work) => {
                shop.services.break_rollouts(side, (!work).then_some("image not found"));
            }
            Self::Fences(work) => shop.orders.refuse_fence((!work).then_some("a manager would start it")),
            Self::LoseControl => shop.orders.lose_control(),
            Self::Meddle => shop.entry.point_at("203.0.113.9"),
        }
    }
}

/// What is to happen when.
#[derive(Debug, Clone)]
pub(super) struct Chaos {
    pub(super) before: Vec<Mishap>,
    /// Since the run began.
    pub(super) meanwhile: Vec<(Duration, Mishap)>,
    /// The process dies at these appends of its journal, one for each drive.
    pub(super) crashes: Vec<(u64, dr_core::journal::Crash)>,
    /// A person interrupts it.
    pub(super) interrupt: Option<Duration>,
    /// Which calls go wrong.
    pub(super) troubles: Schedule,
}

impl Chaos {
    pub(super) fn choose(random: &mut StdRng) -> Self {
        let some = |random: &mut StdRng, most: usize, chance: f64| {
            if random.random_bool(chance) { random.random_range(1..=most) } else { 0 }
        };
        let before = (0..some(random, 2, 0.45)).map(|_| mishap(random)).collect();
        let mut meanwhile: Vec<(Duration, Mishap)> = (0..some(random, 4, 0.5))
            .map(|_| (Duration::from_millis(random.random_range(0..30_000)), mishap(random)))
            .collect();
        meanwhile.sort_by_key(|(at, _)| *at);
        let crashes =
            (0..some(random, 3, 0.45)).map(|_| (random.random_range(1..30), crash(random))).collect();
        let interrupt =
            random.random_bool(0.15).then(|| Duration::from_millis(random.random_range(0..10_000)));
        let percent = [0, 0, 10, 30][random.random_range(0..4)];
        let troubles = Schedule::seeded(random.random(), percent);
        Self { before, meanwhile, crashes, interrupt, troubles }
    }

    /// Whether somebody else changes what the run changes.
    pub(super) fn has_others_at_work(&self) -> bool {
        self.meanwhile
            .iter()
            .any(|(_, mishap)| matches!(mishap, Mishap::Meddle | Mishap::Kill(_) | Mishap::Start(_)))
    }

    /// Whether nodes can at some time no longer be stopped from outside: then no promotion can be cancelled.
    pub(super) fn loses_control(&self) -> bool {
        let meanwhile = self.meanwhile.iter().map(|(_, mishap)| mishap);
        self.before.iter().chain(meanwhile).any(|mishap| *mishap == Mishap::LoseControl)
    }

    /// Whether nothing happens to the world but by the run.
    pub(super) fn leaves_the_world_alone(&self) -> bool {
        self.meanwhile.is_empty()
    }
}

fn mishap(random: &mut StdRng) -> Mishap {
    let side = if random.random_bool(0.75) { EAST } else { WEST };
    let faults = [Fault::BlackHole, Fault::Hung, Fault::Closed, Fault::Denied];
    match random.random_range(0..12) {
        0 => Mishap::Kill(side),
        1 => Mishap::Start(side),
        2 | 3 => Mishap::Fail(side, faults[random.random_range(0..faults.len())]),
        4 => Mishap::Heal(side),
        5 => Mishap::Cut(random.random_bool(0.6)),
        6 => Mishap::Lags(Duration::from_millis(random.random_range(0..20_000))),
        7 => Mishap::Stall(Duration::from_millis(random.random_range(0..90_000))),
        8 => Mishap::Rollouts(side, random.random_bool(0.3)),
        9 => Mishap::Fences(random.random_bool(0.3)),
        10 => Mishap::LoseControl,
        _ => Mishap::Meddle,
    }
}

fn crash(random: &mut StdRng) -> dr_core::journal::Crash {
    use dr_core::journal::Crash;
    [Crash::Before, Crash::Within, Crash::After, Crash::Power][random.random_range(0..4)]
}
