//! An instance in us-east-1, its replica in us-west-2, and what can be done to them.

use std::sync::Arc;
use std::time::Duration;

use dr_aws::RdsBackend;
use dr_core::resource::{
    At, Basis, Call, Cx, Effect, Fence, FenceOutcome, FenceProof, NodeState, Promote, Promotion, Replication,
    Resource,
};
use dr_core::{Result, Side, async_trait};
use dr_testkit::suite::{Fixture, Lever, Levers, Subject};
use dr_testkit_aws::{Aws, Fault, Options};
use serde_json::{Value, json};

use crate::support::{EAST, FENCE, WEST, access, client, connect, cx};

pub(crate) const PRIMARY: &str = "orders";
pub(crate) const REPLICA: &str = "orders-dr";

/// The pair, and the resource that stands for it.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) aws: Arc<Aws>,
    pub(crate) resource: Resource,
}

impl World {
    pub(crate) async fn new() -> Self {
        let aws = Arc::new(Aws::start(Options::new()).await.unwrap());
        let primary = aws.rds(EAST).create(PRIMARY).unwrap();
        aws.rds(WEST).replicate(REPLICA, &primary).unwrap();
        for region in [EAST, WEST] {
            aws.rds(region).close_group(FENCE);
        }
        let config = config(&aws);
        Self { resource: connect(&RdsBackend, config).await, aws }
    }

    pub(crate) fn effect<C: Call>(&self) -> Arc<dyn Effect<C>> {
        self.resource.effect::<C>().unwrap()
    }

    pub(crate) async fn fence(&self, cx: &Cx) -> Result<FenceProof> {
        let (effect, call) = (self.effect::<Fence>(), fence());
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

    pub(crate) async fn observe(&self, cx: &Cx) -> Replication {
        self.resource.observer::<Replication>().unwrap().observe(cx).await.unwrap()
    }

    /// What is seen of a side's one node.
    pub(crate) async fn node(&self, side: &str) -> NodeState {
        let seen = self.observe(&cx(Duration::from_secs(10))).await;
        seen.leader(&Side::new(side)).unwrap().clone()
    }

    /// How often an action was asked for.
    pub(crate) fn asked(&self, action: &str) -> usize {
        self.aws.calls().iter().filter(|call| call.action == action).count()
    }
}

pub(crate) fn config(aws: &Aws) -> Value {
    json!({
        "sides": {
            EAST: { "instance": PRIMARY, "fence": { "security_group": FENCE } },
            WEST: { "instance": REPLICA, "fence": { "security_group": FENCE } },
        },
        "aws": access(aws),
    })
}

pub(crate) fn fence() -> Fence {
    Fence { side: At::Named(EAST.into()), when_unreachable: None, await_return: false }
}

pub(crate) fn promote(basis: Option<Basis>) -> Promote {
    Promote { side: At::Named(WEST.into()), accept_loss: None, graceful_for: Duration::from_secs(10), basis }
}

/// Waits until it is so, looking every few milliseconds.
pub(crate) async fn eventually(what: &str, is: impl AsyncFn() -> bool) {
    for _ in 0..2_000 {
        if is().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("not so within ten seconds: {what}");
}

/// Fresh pairs for the suites.
#[derive(Debug)]
pub(crate) struct Pairs;

#[async_trait]
impl Fixture for Pairs {
    async fn fresh(&self) -> Result<Subject> {
        let World { aws, resource } = World::new().await;
        keep_a_copy(&aws, WEST, REPLICA).await;
        let mut subject = Subject::new(resource, EAST, WEST, Hands { aws });
        subject.patience = Duration::from_secs(16);
        Ok(subject)
    }
}

/// Takes a snapshot by hand: of a side without any copy nothing could be known.
async fn keep_a_copy(aws: &Aws, region: &str, of: &str) {
    let rds = client(aws, region);
    let taken = rds.create_db_snapshot().db_instance_identifier(of).db_snapshot_identifier("by-hand").send();
    taken.await.unwrap();
    loop {
        let copies = rds.describe_db_snapshots().db_snapshot_identifier("by-hand").send().await.unwrap();
        let done = copies.db_snapshots().iter().all(|copy| copy.status() == Some("available"));
        if done && aws.rds(region).instance(of).status() == Some("available") {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
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
            Lever::Meddle("fence") => self.aws.rds(EAST).instance(PRIMARY).set_groups(&["sg-somebody-elses"]),
            Lever::CutReplication => self.aws.rds(WEST).instance(REPLICA).set_link(false),
            _ => return false,
        }
        true
    }

    async fn look(&self) -> Option<String> {
        let mut text = String::new();
        for region in [EAST, WEST] {
            text.push_str(&described(&self.aws, region).await);
        }
        Some(text)
    }
}

/// Everything that RDS describes of a region, but for what moves by itself: asked directly, beside the backend.
pub(crate) async fn described(aws: &Aws, region: &str) -> String {
    let rds = client(aws, region);
    let mut text = String::new();
    let instances = rds.describe_db_instances().send().await.unwrap();
    for instance in instances.db_instances() {
        let mut tags: Vec<_> = instance.tag_list().iter().map(|tag| (tag.key(), tag.value())).collect();
        tags.sort();
        text.push_str(&format!(
            "{region} {:?} {:?} of {:?} groups {:?} backups {:?} tags {tags:?}\n",
            instance.db_instance_identifier(),
            instance.db_instance_status(),
            instance.read_replica_source_db_instance_identifier(),
            instance.vpc_security_groups(),
            instance.backup_retention_period(),
        ));
    }
    let snapshots = rds.describe_db_snapshots().snapshot_type("manual").send().await.unwrap();
    for snapshot in snapshots.db_snapshots() {
        text.push_str(&format!(
            "{region} {:?} {:?} {:?}\n",
            snapshot.db_snapshot_identifier(),
            snapshot.status(),
            snapshot.tag_list()
        ));
    }
    text
}
