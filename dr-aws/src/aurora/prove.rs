//! Proving rights from this very seat: `dr ready`. As with `rds`: a change is asked for of something that does not exist.

use std::collections::BTreeSet;

use dr_core::resource::{Cx, Proof, Proves, Wanted};
use dr_core::{Side, async_trait};
use futures_util::future::join_all;

use super::config::SidePlan;
use super::store::Aurora;
use crate::database::reach::soon;
use crate::database::right::Answer;
use crate::database::tags::plain_name;

#[async_trait]
impl Proves for Aurora {
    async fn prove(&self, cx: &Cx, wanted: &[Wanted], gone: Option<&Side>) -> Vec<Proof> {
        let sides = self.plan.sides.iter().filter(|(side, _)| Some(*side) != gone);
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

impl Aurora {
    async fn reads(&self, cx: &Cx, plan: &SidePlan) -> Vec<Proof> {
        let global = self.global_of(&soon(cx), plan).await;
        let looks = [
            (
                "rds:DescribeDBClusters",
                self.present(cx, plan).await.map(|cluster| format!("it is {}", cluster.status)),
            ),
            (
                "rds:DescribeGlobalClusters",
                global.map(|global| format!("it has {} clusters", global.members.len())),
            ),
        ];
        looks
            .into_iter()
            .map(|(right, looked)| {
                let what = format!("{right} on {plan}");
                match looked {
                    Ok(said) => Proof::proven(what, said),
                    Err(error) => Proof::failed(what, &error),
                }
            })
            .collect()
    }

    async fn changes(&self, cx: &Cx, plan: &SidePlan, verbs: &BTreeSet<&str>) -> Vec<Proof> {
        let api = self.api(plan);
        let client = &api.client;
        let nobody = format!("dr-ready-{}", plain_name(cx.run.as_str(), 40));
        if !self.nobody_is_called(cx, plan, &nobody).await {
            let what = format!("the rights to change {plan}");
            return vec![Proof::unknown(what, "RDS did not say that nothing has a name that is made up")];
        }
        let any = |wanted: &[&str]| wanted.iter().any(|verb| verbs.contains(verb));
        let mut proofs = Vec::new();
        let mut note = |right: &str, answer: Answer| {
            proofs.push(answer.proof(format!("{right} in {}", plan.region), &plan.cluster))
        };
        let absent = ["GlobalClusterNotFoundFault"];
        if any(&["promote"]) {
            let asked = api
                .changes("rds:SwitchoverGlobalCluster")
                .ask(cx, || {
                    client
                        .switchover_global_cluster()
                        .global_cluster_identifier(&nobody)
                        .target_db_cluster_identifier(&nobody)
                        .send()
                })
                .await;
            note("rds:SwitchoverGlobalCluster", Answer::of(asked, &absent));
            let asked = api
                .changes("rds:FailoverGlobalCluster")
                .ask(cx, || {
                    client
                        .failover_global_cluster()
                        .global_cluster_identifier(&nobody)
                        .target_db_cluster_identifier(&nobody)
                        .send()
                })
                .await;
            note("rds:FailoverGlobalCluster", Answer::of(asked, &absent));
        }
        if any(&["fence", "unfence"]) {
            let asked = api
                .changes("rds:ModifyDBCluster")
                .ask(cx, || {
                    client.modify_db_cluster().db_cluster_identifier(&nobody).apply_immediately(true).send()
                })
                .await;
            note("rds:ModifyDBCluster", Answer::of(asked, &["DBClusterNotFoundFault"]));
            let asked = api
                .changes("rds:RebootDBInstance")
                .ask(cx, || client.reboot_db_instance().db_instance_identifier(&nobody).send())
                .await;
            note("rds:RebootDBInstance", Answer::of(asked, &["DBInstanceNotFound"]));
        }
        proofs
    }

    /// Whether RDS says that no global database, no cluster and no instance has that name.
    async fn nobody_is_called(&self, cx: &Cx, plan: &SidePlan, name: &str) -> bool {
        let api = self.api(plan);
        let global = api
            .reads("rds:DescribeGlobalClusters")
            .ask(cx, || api.client.describe_global_clusters().global_cluster_identifier(name).send())
            .await;
        let cluster = api
            .reads("rds:DescribeDBClusters")
            .ask(cx, || api.client.describe_db_clusters().db_cluster_identifier(name).send())
            .await;
        global.is_err_and(|error| error.is("GlobalClusterNotFoundFault"))
            && cluster.is_err_and(|error| error.is("DBClusterNotFoundFault"))
            && matches!(api.instance(cx, name).await, Ok(None))
    }
}
