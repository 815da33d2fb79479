//! A global database with its writer in us-east-1, and what can be done to it.

use std::sync::Arc;
use std::time::Duration;

use dr_aws::AuroraGlobalBackend;
use dr_core::resource::{
    At, Basis, Call, Cx, Effect, Fence, FenceOutcome, FenceProof, Follow, Following, NodeState, Promote,
    Promotion, Replication, Resource,
};
use dr_core::{Result, Side, async_trait};
use dr_testkit::suite::{Fixture, Lever, Levers, Subject};
use dr_testkit_aws::{Aws, Fault, Options};
use serde_json::json;

use crate::support::{EAST, FENCE, WEST, access, client, connect, cx};

pub(crate) const WRITER: &str = "orders-east";
pub(crate) const SECONDARY: &str = "orders-west";

/// The global database, and the resource that stands for it.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) aws: Arc<Aws>,
    pub(crate) resource: Resource,
}

impl World {
    pub(crate) async fn new() -> Self {
        let aws = Arc::new(Aws::start(Options::new()).await.unwrap());
        let (east, west) = (aws.rds(EAST), aws.rds(WEST));
        let clusters = [east.create_cluster(WRITER).unwrap(), west.create_cluster(SECONDARY).unwrap()];
        aws.create_global_cluster("orders", &[&clusters[0], &clusters[1]]).unwrap();
        east.close_group(FENCE);
        west.close_group(FENCE);
        let config = json!({
            "global_cluster": "orders",
            "sides": {
                EAST: { "cluster": WRITER, "fence": { "security_group": FENCE } },
                WEST: { "cluster": SECONDARY, "fence": { "security_group": FENCE } },
            },
            "aws": access(&aws),
        });
        let resource = connect(&AuroraGlobalBackend, config).await;
        Self { aws, resource }
    }

    pub(crate) fn effect<C: Call>(&self) -> Arc<dyn Effect<C>> {
        self.resource.effect::<C>().unwrap()
    }

    pub(crate) async fn fence(&self, cx: &Cx) -> Result<FenceProof> {
        let call = Fence { side: At::Named(EAST.into()), when_unreachable: None, await_return: false };
        let effect = self.effect::<Fence>();
        let was = effect.prepare(cx, &call).await?;
        match effect.apply(cx, &call, &was).await? {
            FenceOutcome::Confirmed(proof) => Ok(proof),
            FenceOutcome::Accepted(risk) => panic!("a backend accepted a risk: {risk:?}"),
        }
    }

    pub(crate) async fn promote(&self, cx: &Cx, basis: Basis) -> Result<Promotion> {
        let (effect, call) = (self.effect::<Promote>(), promote(Some(basis)));
        let was = effect.prepare(cx, &call).await?;
        effect.apply(cx, &call, &was).await
    }

    pub(crate) async fn follow(&self, cx: &Cx) -> Result<Following> {
        let call = Follow { side: At::Named(EAST.into()), of: At::Named(WEST.into()) };
        let effect = self.effect::<Follow>();
        let was = effect.prepare(cx, &call).await?;
        effect.apply(cx, &call, &was).await
    }

    /// What is seen of a side's one node.
    pub(crate) async fn node(&self, side: &str) -> NodeState {
        let observer = self.resource.observer::<Replication>().unwrap();
        let seen = observer.observe(&cx(Duration::from_secs(10))).await.unwrap();
        seen.leader(&Side::new(side)).unwrap().clone()
    }

    /// How often an action was asked for, and where.
    pub(crate) fn asked(&self, action: &str) -> Vec<String> {
        let calls = self.aws.calls().into_iter().filter(|call| call.action == action);
        calls.map(|call| call.region).collect()
    }
}

pub(crate) fn promote(basis: Option<Basis>) -> Promote {
    Promote { side: At::Named(WEST.into()), accept_loss: None, graceful_for: Duration::from_secs(10), basis }
}

/// Fresh databases for the suites.
#[derive(Debug)]
pub(crate) struct Globals;

#[async_trait]
impl Fixture for Globals {
    async fn fresh(&self) -> Result<Subject> {
        let World { aws, resource } = World::new().await;
        let mut subject = Subject::new(resource, EAST, WEST, Hands { aws });
        subject.patience = Duration::from_secs(16);
        Ok(subject)
    }
}

#[derive(Debug)]
struct Hands {
    aws: Arc<Aws>,
}

#[async_trait]
impl Levers for Hands {
    async fn pull(&self, lever: &Lever) -> bool {
        match lever {
            Lever::Silence(side) => self.aws.lose_region(side.as_str(), Fault::BlackHole),
            Lever::Heal(side) => self.aws.restore_region(side.as_str()),
            _ => return false,
        }
        true
    }

    async fn look(&self) -> Option<String> {
        let mut text = String::new();
        for region in [EAST, WEST] {
            let rds = client(&self.aws, region);
            let clusters = rds.describe_db_clusters().send().await.unwrap();
            for cluster in clusters.db_clusters() {
                let mut tags: Vec<_> =
                    cluster.tag_list().iter().map(|tag| (tag.key(), tag.value())).collect();
                tags.sort();
                text.push_str(&format!(
                    "{:?} {:?} copies {:?} groups {:?} tags {tags:?}\n",
                    cluster.db_cluster_identifier(),
                    cluster.status(),
                    cluster.replication_source_identifier(),
                    cluster.vpc_security_groups(),
                ));
            }
        }
        let global = client(&self.aws, WEST).describe_global_clusters().send().await.unwrap();
        for global in global.global_clusters() {
            text.push_str(&format!("{:?} {:?}\n", global.status(), global.global_cluster_members()));
        }
        Some(text)
    }
}
