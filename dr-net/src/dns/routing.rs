//! Looking: what every authoritative server says.

use std::sync::Arc;
use std::time::Duration;

use dr_core::resource::{Cx, Observe, Routing, ServerAnswer};
use dr_core::{Result, async_trait};

use super::authority::{Authority, nobody_answers};
use crate::wire::plain;

#[derive(Debug)]
pub(super) struct Routings {
    authority: Arc<Authority>,
}

impl Routings {
    pub(super) fn new(authority: Arc<Authority>) -> Self {
        Self { authority }
    }
}

#[async_trait]
impl Observe<Routing> for Routings {
    async fn observe(&self, cx: &Cx) -> Result<Routing> {
        let record = self.authority.record();
        let mut readings = self.authority.read_all(cx).await?;
        if readings.iter().all(|reading| reading.found.is_err()) {
            return Err(nobody_answers(record, &readings));
        }
        readings.retain(|reading| reading.server.listed);
        // The longest: a caller may have asked any of them.
        let ttl = readings
            .iter()
            .filter_map(|reading| reading.found.as_ref().ok())
            .filter(|found| !found.values.is_empty())
            .map(|found| Duration::from_secs(found.ttl.into()))
            .max();
        let answers = readings
            .into_iter()
            .map(|reading| {
                let found = reading.found.ok();
                ServerAnswer {
                    server: reading.server.at.to_string(),
                    side: found.as_ref().and_then(|found| record.side(&found.values)),
                    values: found.map(|found| found.texts()),
                }
            })
            .collect();
        Ok(Routing::new(cx.now(), plain(&record.name), ttl, answers))
    }
}
