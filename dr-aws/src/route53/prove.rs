//! Proof that the entry could be changed from here, without changing it.

use std::sync::Arc;

use aws_sdk_route53::types::{Change, ChangeAction, ChangeBatch};
use dr_core::resource::{Cx, Proof, Proves, Wanted};
use dr_core::{Region, Result, Side, async_trait};
use rand::RngExt;
use rand::rngs::StdRng;

use super::record::{Policy, RecordSet, Target};
use super::road::Road;
use crate::asking::Op;
use crate::dns::Kind;
use crate::needs::US_EAST_1;

/// Tries what `route` will need.
#[derive(Debug)]
pub(super) struct Proving {
    road: Arc<Road>,
    sides: std::collections::BTreeMap<Side, Region>,
}

impl Proving {
    pub(super) fn new(road: Arc<Road>, sides: std::collections::BTreeMap<Side, Region>) -> Self {
        Self { road, sides }
    }

    async fn reading(&self, cx: &Cx) -> Vec<Proof> {
        let what = format!("route53:ListResourceRecordSets of {}", self.road.entry.zone);
        let listed = match self.road.zone.list(cx).await {
            Ok(found) => Proof::proven(what, format!("{} record sets of {}", found.len(), self.road.entry)),
            Err(error) => Proof::failed(what, &error),
        };
        vec![listed]
    }

    /// A made-up change: who may ask is told that there is none.
    async fn watching(&self, cx: &Cx) -> Proof {
        let what = "route53:GetChange".to_owned();
        let asked = Op::reads("route53:GetChange")
            .ask(cx, || async {
                self.road.zone.turn().await;
                self.road.zone.client().get_change().id(format!("C{}", token().to_uppercase())).send().await
            })
            .await;
        match asked {
            Ok(_) => Proof::proven(what, "answered"),
            Err(error) if error.is_not_found() => Proof::proven(what, "authorised: there is no such change"),
            Err(error) => Proof::failed(what, &error.into()),
        }
    }

    /// A batch that Route 53 authorises and then cannot carry out: it deletes a record set of the entry's own name and
    /// type, with an identifier that was drawn just now. All of a batch is done or nothing, and nobody can have made a
    /// set of that identifier; a policy that allows only this name, type or these actions is tried as it is.
    async fn changing(&self, cx: &Cx) -> Proof {
        let what = format!("route53:ChangeResourceRecordSets of {}", self.road.entry);
        let batch = match self.impossible() {
            Ok(batch) => batch,
            Err(error) => return Proof::unknown(what, error.chain()),
        };
        let asked = Op::changes("route53:ChangeResourceRecordSets")
            .ask(cx, || async {
                self.road.zone.turn().await;
                self.road
                    .zone
                    .client()
                    .change_resource_record_sets()
                    .hosted_zone_id(&self.road.entry.zone)
                    .change_batch(batch.clone())
                    .send()
                    .await
            })
            .await;
        match asked {
            Err(error) if error.is("InvalidChangeBatch") => Proof::proven(
                what,
                "authorised: a batch that cannot be carried out was refused for that alone",
            ),
            Err(error) => Proof::failed(what, &error.into()),
            Ok(_) => Proof::unknown(
                what,
                "Route 53 took a batch that deletes what does not exist; look at the record before anything else",
            ),
        }
    }

    fn impossible(&self) -> Result<ChangeBatch> {
        let entry = &self.road.entry;
        let value = match entry.kind {
            Kind::A => "192.0.2.1",
            Kind::Aaaa => "2001:db8::1",
            Kind::Cname => "dr-proof.invalid",
        };
        let set = RecordSet {
            name: entry.name.clone(),
            kind: entry.kind,
            set_identifier: Some(format!("dr-proof-{}", token())),
            policy: Policy::Weighted(0),
            health_check: None,
            target: Target::Values { ttl: 60, values: vec![value.to_owned()] },
        }
        .to_sdk()?;
        let unmade = |error: aws_smithy_types::error::operation::BuildError| {
            dr_core::Error::invalid("the proof cannot be written").because(error)
        };
        let mut batch = ChangeBatch::builder().comment("dr: proves the right to change, changes nothing");
        for action in [ChangeAction::Delete, ChangeAction::Create] {
            let change = Change::builder().action(action).resource_record_set(set.clone()).build();
            batch = batch.changes(change.map_err(unmade)?);
        }
        batch.build().map_err(unmade)
    }
}

#[async_trait]
impl Proves for Proving {
    async fn prove(&self, cx: &Cx, wanted: &[Wanted], gone: Option<&Side>) -> Vec<Proof> {
        let routes = wanted.iter().any(|wanted| wanted.verb == "route");
        let lost =
            gone.and_then(|side| self.sides.get(side)).is_some_and(|region| region.as_str() == US_EAST_1);
        if lost {
            // Nothing is asked there: the answer is what a run without it could count on.
            let mut proofs: Vec<Proof> = Vec::new();
            if routes {
                proofs.push(Proof::missing(
                    format!("route53:ChangeResourceRecordSets of {}", self.road.entry),
                    format!(
                        "Route 53's control plane is in {US_EAST_1}, which is taken for gone: no record can be changed; \
                         a standby that takes over needs only its own region (kind route53-health-check)"
                    ),
                ));
            }
            if self.road.zone.names_its_servers() {
                proofs.extend(self.road.answering(cx).await);
            }
            return proofs;
        }
        let mut proofs = self.reading(cx).await;
        if routes {
            proofs.push(self.changing(cx).await);
            proofs.push(self.watching(cx).await);
        }
        proofs.extend(self.road.answering(cx).await);
        proofs
    }
}

/// Twenty letters and digits that nobody has used before.
fn token() -> String {
    let mut rng: StdRng = rand::make_rng();
    (0..20).map(|_| char::from(b"0123456789abcdefghijklmnopqrstuvwxyz"[rng.random_range(0..36)])).collect()
}
