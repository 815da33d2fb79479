//! Proving rights from this very seat: `dr ready`.
//!
//! RDS has no dry run. A right to read is proven by reading. A right to change is proven by asking for the change of an
//! instance that does not exist: who may not is told so, who may is told that there is none. A policy that names single
//! instances alone refuses that name too, and then the answer says so; no proof is better than a wrong one.

use std::collections::BTreeSet;

use dr_core::resource::{Cx, Proof, Proves, Wanted};
use dr_core::{Side, async_trait};
use futures_util::future::join_all;

use super::config::SidePlan;
use super::observe::replica_lag;
use super::store::Rds;
use crate::database::reach::soon;
use crate::database::right::Answer;
use crate::database::tags::plain_name;

#[async_trait]
impl Proves for Rds {
    async fn prove(&self, cx: &Cx, wanted: &[Wanted], gone: Option<&Side>) -> Vec<Proof> {
        let lost = gone.and_then(|side| self.plan.sides.get(side)).map(|plan| &plan.region);
        let sides =
            self.plan.sides.iter().filter(|(side, plan)| Some(*side) != gone && Some(&plan.region) != lost);
        let proofs = sides.map(|(side, plan)| async move {
            let verbs: BTreeSet<&str> = wanted
                .iter()
                .filter(|wanted| wanted.side.as_ref().is_none_or(|of| of == side))
                .map(|wanted| wanted.verb.as_str())
                .collect();
            let mut proofs = self.reads(cx, plan).await;
            proofs.extend(self.changes(cx, plan, &verbs).await);
            proofs
        });
        join_all(proofs).await.into_iter().flatten().collect()
    }
}

impl Rds {
    async fn reads(&self, cx: &Cx, plan: &SidePlan) -> Vec<Proof> {
        let what = |right: &str| format!("{right} on {plan}");
        let instance = match self.glance(cx, plan).await {
            Ok(Some(instance)) => instance,
            Ok(None) => {
                return vec![Proof::missing(
                    what("rds:DescribeDBInstances"),
                    "it answers that there is no such instance",
                )];
            }
            Err(error) => {
                return vec![Proof::failed(what("rds:DescribeDBInstances"), &error)];
            }
        };
        let said = format!(
            "it is {} ({})",
            instance.status,
            if instance.is_replica() { "a replica" } else { "a primary" }
        );
        let name = &instance.name;
        let minutes = replica_lag(name).minutes(&soon(cx), &self.aws, &plan.region).await;
        let right = what("cloudwatch:GetMetricStatistics");
        let metric = match minutes {
            Ok(minutes) if minutes.is_empty() && instance.is_replica() => {
                Proof::unknown(right, "it answers, and has no sample of the replica's lag")
            }
            Ok(_) => Proof::proven(right, "it answers"),
            Err(error) => Proof::failed(right, &error),
        };
        vec![Proof::proven(what("rds:DescribeDBInstances"), said), metric]
    }

    async fn changes(&self, cx: &Cx, plan: &SidePlan, verbs: &BTreeSet<&str>) -> Vec<Proof> {
        let api = self.api(&plan.region);
        let (client, region) = (&api.client, &plan.region);
        let nobody = format!("dr-ready-{}", plain_name(cx.run.as_str(), 40));
        if !matches!(api.instance(cx, &nobody).await, Ok(None)) {
            let what = format!("the rights to change {plan}");
            return vec![Proof::unknown(
                what,
                "RDS did not say that there is no instance of a name that is made up",
            )];
        }
        let mut proofs = Vec::new();
        let mut note = |right: &str, answer: Answer| {
            proofs.push(answer.proof(format!("{right} in {region}"), &plan.instance))
        };
        let absent = ["DBInstanceNotFound"];
        let any = |wanted: &[&str]| wanted.iter().any(|verb| verbs.contains(verb));
        if any(&["promote"]) {
            let asked = api
                .changes("rds:PromoteReadReplica")
                .ask(cx, || client.promote_read_replica().db_instance_identifier(&nobody).send())
                .await;
            note("rds:PromoteReadReplica", Answer::of(asked, &absent));
        }
        if any(&["fence", "unfence", "follow"]) {
            let asked = api
                .changes("rds:ModifyDBInstance")
                .ask(cx, || {
                    client.modify_db_instance().db_instance_identifier(&nobody).apply_immediately(true).send()
                })
                .await;
            note("rds:ModifyDBInstance", Answer::of(asked, &absent));
        }
        if any(&["fence"]) {
            let asked = api
                .changes("rds:RebootDBInstance")
                .ask(cx, || client.reboot_db_instance().db_instance_identifier(&nobody).send())
                .await;
            note("rds:RebootDBInstance", Answer::of(asked, &absent));
            let asked =
                api.reads("rds:DescribeEvents").ask(cx, || client.describe_events().duration(5).send()).await;
            note("rds:DescribeEvents", Answer::of(asked, &[]));
        }
        if any(&["backup"]) {
            let asked = api
                .changes("rds:CreateDBSnapshot")
                .ask(cx, || {
                    client
                        .create_db_snapshot()
                        .db_instance_identifier(&nobody)
                        .db_snapshot_identifier(&nobody)
                        .send()
                })
                .await;
            note("rds:CreateDBSnapshot", Answer::of(asked, &absent));
        }
        if any(&["restore"]) {
            let asked = api
                .changes("rds:RestoreDBInstanceFromDBSnapshot")
                .ask(cx, || {
                    client
                        .restore_db_instance_from_db_snapshot()
                        .db_instance_identifier(&nobody)
                        .db_snapshot_identifier(&nobody)
                        .send()
                })
                .await;
            note("rds:RestoreDBInstanceFromDBSnapshot", Answer::of(asked, &["DBSnapshotNotFound"]));
        }
        if any(&["follow"]) {
            let asked = api
                .changes("rds:CreateDBInstanceReadReplica")
                .ask(cx, || {
                    client
                        .create_db_instance_read_replica()
                        .db_instance_identifier(&nobody)
                        .source_db_instance_identifier(format!("{nobody}-source"))
                        .send()
                })
                .await;
            note("rds:CreateDBInstanceReadReplica", Answer::of(asked, &absent));
        }
        proofs
    }
}
