//! How the clusters stand to one another, as RDS and CloudWatch say.

use std::collections::BTreeMap;

use dr_core::resource::{Cx, Hazard, NodeState, Observe, Reach, Replication, Role, SideState};
use dr_core::{Result, Side, async_trait};
use futures_util::future::join_all;

use super::cluster::Cluster;
use super::config::SidePlan;
use super::global::{Global, Member};
use super::store::Aurora;
use crate::database::lag::{Behind, judge};
use crate::database::metric::Metric;
use crate::database::reach::{reach, soon};
use crate::database::status::Condition;
use crate::edge_fence::{Edge as _, Proven};

/// How fresh a secondary's word has to be to call it receiving: samples come every minute, and late.
const RECEIVED_WITHIN: std::time::Duration = std::time::Duration::from_secs(3 * 60);

/// What was seen of one side.
#[derive(Debug)]
enum View {
    /// The cluster, what its samples say, and whether it is proven to be cut off.
    There(Box<Cluster>, Behind, bool),
    /// There is no such cluster.
    Missing,
    /// RDS could not be asked.
    Unseen(Reach),
}

impl Aurora {
    async fn view(&self, cx: &Cx, side: &Side, plan: &SidePlan) -> View {
        let cluster = match self.glance(cx, plan).await {
            Ok(Some(cluster)) => cluster,
            Ok(None) => return View::Missing,
            Err(error) => return View::Unseen(reach(&error)),
        };
        let (behind, fenced) = futures_util::join!(self.behind(cx, plan), self.is_fenced(cx, side, &cluster));
        View::There(Box::new(cluster), behind, fenced)
    }

    /// What a secondary's samples say. Its lag is that of its storage; what it has for certain is told by the lag of the
    /// recovery point, which follows the users' commits, and where that is not measured by the storage's.
    async fn behind(&self, cx: &Cx, plan: &SidePlan) -> Behind {
        let (storage, commits) = futures_util::join!(
            self.samples(cx, plan, "AuroraGlobalDBReplicationLag"),
            self.samples(cx, plan, "AuroraGlobalDBRPOLag")
        );
        let measured = commits.lag.is_some() || commits.has_until.is_some();
        let has_until = if measured { commits.has_until } else { storage.has_until };
        Behind { has_until, ..storage }
    }

    /// CloudWatch keeps them by the cluster, and by the cluster and the region that it copies.
    async fn samples(&self, cx: &Cx, plan: &SidePlan, name: &'static str) -> Behind {
        let own = ("DBClusterIdentifier", plan.cluster.as_str());
        let sources = self.plan.sides.values().filter(|other| other.region != plan.region);
        let by_source = sources.map(|source| vec![own, ("SourceRegion", source.region.as_str())]);
        let soon = &soon(cx);
        let looks = std::iter::once(vec![own]).chain(by_source).map(|of| {
            let metric = Metric { name, of, per_second: 1_000.0 };
            async move { metric.minutes(soon, &self.aws, &plan.region).await }
        });
        let minutes: Vec<_> = join_all(looks).await.into_iter().filter_map(Result::ok).flatten().collect();
        judge(&minutes, cx.now())
    }

    async fn is_fenced(&self, cx: &Cx, side: &Side, cluster: &Cluster) -> bool {
        let Ok(edge) = self.edge(side) else { return false };
        let Some(group) = &edge.side.fence else { return false };
        if !cluster.groups.iter().all(|attached| attached.id == *group) {
            return false;
        }
        let view = edge.look(&soon(cx)).await;
        view.is_ok_and(|view| matches!(view.proves(group), Proven::Fenced { .. }))
    }

    /// What every region says of the global database. Two that answer and disagree about the writer know nothing.
    async fn told(&self, cx: &Cx) -> Option<Global> {
        let soon = &soon(cx);
        let looks = self.plan.sides.values().map(|plan| self.global_of(soon, plan));
        let told: Vec<Global> = join_all(looks).await.into_iter().filter_map(Result::ok).collect();
        let first = told.first()?;
        let writer = |global: &Global| global.writer().map(|member| member.cluster.clone());
        let agree = told.iter().all(|global| writer(global) == writer(first));
        // Whoever tells of a switch that is under way knows more.
        let more = told.iter().find(|global| global.under_way().is_some()).unwrap_or(first);
        agree.then(|| more.clone())
    }
}

#[async_trait]
impl Observe<Replication> for Aurora {
    async fn observe(&self, cx: &Cx) -> Result<Replication> {
        // What was learnt has to be said within the deadline, with one region silent.
        let cx = &cx.within(cx.left().mul_f64(0.9));
        let looks = join_all(self.plan.sides.iter().map(|(side, plan)| self.view(cx, side, plan)));
        let (views, global) = futures_util::join!(looks, self.told(cx));
        let seen: BTreeMap<&Side, View> = self.plan.sides.keys().zip(views).collect();
        let now = cx.now();
        let states = self.plan.sides.iter().map(|(side, plan)| {
            let state = match seen.get(side) {
                Some(View::There(cluster, behind, fenced)) => {
                    let mut node = node(plan, cluster, global.as_ref(), behind, *fenced, now);
                    if node.role == Role::Standby {
                        node.hazards = hazards(plan, cluster, global.as_ref(), &seen);
                    }
                    let writes = global.as_ref().and_then(|global| global.member(&cluster.arn));
                    let strangers = match (writes, &global) {
                        (Some(Member { writer: true, .. }), Some(global)) => self.strangers(global),
                        (_, _) => Vec::new(),
                    };
                    SideState::new(vec![node]).with_strangers(strangers)
                }
                Some(View::Missing) => {
                    let mut node = NodeState::new(&plan.cluster, Reach::Closed);
                    node.role = Role::Stopped;
                    node.writable = Some(false);
                    SideState::new(vec![node])
                }
                Some(View::Unseen(reach)) => SideState::new(vec![NodeState::new(&plan.cluster, *reach)]),
                None => SideState::new(vec![NodeState::new(&plan.cluster, Reach::Unreachable)]),
            };
            (side.clone(), state.managed_by("aurora"))
        });
        Ok(Replication::new(now, states.collect()))
    }
}

impl Aurora {
    /// Clusters of the global database that the plan does not list.
    fn strangers(&self, global: &Global) -> Vec<String> {
        let members = global.members.iter().filter(|member| self.side_of(&member.cluster).is_none());
        members.map(|member| member.cluster.to_string()).collect()
    }
}

fn node(
    plan: &SidePlan,
    cluster: &Cluster,
    global: Option<&Global>,
    behind: &Behind,
    fenced: bool,
    now: dr_core::Timestamp,
) -> NodeState {
    let mut node = NodeState::new(&plan.cluster, Reach::Answers);
    let member = global.and_then(|global| global.member(&cluster.arn));
    node.system = match (global, member) {
        (Some(global), Some(_)) => Some(global.id.clone()),
        // It is a database of its own now, whatever it was.
        (Some(_), None) => Some(cluster.arn.to_string()),
        (None, _) => None,
    };
    if cluster.status.condition() == Condition::Stopped {
        node.reach = Reach::Closed;
        node.role = Role::Stopped;
        node.writable = Some(false);
        return node;
    }
    let Some(global) = global else { return node };
    let settled = global.under_way().is_none();
    match member {
        Some(member) if !member.writer => {
            // While it is being switched it is neither.
            node.role = if global.switches_to(&cluster.arn) { Role::Unknown } else { Role::Standby };
            node.writable = (settled && cluster.status.serves()).then_some(false);
            node.lag = behind.lag;
            node.last_commit = behind.has_until;
            node.receiving = receiving(member, behind, now);
        }
        Some(_) | None => {
            node.role = Role::Primary;
            node.writable = match cluster.status.condition() {
                _ if fenced => Some(false),
                Condition::Serving if settled => Some(true),
                _ => None,
            };
        }
    }
    node
}

fn receiving(member: &Member, behind: &Behind, now: dr_core::Timestamp) -> Option<bool> {
    match member.synchronization.as_deref() {
        Some("pending-resync") => Some(false),
        Some("connected") | None => {
            behind.has_until.filter(|until| now.since(*until) <= RECEIVED_WITHIN).map(|_| true)
        }
        Some(_) => None,
    }
}

/// What would hinder a switch to a secondary, or the service after it. Pure.
fn hazards(
    plan: &SidePlan,
    cluster: &Cluster,
    global: Option<&Global>,
    seen: &BTreeMap<&Side, View>,
) -> Vec<Hazard> {
    let mut hazards = Vec::new();
    let mut add = |code: &str, blocks: bool, message: String| {
        hazards.push(Hazard { code: code.to_owned(), message, blocks });
    };
    if !cluster.status.serves() {
        add("not-available", true, format!("it is {}: wait until it is available", cluster.status));
    }
    if let Some(why) = global.and_then(Global::under_way) {
        add("switch-under-way", true, format!("{why}: wait for its end"));
    }
    match cluster.instances.len() {
        0 => add(
            "no-instance",
            true,
            "the cluster has no instance: a switch to it would serve nobody".to_owned(),
        ),
        1 => add(
            "single-instance",
            false,
            "the cluster has one instance: a lost zone would stop it".to_owned(),
        ),
        _ => {}
    }
    if let Some(fence) = &plan.fence
        && cluster.groups.iter().any(|group| group.id == *fence)
    {
        let message =
            format!("the fence's security group {fence} is attached: it would serve nobody; `unfence` it");
        add("target-is-fenced", true, message);
    }
    let writer = global.and_then(Global::writer);
    let source = seen.values().find_map(|view| match view {
        View::There(source, ..) if writer.is_some_and(|member| member.cluster == source.arn) => Some(source),
        View::There(..) | View::Missing | View::Unseen(_) => None,
    });
    if let Some(source) = source.filter(|source| source.version != cluster.version) {
        let message = format!(
            "it runs {}, the writer {}: Aurora switches only between the same major and minor version",
            cluster.version, source.version
        );
        add("versions-differ", true, message);
    }
    let own = global.and_then(|global| global.member(&cluster.arn));
    if own.is_some_and(|member| member.forwards) {
        let message = "it forwards writes to the writer: they pass by that one's security groups, so an unplanned \
                       run cannot fence it";
        add("write-forwarding", false, message.to_owned());
    }
    hazards
}
