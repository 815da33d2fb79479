//! The world of a history: a shop on two sides.

use std::time::Duration;

use dr_core::model::{ModelStore, ModelTraffic, ModelWorkloads, World};
use dr_core::resource::Cx;

/// A database with its copy, the programs before it, the name that callers use, and what they see.
#[derive(Debug, Clone)]
pub(super) struct Shop {
    pub(super) world: World,
    pub(super) orders: ModelStore,
    pub(super) services: ModelWorkloads,
    pub(super) entry: ModelTraffic,
}

/// The side that serves, and the other one.
pub(super) const EAST: &str = "east";
pub(super) const WEST: &str = "west";
/// Whose rows the shop's customers write.
pub(super) const BOOK: &str = "customers";

impl Shop {
    pub(super) async fn new() -> Self {
        let world = World::new([EAST, WEST]);
        let orders = world.store("orders");
        if let Some(ledger) = orders.resource().ledger() {
            let cx = Cx::new("customers".into(), "open".into(), Duration::from_secs(60));
            // A world that has just begun takes it; else no row is ever acknowledged, which the tally shows.
            let _ = ledger.open(&cx, BOOK).await;
        }
        let services = world.workloads("services", &["api", "web"], 3);
        let entry = world.traffic("entry", Duration::from_secs(5));
        world.service("shop", &entry, Some(&services), Some(&orders));
        Self { world, orders, services, entry }
    }
}
