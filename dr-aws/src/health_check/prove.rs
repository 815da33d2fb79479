//! Proof that the check could be changed from here, without changing it.

use std::collections::BTreeMap;
use std::sync::Arc;

use dr_core::resource::{Cx, Proof, Proves, Wanted};
use dr_core::{Region, Side, async_trait};

use super::config::HealthCheckPlan;
use super::standby::Switch;
use crate::asking::Op;
use crate::needs::US_EAST_1;
use crate::route53::{Checks, Road};

/// A version that no check reaches: each change counts one up.
const NO_VERSION: i64 = i64::MAX;

/// Tries what `route` will need.
#[derive(Debug)]
pub(super) struct Proving {
    pub(super) plan: Arc<HealthCheckPlan>,
    pub(super) road: Arc<Road>,
    pub(super) checks: Checks,
    pub(super) switch: Option<Switch>,
    pub(super) sides: BTreeMap<Side, Region>,
}

impl Proving {
    async fn reading(&self, cx: &Cx) -> Proof {
        let what = format!("route53:GetHealthCheck of {}", self.plan.check);
        match self.checks.get(cx, &self.plan.check).await {
            Ok(_) => Proof::proven(what, "answered"),
            Err(error) => Proof::failed(what, &error.into()),
        }
    }

    /// A change on the condition of a version that the check cannot have: who may change it is told so.
    async fn changing(&self, cx: &Cx) -> Proof {
        let what = format!("route53:UpdateHealthCheck of {}", self.plan.check);
        let asked = Op::changes("route53:UpdateHealthCheck")
            .ask(cx, || async {
                self.checks.pace.turn().await;
                self.checks
                    .client
                    .update_health_check()
                    .health_check_id(&self.plan.check)
                    .health_check_version(NO_VERSION)
                    .send()
                    .await
            })
            .await;
        match asked {
            Err(error) if error.is("HealthCheckVersionMismatch") => {
                Proof::proven(what, "authorised: refused for its version alone")
            }
            Err(error) => Proof::failed(what, &error.into()),
            Ok(_) => Proof::unknown(what, "Route 53 took a change for a version that does not exist"),
        }
    }

    /// Nothing that S3 offers proves the right to put this very object without the risk of putting it, which would move
    /// callers; so only reading is tried.
    async fn switching(&self, cx: &Cx, switch: &Switch) -> Vec<Proof> {
        let what = format!("s3:GetObject of {}", switch.object);
        let read = match switch.found(cx).await {
            Ok(Some(_)) => Proof::proven(what, "it is there: callers are sent to the standby"),
            Ok(None) => Proof::proven(what, "it is not there"),
            Err(error) => Proof::failed(what, &error),
        };
        let put = Proof::unknown(
            format!("s3:PutObject and s3:DeleteObject of {}", switch.object),
            "not tried, for putting it moves callers; look with `aws iam simulate-principal-policy`",
        );
        vec![read, put]
    }
}

#[async_trait]
impl Proves for Proving {
    async fn prove(&self, cx: &Cx, wanted: &[Wanted], gone: Option<&Side>) -> Vec<Proof> {
        let routes = wanted.iter().any(|wanted| wanted.verb == "route");
        let lost =
            gone.and_then(|side| self.sides.get(side)).is_some_and(|region| region.as_str() == US_EAST_1);
        let mut proofs = Vec::new();
        if let Some(switch) = &self.switch {
            let there = gone.and_then(|side| self.sides.get(side)) == Some(&switch.object.region);
            if there && routes {
                let why = "it is in the region that is taken for gone: callers stay on the primary";
                proofs.push(Proof::missing(format!("{}", switch.object), why));
            } else if !there {
                proofs.extend(self.switching(cx, switch).await);
            }
            proofs.extend(self.road.answering(cx).await);
            return proofs;
        }
        if lost {
            if routes {
                proofs.push(Proof::missing(
                    format!("route53:UpdateHealthCheck of {}", self.plan.check),
                    format!(
                        "the API of health checks is Route 53's control plane in {US_EAST_1}, which is taken for gone: \
                         callers move only if the check itself sees the loss"
                    ),
                ));
            }
            if !self.plan.name_servers.is_empty() {
                proofs.extend(self.road.answering(cx).await);
            }
            return proofs;
        }
        proofs.push(self.reading(cx).await);
        if routes {
            proofs.push(self.changing(cx).await);
        }
        proofs.extend(self.road.answering(cx).await);
        proofs
    }
}
