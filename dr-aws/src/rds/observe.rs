//! How the instances stand to one another, as RDS and CloudWatch say.

use std::collections::BTreeMap;

use dr_core::resource::{Cx, NodeState, Observe, Reach, Replication, Role, SideState};
use dr_core::time::Timestamp;
use dr_core::{Result, Side, async_trait};
use futures_util::future::join_all;

use super::config::SidePlan;
use super::hazards;
use super::store::Rds;
use crate::database::instance::Instance;
use crate::database::lag::{Behind, judge};
use crate::database::metric::Metric;
use crate::database::note::Note;
use crate::database::reach::{reach, soon};
use crate::database::status::Condition;
use crate::edge_fence::Proven;

/// How fresh a replica's word has to be to call it receiving. An idle PostgreSQL on RDS commits at least every five
/// minutes, and a sample is up to two minutes late.
const RECEIVED_WITHIN: std::time::Duration = std::time::Duration::from_secs(7 * 60);

/// What was seen of one side.
#[derive(Debug)]
pub(super) enum View {
    /// The instance.
    There {
        /// As RDS describes it.
        instance: Box<Instance>,
        /// What its samples say, if it is a replica.
        behind: Behind,
        /// Whether it is proven to be cut off.
        fenced: bool,
    },
    /// There is no such instance.
    Missing,
    /// RDS could not be asked.
    Unseen(Reach),
}

impl Rds {
    async fn view(&self, cx: &Cx, side: &Side, plan: &SidePlan) -> View {
        let instance = match self.glance(cx, plan).await {
            Ok(Some(instance)) => instance,
            Ok(None) => return View::Missing,
            Err(error) => return View::Unseen(reach(&error)),
        };
        let (behind, fenced) =
            futures_util::join!(self.behind(cx, plan, &instance), self.is_fenced(cx, side, &instance));
        View::There { instance: Box::new(instance), behind, fenced }
    }

    /// What a replica's samples say; nothing, where they could not be read.
    pub(super) async fn behind(&self, cx: &Cx, plan: &SidePlan, instance: &Instance) -> Behind {
        if !instance.is_replica() {
            return Behind::default();
        }
        let minutes = replica_lag(&instance.name).minutes(&soon(cx), &self.aws, &plan.region).await;
        let mut behind = minutes.map(|minutes| judge(&minutes, cx.now())).unwrap_or_default();
        if !instance.is_postgres() {
            // Seconds_Behind_Source counts from what was received, not from what was committed: zero on a cut line.
            behind.has_until = None;
        }
        behind
    }

    async fn is_fenced(&self, cx: &Cx, side: &Side, instance: &Instance) -> bool {
        let Ok(edge) = self.edge(side) else { return false };
        let Some(group) = &edge.side.fence else { return false };
        if !instance.groups.iter().all(|attached| attached.id == *group) {
            return false;
        }
        let view = edge.view(&soon(cx), instance.clone()).await;
        view.is_ok_and(|view| matches!(view.proves(group), Proven::Fenced { .. }))
    }
}

#[async_trait]
impl Observe<Replication> for Rds {
    async fn observe(&self, cx: &Cx) -> Result<Replication> {
        // What was learnt has to be said within the deadline, with one region silent.
        let cx = &cx.within(cx.left().mul_f64(0.9));
        let looks = self.plan.sides.iter().map(|(side, plan)| self.view(cx, side, plan));
        let seen: BTreeMap<&Side, View> = self.plan.sides.keys().zip(join_all(looks).await).collect();
        let now = cx.now();
        let states = self.plan.sides.iter().map(|(side, plan)| {
            let state = match seen.get(side) {
                Some(View::There { instance, behind, fenced }) => {
                    let mut node = node(plan, instance, behind, *fenced, now);
                    node.hazards = hazards::find(plan, instance, &seen);
                    SideState::new(vec![node]).with_strangers(self.strangers(plan, instance))
                }
                Some(View::Missing) => SideState::new(vec![missing(plan)]),
                Some(View::Unseen(reach)) => SideState::new(vec![NodeState::new(&plan.instance, *reach)]),
                None => SideState::new(vec![NodeState::new(&plan.instance, Reach::Unreachable)]),
            };
            (side.clone(), state.managed_by("rds"))
        });
        Ok(Replication::new(now, states.collect()))
    }
}

impl Rds {
    /// Replicas of an instance that the plan neither lists as sides nor as readers.
    fn strangers(&self, plan: &SidePlan, instance: &Instance) -> Vec<String> {
        let known = |name: &str| plan.readers.iter().any(|reader| reader == name);
        instance
            .replicas
            .iter()
            .filter(|replica| self.side_of(replica).is_none() && !known(&replica.name))
            .map(ToString::to_string)
            .collect()
    }
}

/// The age of the last transaction that a replica replayed.
pub(super) fn replica_lag(instance: &str) -> Metric<'_> {
    Metric { name: "ReplicaLag", of: vec![("DBInstanceIdentifier", instance)], per_second: 1.0 }
}

fn missing(plan: &SidePlan) -> NodeState {
    let mut node = NodeState::new(&plan.instance, Reach::Closed);
    node.role = Role::Stopped;
    node.writable = Some(false);
    node
}

fn node(plan: &SidePlan, instance: &Instance, behind: &Behind, fenced: bool, now: Timestamp) -> NodeState {
    let mut node = NodeState::new(&plan.instance, Reach::Answers);
    // The copies of one instance share its ARN: each replica says of what it is one, also while that is silent.
    node.system = Some(instance.source.as_ref().unwrap_or(&instance.arn).to_string());
    if instance.status.condition() == Condition::Stopped {
        node.reach = Reach::Closed;
        node.role = Role::Stopped;
        node.writable = Some(false);
        return node;
    }
    if instance.is_replica() {
        let serves = instance.status.serves();
        let asked = !matches!(Note::read(&instance.tags), Ok(None));
        // A promotion that was asked for shows as `modifying` and `rebooting`, and as a replica until its end.
        node.role = if serves || !asked { Role::Standby } else { Role::Unknown };
        node.writable = serves.then_some(false);
        node.receiving = receiving(instance, behind, now);
        node.lag = behind.lag;
        node.last_commit = behind.has_until;
    } else {
        node.role = Role::Primary;
        node.writable = match instance.status.condition() {
            _ if fenced => Some(false),
            Condition::Serving => Some(true),
            Condition::Changing | Condition::Broken | Condition::Stopped | Condition::Unknown => None,
        };
    }
    node
}

/// RDS's own word may be old: it counts while what the replica applied is fresh, and while no newer sample says that
/// replication stands still. Without the latter a lost region's silence could not be accepted for seven minutes.
fn receiving(instance: &Instance, behind: &Behind, now: Timestamp) -> Option<bool> {
    if behind.is_stopped {
        return Some(false);
    }
    match instance.replication.as_ref().map(|(word, normal)| (word.as_str(), *normal)) {
        Some(("error" | "stopped" | "terminated", _)) => Some(false),
        Some(("replicating", true)) | None => {
            let fresh = match behind.has_until {
                Some(until) => now.since(until) <= RECEIVED_WITHIN,
                None => behind.lag.is_some_and(|lag| lag <= RECEIVED_WITHIN),
            };
            fresh.then_some(true)
        }
        Some(_) => None,
    }
}
