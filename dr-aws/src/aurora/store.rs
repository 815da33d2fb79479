//! The clusters of one global database: every verb of this backend is an effect of this one value.

use std::sync::Arc;

use dr_core::resource::{Cx, Fencing};
use dr_core::{Error, ErrorKind, Result, Side};
use futures_util::StreamExt;
use futures_util::future::join_all;
use futures_util::stream::FuturesUnordered;

use super::cluster::Cluster;
use super::config::{AuroraPlan, SidePlan};
use super::edge::ClusterEdge;
use super::global::Global;
use crate::client::Aws;
use crate::database::api::Api;
use crate::database::arn::Arn;
use crate::database::note::Note;
use crate::database::reach::{is_silence, reached, soon};
use crate::database::status::Condition;
use crate::edge_fence;

/// An Aurora global database.
#[derive(Debug)]
pub(super) struct Aurora {
    pub(super) plan: Arc<AuroraPlan>,
    pub(super) aws: Aws,
}

impl Aurora {
    /// A side by its name.
    pub(super) fn side(&self, side: &Side) -> Result<&SidePlan> {
        side.of(&self.plan.sides)
    }

    /// RDS in a side's region.
    pub(super) fn api<'p>(&self, plan: &'p SidePlan) -> Api<'p> {
        Api::new(&self.aws, &plan.region)
    }

    /// A side's edge.
    pub(super) fn edge(&self, side: &Side) -> Result<ClusterEdge<'_>> {
        Ok(ClusterEdge { store: self, side: self.side(side)? })
    }

    /// A side's cluster; `None`: there is no such cluster.
    pub(super) async fn cluster(&self, cx: &Cx, plan: &SidePlan) -> Result<Option<Cluster>> {
        let api = self.api(plan);
        let answer = api
            .reads("rds:DescribeDBClusters")
            .ask(cx, || api.client.describe_db_clusters().db_cluster_identifier(&plan.cluster).send())
            .await;
        match answer {
            Err(error) if error.is("DBClusterNotFoundFault") => Ok(None),
            Err(error) => Err(error.into()),
            Ok(answer) => answer.db_clusters().first().map(Cluster::read).transpose(),
        }
    }

    /// The same, in the time of a first look, with silence told as such.
    pub(super) async fn glance(&self, cx: &Cx, plan: &SidePlan) -> Result<Option<Cluster>> {
        self.cluster(&soon(cx), plan).await.map_err(|error| reached(plan.to_string(), error))
    }

    /// The same, where its absence is an error.
    pub(super) async fn present(&self, cx: &Cx, plan: &SidePlan) -> Result<Cluster> {
        self.glance(cx, plan).await?.ok_or_else(|| {
            Error::new(ErrorKind::NotFound, "there is no such cluster").on(plan.to_string()).not_happened()
        })
    }

    /// The global database, as a side's own region tells of it.
    pub(super) async fn global_of(&self, cx: &Cx, plan: &SidePlan) -> Result<Global> {
        let api = self.api(plan);
        let answer = api
            .reads("rds:DescribeGlobalClusters")
            .ask(cx, || {
                api.client.describe_global_clusters().global_cluster_identifier(&self.plan.global).send()
            })
            .await?;
        let found = answer.global_clusters().first().map(Global::read).transpose()?;
        found.ok_or_else(|| {
            Error::new(ErrorKind::NotFound, "there is no such global database").on(self.plan.global.clone())
        })
    }

    /// The global database, as the first region tells of it that answers.
    pub(super) async fn global(&self, cx: &Cx) -> Result<Global> {
        let soon = &soon(cx);
        let mut looks: FuturesUnordered<_> =
            self.plan.sides.values().map(|plan| self.global_of(soon, plan)).collect();
        let mut failed: Option<Error> = None;
        while let Some(look) = looks.next().await {
            match look {
                Ok(global) => return Ok(global),
                // Silence is the least that can be said: what anybody answered is said before it.
                Err(error) if failed.as_ref().is_none_or(is_silence) => failed = Some(error),
                Err(_) => {}
            }
        }
        let failed = failed.unwrap_or_else(|| Error::invalid("the plan names no side"));
        Err(reached(self.plan.global.clone(), failed))
    }

    /// The side whose cluster that is, if the plan has it.
    pub(super) fn side_of(&self, of: &Arn) -> Option<(&Side, &SidePlan)> {
        self.plan.sides.iter().find(|(_, plan)| of.is(&plan.region, &plan.cluster))
    }

    /// Whether a side is cut off at its edge, looked at now.
    pub(super) async fn fencing(&self, cx: &Cx, side: &Side) -> Result<Fencing> {
        Ok(edge_fence::fencing(cx, side, &self.edge(side)?).await)
    }

    /// Refuses unless every other side is proven not to be a writer, nor to become one. With `strictly`, silence is no
    /// proof.
    pub(super) async fn nobody_else_writes(&self, cx: &Cx, side: &Side, strictly: bool) -> Result<()> {
        let global = match self.global(cx).await {
            Ok(global) => global,
            Err(error) if error.kind() == ErrorKind::Unreachable && !strictly => return Ok(()),
            Err(error) => return Err(error.not_happened()),
        };
        if let Some(why) = global.under_way() {
            return Err(Error::refused(format!("{why}: who will take writes is not known yet"))
                .on(self.plan.global.clone()));
        }
        let others = self.plan.sides.iter().filter(|(other, _)| *other != side);
        let looks = others.map(|(other, plan)| self.cannot_write(cx, &global, other, plan, strictly));
        join_all(looks).await.into_iter().collect()
    }

    async fn cannot_write(
        &self,
        cx: &Cx,
        global: &Global,
        side: &Side,
        plan: &SidePlan,
        strictly: bool,
    ) -> Result<()> {
        let refused =
            |why: String| Err(Error::refused(why).on(plan.to_string()).with("side", side.to_string()));
        let cluster = match self.glance(cx, plan).await {
            Ok(Some(cluster)) => cluster,
            Ok(None) => return Ok(()),
            Err(error) if error.kind() == ErrorKind::Unreachable && !strictly => return Ok(()),
            Err(error) => return Err(error.not_happened()),
        };
        if cluster.status.condition() == Condition::Stopped {
            return Ok(());
        }
        match global.member(&cluster.arn) {
            Some(member) if !member.writer => {}
            Some(_) | None => {
                return match self.fencing(cx, side).await? {
                    Fencing::Confirmed(_) => Ok(()),
                    Fencing::Open { .. } | Fencing::Hung | Fencing::Unreachable | Fencing::Unknown { .. } => {
                        refused("it is a writer: two sides would take writes".to_owned())
                    }
                };
            }
        }
        match Note::read(&cluster.tags) {
            Ok(None) => Ok(()),
            Ok(Some(note)) if note.is_over(cx.now()) => Ok(()),
            Ok(Some(note)) => refused(note.pending()),
            Err(why) => refused(why),
        }
    }
}
