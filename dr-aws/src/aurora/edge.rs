//! A cluster's edge: the groups are the cluster's, the sessions are its instances'.

use std::collections::BTreeMap;

use dr_core::resource::Cx;
use dr_core::{Error, ErrorKind, Result, Timestamp, async_trait};

use super::cluster::Cluster;
use super::config::SidePlan;
use super::global::Global;
use super::store::Aurora;
use crate::database::tags::Tags;
use crate::edge_fence::{Edge, EdgeView, Mark, Member, told};

/// One side's cluster as a fence sees it.
#[derive(Debug)]
pub(super) struct ClusterEdge<'a> {
    pub(super) store: &'a Aurora,
    pub(super) side: &'a SidePlan,
}

impl ClusterEdge<'_> {
    async fn cluster(&self, cx: &Cx) -> Result<Cluster> {
        self.store
            .cluster(cx, self.side)
            .await?
            .ok_or_else(|| Error::new(ErrorKind::NotFound, "there is no such cluster").not_happened())
    }
}

/// The ways into a cluster that no security group guards. Pure.
///
/// The Data API takes statements over HTTPS (<https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/data-api.html>);
/// write forwarding takes them in another region and carries them over by itself
/// (<https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/aurora-global-database-write-forwarding.html>).
fn bypasses(cluster: &Cluster, global: Option<&Global>) -> Vec<String> {
    let mut ways = Vec::new();
    if cluster.data_api {
        ways.push("its Data API is on".to_owned());
    }
    match global {
        None => ways.push("whether another region forwards writes to it could not be learnt".to_owned()),
        Some(global) if global.member(&cluster.arn).is_some_and(|member| member.writer) => {
            let forwarding = global.members.iter().filter(|member| !member.writer && member.forwards);
            ways.extend(forwarding.map(|member| {
                format!("{} in {} forwards writes to it", member.cluster.name, member.cluster.region)
            }));
        }
        // Nobody forwards to what is no writer.
        Some(_) => {}
    }
    ways
}

#[async_trait]
impl Edge for ClusterEdge<'_> {
    fn name(&self) -> String {
        self.side.to_string()
    }

    fn fence_group(&self) -> Option<&str> {
        self.side.fence.as_deref()
    }

    async fn look(&self, cx: &Cx) -> Result<EdgeView> {
        let api = self.store.api(self.side);
        let (cluster, instances, global) = futures_util::join!(
            self.cluster(cx),
            api.instances(cx, Some(&self.side.cluster)),
            self.store.global(cx)
        );
        let (cluster, instances) = (cluster?, instances?);
        let mark = Mark::read(&cluster.tags);
        let mut told_of = match &mark {
            Ok(Some(mark)) => {
                let since = mark.cut.unwrap_or_else(|| Timestamp::from_millis(0));
                told(&api.events(cx, None, since).await?)
            }
            Ok(None) | Err(_) => BTreeMap::new(),
        };
        let mut members = Vec::new();
        for instance in instances {
            let (restarts, regrouped) = told_of.remove(&instance.name).unwrap_or_default();
            members.push(Member { name: instance.name, status: instance.status, restarts, regrouped });
        }
        // An instance that only one of the two lists tells of is one that was not seen.
        for (name, _) in &cluster.instances {
            if !members.iter().any(|member| member.name == *name) {
                return Err(Error::new(
                    ErrorKind::NotReady,
                    format!("its instance {name} is not described yet"),
                ));
            }
        }
        Ok(EdgeView {
            bypasses: bypasses(&cluster, global.ok().as_ref()),
            status: cluster.status,
            groups: cluster.groups,
            members,
            mark,
        })
    }

    async fn attach(&self, cx: &Cx, groups: &[String]) -> Result<()> {
        let api = self.store.api(self.side);
        api.changes("rds:ModifyDBCluster")
            .ask(cx, || {
                api.client
                    .modify_db_cluster()
                    .db_cluster_identifier(&self.side.cluster)
                    .set_vpc_security_group_ids(Some(groups.to_vec()))
                    .apply_immediately(true)
                    .send()
            })
            .await?;
        Ok(())
    }

    async fn restart(&self, cx: &Cx, member: &str) -> Result<()> {
        self.store.api(self.side).restart(cx, member).await
    }

    async fn tag(&self, cx: &Cx, tags: &Tags) -> Result<()> {
        self.store.api(self.side).tag(cx, &self.cluster(cx).await?.arn, tags).await
    }

    async fn untag(&self, cx: &Cx, keys: &[&str]) -> Result<()> {
        self.store.api(self.side).untag(cx, &self.cluster(cx).await?.arn, keys).await
    }
}
