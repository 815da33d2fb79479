//! What runs on each side, and how many.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use dr_core::resource::{
    Before, Cx, Diff, Effect, Observe, Prepared, Replicas, Scale, Scaled, Staffing, WorkloadState,
};
use dr_core::{Clock, Error, ErrorKind, Result, Side, async_trait};
use hyper::{Method, StatusCode};
use serde::{Deserialize, Serialize};

use super::config::Config;
use crate::agent::{Agent, Ask, Staff};
use crate::http;

/// How long an agent may take to say what runs.
const LOOK: Duration = Duration::from_secs(3);
/// What is kept of the deadline for the answer's way back.
const WAY_BACK: Duration = Duration::from_millis(100);

/// The workload on all its sides.
#[derive(Debug)]
pub(super) struct Workloads {
    name: String,
    sides: BTreeMap<Side, Place>,
    clock: Arc<dyn Clock>,
}

#[derive(Debug)]
struct Place {
    agent: Agent,
    service: SocketAddr,
}

/// What was there, and what was wanted then.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Was {
    count: u32,
    wanted: u32,
}

impl Workloads {
    pub(super) fn new(config: &Config, token: &str, clock: Arc<dyn Clock>) -> Self {
        let place =
            |agent: SocketAddr, service: SocketAddr| Place { agent: Agent::new(agent, token), service };
        Self {
            name: config.workload.clone(),
            sides: config
                .sides
                .iter()
                .map(|(side, at)| (side.clone(), place(at.agent, at.service)))
                .collect(),
            clock,
        }
    }

    fn place(&self, side: &Side) -> Result<&Place> {
        self.sides.get(side).ok_or_else(|| Error::invalid(format!("`{}` has no side `{side}`", self.name)))
    }

    async fn look(&self, cx: &Cx, side: &Side) -> Result<Staff> {
        let ask = self.place(side)?.agent.ask(Ask::Observe, cx.left().min(LOOK));
        cx.bound("observe", ask).await.map_err(|error| error.on(side.to_string()).not_happened())
    }

    fn state(&self, staff: Staff) -> WorkloadState {
        let mut state = WorkloadState::new(self.name.clone(), staff.desired, staff.ready);
        state.problems = staff.problems;
        state
    }

    /// Wants that many, and returns when they serve on the region's address.
    async fn make(&self, cx: &Cx, side: &Side, count: u32) -> Result<Staff> {
        let place = self.place(side)?;
        cx.progress.say(format!("waiting for {count} in {side} to serve"));
        let within = cx.left().saturating_sub(WAY_BACK);
        let ask = Ask::Scale { count, within_ms: u64::try_from(within.as_millis()).unwrap_or(u64::MAX) };
        let staff = cx
            .bound("scale", place.agent.ask(ask, cx.left()))
            .await
            .map_err(|error| error.on(side.to_string()))?;
        if count > 0 {
            let answer =
                http::ask(place.service, self.name.as_str(), Method::GET, "/ready", cx.left().min(LOOK))
                    .await;
            match answer {
                Ok(answer)
                    if answer.status == StatusCode::OK && answer.region.as_deref() == Some(side.as_str()) => {
                }
                Ok(answer) => {
                    let text =
                        format!("it answers {} as {}", answer.status, answer.region.unwrap_or_default());
                    return Err(Error::new(ErrorKind::NotReady, text).on(place.service.to_string()));
                }
                Err(error) => {
                    return Err(Error::new(ErrorKind::NotReady, error.to_string()).on(side.to_string()));
                }
            }
        }
        Ok(staff)
    }
}

#[async_trait]
impl Observe<Staffing> for Workloads {
    /// All sides at once; a side that does not answer is unknown.
    async fn observe(&self, cx: &Cx) -> Result<Staffing> {
        let mut sides = BTreeMap::new();
        let mut looking = tokio::task::JoinSet::new();
        for (side, place) in &self.sides {
            let (side, agent, within) = (side.clone(), place.agent.clone(), cx.left().min(LOOK));
            looking.spawn(async move { (side, agent.ask(Ask::Observe, within).await.ok()) });
        }
        let all = async {
            while let Some(looked) = looking.join_next().await {
                let (side, staff) = looked
                    .map_err(|error| Error::new(ErrorKind::Unknown, "a look was lost").because(error))?;
                sides.insert(side, staff.map(|staff| vec![self.state(staff)]));
            }
            Ok(())
        };
        cx.bound("observe", all).await?;
        Ok(Staffing::new(self.clock.now(), sides))
    }
}

#[async_trait]
impl Effect<Scale> for Workloads {
    async fn prepare(&self, cx: &Cx, call: &Scale) -> Result<Prepared> {
        let side = call.side.side()?;
        let staff = self.look(cx, side).await?;
        let wanted = match &call.replicas {
            Replicas::Count(count) => *count,
            Replicas::SameAs(other) => self.look(cx, other.side()?).await?.desired,
            Replicas::Percent { percent, of } => {
                Replicas::part_of(*percent, self.look(cx, of.side()?).await?.desired)
            }
            Replicas::Before => {
                return Err(
                    Error::unsupported("the sandbox's agents note no earlier numbers").during("scale")
                );
            }
        };
        let before = Before::of(&Was { count: staff.desired, wanted })?;
        if staff.desired == wanted && staff.ready == wanted && !staff.broken {
            return Ok(Prepared::already(before));
        }
        let is = format!("{} of {} serve", staff.ready, staff.desired);
        let diff = Diff::one(format!("{side} {}", self.name), is, format!("{wanted} of {wanted} serve"));
        Ok(Prepared::would(diff, before))
    }

    async fn apply(&self, cx: &Cx, call: &Scale, was: &Prepared) -> Result<Scaled> {
        let side = call.side.side()?;
        let wanted = match &call.replicas {
            Replicas::Count(count) => *count,
            // What the other side wanted when the step began: it may be gone by now, or scaled by this very run.
            Replicas::SameAs(_) | Replicas::Percent { .. } | Replicas::Before => {
                was.before.read::<Was>()?.wanted
            }
        };
        let staff = self.make(cx, side, wanted).await?;
        Ok(Scaled { side: side.clone(), workloads: vec![self.state(staff)] })
    }

    async fn undo(&self, cx: &Cx, call: &Scale, was: &Before) -> Result<()> {
        let side = call.side.side()?;
        let was: Was = was.read()?;
        let now = self.look(cx, side).await?.desired;
        if now != was.wanted && now != was.count {
            let text = format!(
                "somebody else wants {now} since: neither the {} of this step nor the {} before it",
                was.wanted, was.count
            );
            return Err(Error::new(ErrorKind::Conflict, text).on(side.to_string()).not_happened());
        }
        self.make(cx, side, was.count).await.map(drop)
    }
}
