//! A small shop on two sides, with levers on everything.

use std::fmt;
use std::time::Duration;

use dr_core::resource::{Resource, Setting};
use dr_core::{Result, Side, async_trait};
use dr_testkit::model::{Fault, ModelAlarm, ModelStore, ModelTraffic, ModelWorkloads, World};
use dr_testkit::suite::{Fixture, Lever, Levers, Subject, Told};

/// What a fresh subject is made of.
pub(crate) struct Twin {
    pick: Box<dyn Fn(&Small) -> Resource + Send + Sync>,
    before: fn(&Small),
    describe: fn(Subject) -> Subject,
}

#[derive(Debug)]
pub(crate) struct Small {
    pub(crate) world: World,
    pub(crate) orders: ModelStore,
    pub(crate) services: ModelWorkloads,
    pub(crate) entry: ModelTraffic,
    pub(crate) pager: ModelAlarm,
    pub(crate) shop: Resource,
}

impl Twin {
    pub(crate) fn of(pick: impl Fn(&Small) -> Resource + Send + Sync + 'static) -> Self {
        Self { pick: Box::new(pick), before: |_| {}, describe: |subject| subject }
    }

    /// With something done to the world first.
    pub(crate) fn after(self, before: fn(&Small)) -> Self {
        Self { before, ..self }
    }

    /// With more that the suite is told.
    pub(crate) fn told(self, describe: fn(Subject) -> Subject) -> Self {
        Self { describe, ..self }
    }

    /// Workloads that run on both sides, with a secret that is to be replaced.
    pub(crate) fn configured(pick: impl Fn(&Small) -> Resource + Send + Sync + 'static) -> Self {
        Self::of(pick)
            .after(|small| {
                small.services.scale_by_hand("west", 2);
                small.services.keep_secret("old", "old-canary-71");
                small.services.keep_secret("new", "new-canary-72");
                small.services.set_by_hand("west", "env/TOKEN", Setting::Secret { secret: "old".to_owned() });
            })
            .told(|subject| {
                subject
                    .setting("env/DATABASE_URL", Setting::Text("postgres://west/orders".to_owned()))
                    .setting("env/TOKEN", Setting::Secret { secret: "new".to_owned() })
                    .hiding("old-canary-71")
                    .hiding("new-canary-72")
            })
    }

    /// A name that is shared out.
    pub(crate) fn shared(pick: impl Fn(&Small) -> Resource + Send + Sync + 'static) -> Self {
        Self::of(pick).after(|small| small.entry.share()).told(|subject| subject.also_at("198.51.100.77"))
    }
}

impl fmt::Debug for Twin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Twin").finish_non_exhaustive()
    }
}

#[async_trait]
impl Fixture for Twin {
    async fn fresh(&self) -> Result<Subject> {
        let world = World::new(["east", "west"]);
        let orders = world.store("orders");
        let services = world.workloads("services", &["api", "web"], 3);
        let entry = world.traffic("entry", Duration::from_secs(2));
        let pager = world.alarm("pager", &["on call"]);
        let shop = world.service("shop", &entry, Some(&services), Some(&orders)).resource();
        let small = Small { world, orders, services, entry, pager, shop };
        (self.before)(&small);
        Ok((self.describe)(Subject::new((self.pick)(&small), "east", "west", small)))
    }
}

#[async_trait]
impl Levers for Small {
    async fn pull(&self, lever: &Lever) -> bool {
        match lever {
            Lever::Silence(side) => {
                self.world.fail(side.clone(), Fault::BlackHole);
                self.entry.silence(0, true);
                self.entry.silence(1, true);
            }
            Lever::Hang(side) => self.world.fail(side.clone(), Fault::Hung),
            Lever::Heal(side) => {
                self.world.heal(side.clone());
                self.entry.silence(0, false);
                self.entry.silence(1, false);
            }
            Lever::Meddle("route") => self.entry.point_at("203.0.113.9"),
            Lever::Meddle("scale") => self.services.scale_by_hand("west", 17),
            Lever::Meddle("fence") => {
                self.orders.promote_by_hand_past_its_fence("east");
                self.services.scale_by_hand("east", 17);
            }
            Lever::Meddle("configure") => {
                let theirs = Setting::Text("postgres://elsewhere/orders".to_owned());
                self.services.set_by_hand("west", "env/DATABASE_URL", theirs);
            }
            Lever::Meddle("backup") => self.orders.keep_copies("east", "an auditor"),
            Lever::Meddle("restore") => self.orders.use_restored("west", "an analyst"),
            Lever::BreakRollouts(side) => {
                self.services.break_rollouts(side.clone(), Some("image not found"));
            }
            Lever::CutReplication => self.orders.cut_replication(true),
            Lever::LiftFence(side) => {
                self.orders.start_by_force(side.clone());
                self.services.scale_by_hand(side.clone(), 1);
            }
            Lever::LimitRoom(side, replicas) => self.services.limit_room(side.clone(), Some(*replicas)),
            Lever::NoAddress(side) => self.services.take_address(side.clone()),
            Lever::Readdress(side) => self.services.readdress(side.clone(), "198.51.100.99"),
            Lever::Forbid(permission) => self.services.forbid(permission),
            Lever::SpoilCopies(side) => self.orders.spoil_copies(side.clone()),
            Lever::Deafen(side) => self.pager.deafen(side.clone()),
            Lever::Disarm(side) => self.pager.disarm(side.clone()),
            Lever::Starve(side) => self.pager.starve(side.clone()),
            _ => return false,
        }
        true
    }

    async fn look(&self) -> Option<String> {
        Some(self.world.snapshot().to_string())
    }

    async fn told(&self, side: &Side, setting: &str) -> Option<Told> {
        Some(self.services.runs_with(side.clone(), setting))
    }
}
