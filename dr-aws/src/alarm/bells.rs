//! The alarms of each side, and how they stand.

use std::sync::Arc;

use dr_core::resource::{AlarmState, Alarms, Cx, Observe};
use dr_core::{Error, Result, Side, async_trait};

use super::config::{AlarmPlan, AlarmSide};
use super::seen::{Seen, look, missing};
use crate::client::Aws;
use crate::together::each;

/// CloudWatch alarms.
#[derive(Debug)]
pub(super) struct Bells {
    pub(super) plan: Arc<AlarmPlan>,
    pub(super) aws: Aws,
}

impl Bells {
    pub(super) fn side(&self, side: &Side) -> Result<&AlarmSide> {
        self.plan
            .sides
            .get(side)
            .ok_or_else(|| Error::invalid(format!("there are no alarms on a side `{side}`")))
    }

    /// The alarms of a side, in the plan's order.
    pub(super) async fn look(&self, cx: &Cx, side: &Side) -> Result<Vec<(String, Option<Seen>)>> {
        let AlarmSide { region, names } = self.side(side)?;
        look(cx, &self.aws, region, names).await.map_err(|error| error.on(side.as_str()))
    }

    async fn states(&self, cx: &Cx, side: &Side) -> (Side, Option<Vec<AlarmState>>) {
        let state =
            |(name, seen): (String, Option<Seen>)| seen.map_or_else(|| missing(&name), |seen| seen.state());
        let seen = self.look(cx, side).await.ok();
        (side.clone(), seen.map(|alarms| alarms.into_iter().map(state).collect()))
    }
}

#[async_trait]
impl Observe<Alarms> for Bells {
    async fn observe(&self, cx: &Cx) -> Result<Alarms> {
        let sides = each(self.plan.sides.keys().map(|side| self.states(cx, side)).collect()).await;
        Ok(Alarms::new(cx.now(), sides.into_iter().collect()))
    }
}
