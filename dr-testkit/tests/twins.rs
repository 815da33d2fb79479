//! The twins pass the suites that real backends run.

use std::sync::Arc;
use std::time::Duration;

use dr_core::resource::{Follow, Resource, Route};
use dr_core::{Result, async_trait};
use dr_testkit::decorate::{LostReply, Through, Times};
use dr_testkit::model::{Fault, ModelStore, ModelTraffic, ModelWorkloads, World};
use dr_testkit::suite::{self, Fixture, Lever, Levers, Subject};

#[derive(Debug)]
struct Twin {
    pick: fn(&Small) -> Resource,
}

#[derive(Debug)]
struct Small {
    world: World,
    orders: ModelStore,
    services: ModelWorkloads,
    entry: ModelTraffic,
    shop: Resource,
}

#[async_trait]
impl Fixture for Twin {
    async fn fresh(&self) -> Result<Subject> {
        let world = World::new(["east", "west"]);
        let orders = world.store("orders");
        let services = world.workloads("services", &["api"], 3);
        let entry = world.traffic("entry", Duration::from_secs(2));
        let shop = world.service("shop", &entry, Some(&services), Some(&orders)).resource();
        let small = Small { world, orders, services, entry, shop };
        Ok(Subject::new((self.pick)(&small), "east", "west", small))
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
            Lever::Meddle("fence") => self.orders.promote_by_hand_past_its_fence("east"),
            Lever::BreakRollouts(side) => {
                self.services.break_rollouts(side.clone(), Some("image not found"));
            }
            Lever::CutReplication => self.orders.cut_replication(true),
            _ => return false,
        }
        true
    }

    async fn look(&self) -> Option<String> {
        Some(self.world.snapshot().to_string())
    }
}

#[tokio::test(start_paused = true)]
async fn the_model_store_passes() {
    let twin = Twin { pick: |small| small.orders.resource() };
    suite::store(&twin).await.assert(30);
    suite::fence(&twin).await.assert(12);
    suite::ledger(&twin).await.assert(6);
    suite::observe(&twin).await.assert(3);
}

#[tokio::test(start_paused = true)]
async fn the_model_workloads_pass() {
    let twin = Twin { pick: |small| small.services.resource() };
    suite::workloads(&twin).await.assert(15);
    suite::observe(&twin).await.assert(3);
}

#[tokio::test(start_paused = true)]
async fn the_model_traffic_passes() {
    let twin = Twin { pick: |small| small.entry.resource() };
    suite::traffic(&twin).await.assert(15);
}

#[tokio::test(start_paused = true)]
async fn the_model_service_passes() {
    let twin = Twin { pick: |small| small.shop.clone() };
    suite::probe(&twin).await.assert(6);
}

#[tokio::test(start_paused = true)]
async fn a_backend_that_reports_success_without_an_effect_is_found_out() {
    let twin = Twin {
        pick: |small| {
            let good = small.entry.resource();
            let lying = good
                .effect::<Route>()
                .map(|inner| Through::new(inner, |action| Arc::new(LostReply::new(action, Times::always()))));
            match lying {
                Some(lying) => good.with::<Route>(Arc::new(lying)),
                None => good,
            }
        },
    };
    let report = suite::traffic(&twin).await;
    assert!(report.broken().len() > 3, "{report}");
}

#[tokio::test(start_paused = true)]
async fn a_suite_on_something_that_cannot_do_the_verb_is_skipped_and_says_so() {
    let twin = Twin { pick: |small| small.entry.resource() };
    let report = suite::effect::<Follow>(
        &twin,
        |subject| subject.source.clone(),
        async |subject| {
            let (side, of) = (subject.source.clone().into(), subject.target.clone().into());
            Ok(Follow { side, of })
        },
    )
    .await;
    assert_eq!((report.passed(), report.broken().len()), (0, 0), "{report}");
    assert!(report.skipped().len() > 10);
}
