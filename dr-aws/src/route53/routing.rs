//! Looking: what every authoritative server says, and what could move callers by itself.

use std::sync::Arc;

use dr_core::resource::{Cx, Observe, Routing};
use dr_core::{Result, async_trait};
use futures_util::future::join;

use super::road::Road;
use super::wanted::{automatisms, shares};

#[derive(Debug)]
pub(super) struct Routings {
    road: Arc<Road>,
}

impl Routings {
    pub(super) fn new(road: Arc<Road>) -> Self {
        Self { road }
    }
}

#[async_trait]
impl Observe<Routing> for Routings {
    /// Callers reach the name servers, not the API: where the API is silent the answers stand, and what only it knows
    /// is said to be unknown.
    async fn observe(&self, cx: &Cx) -> Result<Routing> {
        let road = &self.road;
        let patience = (cx.left() / 2).max(road.authority.silent_after);
        let asking = cx.within(patience);
        let (readings, found) = join(road.readings(cx), road.zone.list(&asking)).await;
        let readings = readings?;
        let sides = road.sides(found.as_deref().ok(), None).await;
        let routing = road.routing(cx, &readings, &sides);
        Ok(match found {
            Ok(found) => routing
                .sharing(shares(&road.entry, &found))
                .with_automatisms(automatisms(&road.entry, &found)),
            Err(error) => routing.with_automatisms(vec![format!(
                "unknown: the record sets cannot be read ({})",
                error.chain()
            )]),
        })
    }
}
