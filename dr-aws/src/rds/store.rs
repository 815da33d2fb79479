//! The instances of one store: every verb of this backend is an effect of this one value.

use std::sync::Arc;

use dr_core::resource::{Cx, Fencing};
use dr_core::{Error, ErrorKind, Region, Result, Side};
use futures_util::future::join_all;

use super::config::{RdsPlan, SidePlan};
use super::edge::InstanceEdge;
use crate::client::Aws;
use crate::database::api::Api;
use crate::database::instance::Instance;
use crate::database::note::Note;
use crate::database::reach::{reached, soon};
use crate::database::status::Condition;
use crate::edge_fence;

/// An RDS store.
#[derive(Debug)]
pub(super) struct Rds {
    pub(super) plan: Arc<RdsPlan>,
    pub(super) aws: Aws,
}

impl Rds {
    /// A side by its name.
    pub(super) fn side(&self, side: &Side) -> Result<&SidePlan> {
        side.of(&self.plan.sides)
    }

    /// RDS in a region.
    pub(super) fn api<'r>(&self, region: &'r Region) -> Api<'r> {
        Api::new(&self.aws, region)
    }

    /// A side's edge.
    pub(super) fn edge(&self, side: &Side) -> Result<InstanceEdge<'_>> {
        Ok(InstanceEdge { store: self, side: self.side(side)? })
    }

    /// A side's instance; `None`: there is no such instance.
    pub(super) async fn instance(&self, cx: &Cx, side: &SidePlan) -> Result<Option<Instance>> {
        self.api(&side.region).instance(cx, &side.instance).await
    }

    /// The same, in the time of a first look, with silence told as such.
    pub(super) async fn glance(&self, cx: &Cx, side: &SidePlan) -> Result<Option<Instance>> {
        self.instance(&soon(cx), side).await.map_err(|error| reached(side.to_string(), error))
    }

    /// The same, where its absence is an error.
    pub(super) async fn present(&self, cx: &Cx, side: &SidePlan) -> Result<Instance> {
        self.glance(cx, side).await?.ok_or_else(|| {
            Error::new(ErrorKind::NotFound, "there is no such instance").on(side.to_string()).not_happened()
        })
    }

    /// The side whose instance that is, if the plan has it.
    pub(super) fn side_of(&self, of: &crate::database::arn::Arn) -> Option<(&Side, &SidePlan)> {
        self.plan.sides.iter().find(|(_, plan)| of.is(&plan.region, &plan.instance))
    }

    /// Whether a side is cut off at its edge, looked at now.
    pub(super) async fn fencing(&self, cx: &Cx, side: &Side) -> Result<Fencing> {
        Ok(edge_fence::fencing(cx, side, &self.edge(side)?).await)
    }

    /// Refuses unless every other side is proven not to be a writer. With `strictly`, silence is no proof.
    pub(super) async fn nobody_else_writes(&self, cx: &Cx, side: &Side, strictly: bool) -> Result<()> {
        let others = self.plan.sides.iter().filter(|(other, _)| *other != side);
        let looks = others.map(|(other, plan)| self.cannot_write(cx, other, plan, strictly));
        join_all(looks).await.into_iter().collect()
    }

    async fn cannot_write(&self, cx: &Cx, side: &Side, plan: &SidePlan, strictly: bool) -> Result<()> {
        let refused =
            |why: String| Err(Error::refused(why).on(plan.to_string()).with("side", side.to_string()));
        let instance = match self.glance(cx, plan).await {
            Ok(Some(instance)) => instance,
            Ok(None) => return Ok(()),
            Err(error) if error.kind() == ErrorKind::Unreachable && !strictly => return Ok(()),
            Err(error) => return Err(error.not_happened()),
        };
        if !instance.is_replica() {
            if instance.status.condition() == Condition::Stopped {
                return Ok(());
            }
            return match self.fencing(cx, side).await? {
                Fencing::Confirmed(_) => Ok(()),
                Fencing::Open { .. } | Fencing::Hung | Fencing::Unreachable | Fencing::Unknown { .. } => {
                    refused("it is a primary: two sides would take writes".to_owned())
                }
            };
        }
        if !instance.status.serves() {
            return refused(format!("it is {}: a promotion of it may be pending", instance.status));
        }
        match Note::read(&instance.tags) {
            Ok(None) => Ok(()),
            Ok(Some(note)) if note.is_over(cx.now()) => Ok(()),
            Ok(Some(note)) => refused(note.pending()),
            Err(why) => refused(why),
        }
    }
}

impl std::fmt::Display for SidePlan {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} in {}", self.instance, self.region)
    }
}
