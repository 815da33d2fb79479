//! Proof, from this very seat, of every right that the plan needs, asked of the server itself.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use dr_core::resource::{Cx, Proof, Proves, Wanted};
use dr_core::{Side, async_trait};
use futures_util::{FutureExt, StreamExt, stream};
use serde::Deserialize;
use serde_json::json;

use crate::cluster::{AT_ONCE, Cluster, Write};
use crate::permissions::{self, Permission};
use crate::side::Sides;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Review {
    status: ReviewStatus,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ReviewStatus {
    allowed: bool,
    reason: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Version {
    git_version: String,
}

#[async_trait]
impl Proves for Sides {
    async fn prove(&self, cx: &Cx, wanted: &[Wanted], gone: Option<&Side>) -> Vec<Proof> {
        let mut unknown = Vec::new();
        let mut rights: BTreeMap<&Side, BTreeSet<Permission>> = BTreeMap::new();
        for wanted in wanted {
            for side in self.clusters.keys().filter(|side| Some(*side) != gone) {
                if wanted.side.as_ref().is_none_or(|wanted| wanted == side) {
                    if !knows(&wanted.verb) {
                        let what = format!("`{}` on {side}", wanted.verb);
                        unknown.push(Proof::missing(what, "kind kubernetes has no such verb"));
                        continue;
                    }
                    rights.entry(side).or_default().extend(permissions::of(&self.config, &wanted.verb));
                }
            }
        }
        let mut work = Vec::new();
        for (side, rights) in rights {
            let Some(cluster) = self.clusters.get(side).map(Arc::clone) else { continue };
            work.push(async move { of_side(cx, &cluster, rights).await }.boxed());
        }
        let proofs: Vec<Vec<Proof>> = stream::iter(work).buffered(AT_ONCE).collect().await;
        unknown.extend(proofs.concat());
        unknown
    }
}

fn knows(verb: &str) -> bool {
    verb == "observe" || crate::backend::VERBS.contains(&verb)
}

async fn of_side(cx: &Cx, cluster: &Cluster, rights: BTreeSet<Permission>) -> Vec<Proof> {
    let what = format!("the API server of {}", cluster.side);
    let version = match cx.bound("prove", cluster.get::<Version>(cx, "/version")).await {
        Ok(version) => version.git_version,
        Err(error) => return vec![Proof::unknown(what, error.chain())],
    };
    let mut proofs = vec![Proof::proven(what, format!("it answers, version {version}"))];
    let reviewed: Vec<_> = rights.into_iter().map(|right| review(cx, cluster, right).boxed()).collect();
    proofs.extend(stream::iter(reviewed).buffered(AT_ONCE).collect::<Vec<_>>().await.into_iter().flatten());
    proofs
}

async fn review(cx: &Cx, cluster: &Cluster, right: Permission) -> Option<Proof> {
    let place = if right.cluster_wide { "the cluster" } else { &cluster.namespace };
    let what = format!("{right} in {place} ({})", cluster.side);
    if right.optional && !is_offered(cx, cluster, &right).await {
        return None;
    }
    let namespace = (!right.cluster_wide).then_some(&cluster.namespace);
    let body = json!({
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": { "resourceAttributes": {
            "namespace": namespace,
            "verb": right.verb,
            "group": right.group,
            "resource": right.resource,
            "subresource": right.subresource.unwrap_or_default(),
        } },
    });
    let write = Write::post("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", &body);
    let reviewed = cx.bound("prove", cluster.write::<Review>(cx, &write)).await;
    Some(match reviewed {
        Ok(review) if review.status.allowed => Proof::proven(what, "allowed"),
        Ok(_) if right.optional => {
            Proof::unknown(what, "not allowed; it goes on without, and knows less of nodes and owners")
        }
        Ok(review) => {
            let why = if review.status.reason.is_empty() {
                String::new()
            } else {
                format!(" ({})", review.status.reason)
            };
            let grant = if right.cluster_wide { "ClusterRole" } else { "Role" };
            Proof::missing(
                what,
                format!("not allowed{why}: grant it in a {grant} that is bound to this account"),
            )
        }
        Err(error) => Proof::unknown(what, error.chain()),
    })
}

/// Whether the server has anything of the kind at all; where it cannot be asked, yes.
async fn is_offered(cx: &Cx, cluster: &Cluster, right: &Permission) -> bool {
    match cluster.served(cx, &right.group).await {
        Ok(served) => served.find(&right.resource, &[]).is_some(),
        Err(_) => true,
    }
}
