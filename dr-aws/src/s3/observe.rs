//! What the buckets are like: who replicates to whom, how far behind, and from what can be restored.

use std::collections::BTreeMap;

use aws_sdk_s3::types::{ReplicationConfiguration, ReplicationStatus};
use dr_core::resource::{
    Copies, CopyState, Cx, Hazard, NodeState, Observe, Reach, Replication, Role, SideState,
};
use dr_core::{Error, ErrorKind, Result, Side, async_trait};

use super::buckets::{Buckets, Place};
use super::lag::behind;
use super::rules::{Rules, blocking, judge};
use crate::together::each;

/// What one bucket says of itself.
struct Read {
    versions: Result<bool>,
    rules: Result<Option<ReplicationConfiguration>>,
}

impl Read {
    fn reach(&self) -> Reach {
        match self.versions.as_ref().err().or(self.rules.as_ref().err()).map(Error::kind) {
            None => Reach::Answers,
            // An API that gives no answer is no sign of life: one that was would forbid accepting a lost region's silence.
            Some(ErrorKind::Unreachable | ErrorKind::Timeout) => Reach::Unreachable,
            Some(ErrorKind::Hung) => Reach::Hung,
            Some(ErrorKind::Unauthorized) => Reach::Denied,
            Some(_) => Reach::Answers,
        }
    }
}

async fn read(cx: &Cx, place: Place<'_>) -> Read {
    let (versions, rules) = futures_util::future::join(place.keeps_versions(cx), place.rules(cx)).await;
    Read { versions, rules }
}

impl Buckets {
    /// Every side, as far as it can be read, and its node.
    async fn nodes(&self, cx: &Cx) -> BTreeMap<&Side, NodeState> {
        let places = self.places();
        let read = each(places.iter().map(|place| read(cx, *place)).collect()).await;
        let all: Vec<(Place<'_>, Read)> = places.into_iter().zip(read).collect();
        let nodes = each(all.iter().map(|(place, read)| self.node(cx, *place, read, &all)).collect()).await;
        all.iter().map(|(place, _)| place.side).zip(nodes).collect()
    }

    async fn node(&self, cx: &Cx, place: Place<'_>, own: &Read, all: &[(Place<'_>, Read)]) -> NodeState {
        let mut node = NodeState::new(place.shown(), own.reach());
        for error in [own.versions.as_ref().err(), own.rules.as_ref().err()].into_iter().flatten() {
            node.hazards.push(blocking("bucket-unreadable", error.to_string()));
        }
        if let Ok(false) = own.versions {
            let text =
                format!("{} keeps no versions: it can neither be replicated nor restored", place.shown());
            node.hazards.push(blocking("versioning-off", text));
        }
        if node.reach != Reach::Answers || own.versions.is_err() {
            return node;
        }
        let others: Vec<&(Place<'_>, Read)> =
            all.iter().filter(|(other, _)| other.side != place.side).collect();
        let into: Vec<(&Place<'_>, &Read, Option<Rules>)> = others
            .iter()
            .map(|(from, read)| {
                let rules = read.rules.as_ref().ok();
                (from, read, rules.map(|rules| judge(&self.plan, rules.as_ref(), &place.bucket.name)))
            })
            .collect();
        let source = into.iter().find_map(|(from, read, rules)| {
            rules.as_ref().filter(|rules| rules.rule.is_some()).map(|rules| (*from, *read, rules))
        });
        let sends = own.rules.as_ref().is_ok_and(|rules| {
            others.iter().any(|(to, _)| judge(&self.plan, rules.as_ref(), &to.bucket.name).rule.is_some())
        });
        match source {
            Some((from, read, rules)) => {
                node.role = Role::Standby;
                node.hazards.extend(rules.hazards.iter().cloned());
                if let Ok(false) = read.versions {
                    let text = format!("{} keeps no versions, so nothing of it is replicated", from.shown());
                    node.hazards.push(blocking("versioning-off", text));
                }
                node.receiving = read.versions.as_ref().ok().map(|keeps| *keeps && !blocked(&node.hazards));
                let behind = behind(cx, &self.plan, from, &place, rules).await;
                node.lag = behind.lag;
                node.hazards.extend(behind.hazards);
            }
            None if sends => node.role = Role::Primary,
            None => {
                // Somebody's rules cannot be read: what is here tells whether it is a copy.
                if into.iter().any(|(_, _, rules)| rules.is_none()) {
                    node.role = if holds_replicas(cx, &self.plan.own(), &place).await {
                        Role::Standby
                    } else {
                        Role::Unknown
                    };
                } else {
                    node.receiving = Some(false);
                    let hazards = into.iter().filter_map(|(_, _, rules)| rules.as_ref());
                    node.hazards.extend(hazards.flat_map(|rules| rules.hazards.iter().cloned()));
                }
            }
        }
        node
    }
}

fn blocked(hazards: &[Hazard]) -> bool {
    hazards.iter().any(|hazard| hazard.blocks)
}

/// Whether the first object says that it is a replica.
async fn holds_replicas(cx: &Cx, own: &str, place: &Place<'_>) -> bool {
    let s3 = place.s3();
    let listed = place
        .reads("s3:ListBucket")
        .ask(cx, || s3.list_objects_v2().bucket(&place.bucket.name).max_keys(10).send())
        .await;
    let Ok(listed) = listed else { return false };
    let first = listed.contents().iter().filter_map(|object| object.key()).find(|key| !key.starts_with(own));
    let Some(key) = first else { return false };
    let head = place
        .reads("s3:GetObject")
        .ask(cx, || s3.head_object().bucket(&place.bucket.name).key(key).send())
        .await;
    head.is_ok_and(|head| head.replication_status == Some(ReplicationStatus::Replica))
}

#[async_trait]
impl Observe<Replication> for Buckets {
    /// A bucket takes writes from whoever has the right, whatever is replicated: whether one is writable is not said.
    async fn observe(&self, cx: &Cx) -> Result<Replication> {
        let nodes = self.nodes(cx).await;
        let sides = nodes
            .into_iter()
            .map(|(side, node)| (side.clone(), SideState::new(vec![node]).managed_by("S3 replication")))
            .collect();
        Ok(Replication::new(cx.now(), sides))
    }
}

#[async_trait]
impl Observe<Copies> for Buckets {
    /// A bucket that keeps versions is a copy of itself at every moment that they reach back to; the others are copies
    /// of it as far as replication has come.
    async fn observe(&self, cx: &Cx) -> Result<Copies> {
        let nodes = self.nodes(cx).await;
        let now = cx.now();
        let mut sides = BTreeMap::new();
        for (side, node) in &nodes {
            if node.reach != Reach::Answers {
                sides.insert((*side).clone(), None);
                continue;
            }
            let copies = nodes.iter().map(|(from, other)| {
                let off = other.hazards.iter().any(|hazard| hazard.code == "versioning-off");
                let read = other.reach == Reach::Answers;
                let taken = match other.role {
                    Role::Standby => other.lag.map(|lag| now.minus(lag)),
                    Role::Primary | Role::Stopped | Role::Unknown => read.then_some(now),
                };
                let taken = if from == side { Some(now) } else { taken };
                let state = match (read, off) {
                    (false, _) => "cannot be read",
                    (true, true) => "keeps no versions",
                    (true, false) => "every moment that its versions reach back to",
                };
                CopyState::new(from.as_str(), other.node.clone(), taken.filter(|_| read))
                    .in_state(state, read && !off)
            });
            sides.insert((*side).clone(), Some(copies.collect()));
        }
        Ok(Copies::new(now, sides))
    }
}
