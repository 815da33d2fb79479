//! What of a plan's needs can be proven without changing a node group.

use dr_core::resource::{Call, Cx, Proof, Proves, Scale, Wanted};
use dr_core::{Error, Side, async_trait};

use super::group::Group;
use super::nodes::Nodes;
use crate::together::{each, unoffered};

/// What makes a group's name that of one that is nowhere: a change that is allowed finds nothing to change.
const NOWHERE: &str = "-dr-ready";

const SCALE: &str = <Scale as Call>::VERB;

#[async_trait]
impl Proves for Nodes {
    async fn prove(&self, cx: &Cx, wanted: &[Wanted], gone: Option<&Side>) -> Vec<Proof> {
        let gone_region =
            gone.and_then(|side| self.plan.sides.get(side)).map(|cluster| cluster.region.clone());
        let there = |side: &&Side| {
            let region = self.plan.sides.get(*side).map(|cluster| cluster.region.clone());
            Some(*side) != gone && (gone_region.is_none() || region != gone_region)
        };
        let sides: Vec<&Side> = self.plan.sides.keys().filter(there).collect();
        let scales = |side: &Side| {
            wanted
                .iter()
                .any(|wanted| wanted.verb == SCALE && wanted.side.as_ref().is_none_or(|on| on == side))
        };
        let proving = sides.into_iter().map(|side| self.prove_side(cx, side, scales(side))).collect();
        each(proving).await.into_iter().flatten().chain(unoffered(wanted, &[SCALE])).collect()
    }
}

impl Nodes {
    async fn prove_side(&self, cx: &Cx, side: &Side, scales: bool) -> Vec<Proof> {
        let mut proofs = Vec::new();
        for group in self.groups(side).unwrap_or_default() {
            proofs.push(group.proves_reading(cx, side).await);
            if scales {
                proofs.push(group.proves_changing(cx, side).await);
            }
        }
        proofs
    }
}

impl Group {
    async fn proves_reading(&self, cx: &Cx, side: &Side) -> Proof {
        let what = format!("eks:DescribeNodegroup on {} ({side})", self.shown());
        match self.look(cx).await {
            Ok(seen) => Proof::proven(what, format!("it is {}, with {} nodes", seen.status, seen.sizes)),
            Err(error) => Proof::failed(what, &error),
        }
    }

    /// EKS has no dry run. A change of a node group that does not exist is authorised first and then finds nothing;
    /// a policy that names this one group alone is not seen by it.
    async fn proves_changing(&self, cx: &Cx, side: &Side) -> Proof {
        let what = format!("eks:UpdateNodegroupConfig in {} ({side})", self.cluster.name);
        let nowhere: String = self.name.chars().take(50).chain(NOWHERE.chars()).collect();
        let eks = self.aws.eks(&self.cluster.region);
        let asked = self
            .changes("eks:UpdateNodegroupConfig")
            .ask(cx, || {
                eks.update_nodegroup_config().cluster_name(&self.cluster.name).nodegroup_name(&nowhere).send()
            })
            .await;
        match asked {
            Ok(_) => Proof::unknown(what, format!("there is a node group called {nowhere}: rename it")),
            Err(error) if error.is_not_found() => Proof::proven(
                what,
                format!("asked of {nowhere}, which does not exist: allowed, and nothing to do"),
            ),
            // Who may not ask is told so before the request is looked at.
            Err(error) if error.is("InvalidParameterException") || error.is("InvalidRequestException") => {
                Proof::proven(
                    what,
                    format!("a request that changes nothing was allowed, and judged: {error}"),
                )
            }
            Err(error) if error.is_denied() => Proof::missing(
                what,
                format!(
                    "denied for {nowhere}, which does not exist ({error}); whether it is allowed for {} alone shows: \
                     aws iam simulate-principal-policy --action-names eks:UpdateNodegroupConfig",
                    self.name
                ),
            ),
            Err(error) => Proof::failed(what, &Error::from(error)),
        }
    }
}
