//! The planned proof: everything that was acknowledged is on the replica, without asking the database itself.
//!
//! The source is cut off at its own edge since its restart at F, so whatever it acknowledged was committed before F. The
//! replica replays in the order of the log. Once it has replayed a transaction that was committed *after* F it has all that
//! stands before, all of it. Nobody has to write that transaction: RDS commits one at least every five minutes on an idle
//! PostgreSQL, and `ReplicaLag` is the age of the last one that was replayed
//! (<https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_PostgreSQL.Replication.ReadReplicas.Monitor.html>). With
//! one sample a minute the proof takes up to seven minutes, all of them in the outage: a run that cannot wait is unplanned.
//!
//! What it rests on: that the two hosts' clocks, which Amazon keeps, differ by less than [`CLOCKS`]; that the metric is that
//! age. What does *not* serve: a lag of zero, which says nothing of what was never received, and MySQL's
//! `Seconds_Behind_Source`, which counts from what was received.

use std::time::Duration;

use dr_core::resource::{Cx, Fencing};
use dr_core::time::Timestamp;
use dr_core::{Error, ErrorKind, Result};

use super::config::SidePlan;
use super::store::Rds;
use crate::database::instance::Instance;
use crate::waiting::{Look, Pace, until};

/// How far the clocks of two hosts of RDS may differ.
pub(super) const CLOCKS: Duration = Duration::from_secs(1);

impl Rds {
    /// Waits for the proof, as long as there is time; `NotReady` without it.
    pub(super) async fn prove(&self, cx: &Cx, plan: &SidePlan, target: &Instance) -> Result<()> {
        let never = |why: String| Err(Error::new(ErrorKind::NotReady, why).permanent().on(plan.to_string()));
        let Some((source, _)) = target.source.as_ref().and_then(|of| self.side_of(of)) else {
            return never("it is a replica of something that the plan does not have".to_owned());
        };
        if !target.is_postgres() {
            return never(format!(
                "{} does not date what it replayed: nothing can be proven of it",
                target.engine
            ));
        }
        until(cx, "planned proof", Pace::STEADY, async || {
            let fenced = match self.fencing(cx, source).await? {
                Fencing::Confirmed(proof) => proof.since,
                Fencing::Open { why } => {
                    let message = format!("{source} is not cut off: {why}");
                    return Err(Error::new(ErrorKind::NotReady, message).permanent().on(plan.to_string()));
                }
                Fencing::Unknown { why } => {
                    return Ok(Look::Not(format!("whether {source} is cut off: {why}")));
                }
                Fencing::Hung | Fencing::Unreachable => {
                    return Ok(Look::Not(format!("whether {source} is cut off: its region does not answer")));
                }
            };
            let behind = self.behind(cx, plan, target).await;
            Ok(match missing(behind.has_until, fenced) {
                None => Look::Done(()),
                Some(why) => Look::Not(why),
            })
        })
        .await
        .map_err(|error| error.on(plan.to_string()))
    }
}

/// What is missing for the proof. Pure.
fn missing(has_until: Option<Timestamp>, fenced: Timestamp) -> Option<String> {
    match has_until {
        None => Some("how much it has replayed is not known".to_owned()),
        Some(until) if until > fenced.plus(CLOCKS) => None,
        Some(until) => Some(format!(
            "it has replayed what was committed until {until}, the source is cut off since {fenced}; the next of RDS's own \
             commits, at least every five minutes, will show"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_commit_after_the_fence_proves_what_stands_before_it() {
        let at = |second: i64| Timestamp::from_millis(1_800_000_000_000 + second * 1_000);
        assert!(missing(None, at(0)).is_some());
        assert!(missing(Some(at(-1)), at(0)).is_some());
        assert!(missing(Some(at(1)), at(0)).is_some(), "the clocks may differ by that much");
        assert!(missing(Some(at(2)), at(0)).is_none());
    }
}
