//! Does the name lead somewhere, as callers look it up?

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use dr_core::async_trait;
use dr_core::resource::{Answer, Ask, Prober, Seat, SeatKind};
use dr_core::time::show_duration;
use tokio::time::Instant;

use super::config::DnsPlan;
use crate::resolver::Resolver;

/// Asks the callers' name servers. Good: the record has values; served by the side whose values they are.
#[derive(Debug)]
pub(super) struct NameProber {
    plan: Arc<DnsPlan>,
}

impl NameProber {
    pub(super) fn new(plan: Arc<DnsPlan>) -> Self {
        Self { plan }
    }
}

impl Prober for NameProber {
    /// Both kinds of caller look a name up the same way; there is no connection to keep.
    fn seat(&self, _kind: SeatKind) -> Box<dyn Seat> {
        Box::new(NameSeat { plan: Arc::clone(&self.plan), resolver: Resolver::new(self.plan.source.clone()) })
    }
}

#[derive(Debug)]
struct NameSeat {
    plan: Arc<DnsPlan>,
    resolver: Resolver,
}

#[async_trait]
impl Seat for NameSeat {
    async fn ask(&mut self, ask: Ask, within: Duration) -> Answer {
        let begun = Instant::now();
        if ask.write {
            return Answer::bad("a name cannot be written to by its callers", None, begun.elapsed());
        }
        let record = &self.plan.record;
        let looked = self.resolver.records(&record.name, record.kind.record_type());
        let found = match tokio::time::timeout(within, looked).await {
            Ok(Ok(found)) => found,
            Ok(Err(error)) => return Answer::none(error.to_string(), begun.elapsed()),
            Err(_) => {
                return Answer::none(format!("no answer within {}", show_duration(within)), begun.elapsed());
            }
        };
        let values: BTreeSet<String> = found.iter().filter_map(|data| record.kind.show(data)).collect();
        if values.is_empty() {
            return Answer::bad(format!("{record}: no such record"), None, begun.elapsed());
        }
        Answer::good(record.side(&values), false, begun.elapsed())
    }
}
