//! An instance's edge.

use dr_core::resource::Cx;
use dr_core::{Error, ErrorKind, Result, Timestamp, async_trait};

use super::config::SidePlan;
use super::store::Rds;
use crate::database::instance::Instance;
use crate::database::tags::Tags;
use crate::edge_fence::{Edge, EdgeView, Mark, Member, told};

/// One side's instance as a fence sees it.
#[derive(Debug)]
pub(super) struct InstanceEdge<'a> {
    pub(super) store: &'a Rds,
    pub(super) side: &'a SidePlan,
}

impl InstanceEdge<'_> {
    async fn instance(&self, cx: &Cx) -> Result<Instance> {
        self.store
            .instance(cx, self.side)
            .await?
            .ok_or_else(|| Error::new(ErrorKind::NotFound, "there is no such instance").not_happened())
    }

    /// What an instance that was described already proves, with what its events tell.
    pub(super) async fn view(&self, cx: &Cx, instance: Instance) -> Result<EdgeView> {
        let mark = Mark::read(&instance.tags);
        // Without a mark no restart matters.
        let since = match &mark {
            Ok(Some(mark)) => Some(mark.cut.unwrap_or_else(|| Timestamp::from_millis(0))),
            Ok(None) | Err(_) => None,
        };
        let (restarts, regrouped) = match since {
            None => (Vec::new(), Vec::new()),
            Some(since) => {
                let api = self.store.api(&self.side.region);
                let events = api.events(cx, Some(&instance.name), since).await?;
                told(&events).remove(&instance.name).unwrap_or_default()
            }
        };
        let member = Member { name: instance.name, status: instance.status.clone(), restarts, regrouped };
        Ok(EdgeView {
            status: instance.status,
            groups: instance.groups,
            members: vec![member],
            mark,
            bypasses: Vec::new(),
        })
    }
}

#[async_trait]
impl Edge for InstanceEdge<'_> {
    fn name(&self) -> String {
        self.side.to_string()
    }

    fn fence_group(&self) -> Option<&str> {
        self.side.fence.as_deref()
    }

    async fn look(&self, cx: &Cx) -> Result<EdgeView> {
        let instance = self.instance(cx).await?;
        self.view(cx, instance).await
    }

    async fn attach(&self, cx: &Cx, groups: &[String]) -> Result<()> {
        let api = self.store.api(&self.side.region);
        api.changes("rds:ModifyDBInstance")
            .ask(cx, || {
                api.client
                    .modify_db_instance()
                    .db_instance_identifier(&self.side.instance)
                    .set_vpc_security_group_ids(Some(groups.to_vec()))
                    .apply_immediately(true)
                    .send()
            })
            .await?;
        Ok(())
    }

    async fn restart(&self, cx: &Cx, member: &str) -> Result<()> {
        self.store.api(&self.side.region).restart(cx, member).await
    }

    async fn tag(&self, cx: &Cx, tags: &Tags) -> Result<()> {
        self.store.api(&self.side.region).tag(cx, &self.instance(cx).await?.arn, tags).await
    }

    async fn untag(&self, cx: &Cx, keys: &[&str]) -> Result<()> {
        self.store.api(&self.side.region).untag(cx, &self.instance(cx).await?.arn, keys).await
    }
}
