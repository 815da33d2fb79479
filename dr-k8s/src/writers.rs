//! What can write in a namespace: workloads, CronJobs, their Jobs, and every pod of theirs. Looked at for a fence.

use std::collections::{BTreeMap, BTreeSet};

use dr_core::Result;
use dr_core::resource::Cx;

use crate::cluster::Cluster;
use crate::config::{CronJobs, Selection};
use crate::discovery::Kind;
use crate::fleet::{Fleet, Name};
use crate::objects::{CronJob, Job, Pod};
use crate::pods::pods;
use crate::side::Sides;
use crate::state::is_running;
use crate::trouble::workload_of;

/// Everything that can write, and what is left of it.
pub(crate) struct Writers {
    pub(crate) fleet: Fleet,
    /// The CronJobs that the fence covers, and their kind on this server.
    pub(crate) cronjobs: BTreeMap<String, CronJob>,
    pub(crate) cronjob_kind: Option<Kind>,
    jobs: Vec<Job>,
    pods: Vec<Pod>,
    /// Workloads that KEDA may raise from zero.
    raised: BTreeSet<String>,
    /// Whether whatever else runs in the namespace is a writer too.
    everything: bool,
    except: BTreeSet<String>,
}

impl Sides {
    /// Looks at all of them.
    pub(crate) async fn writers(&self, cx: &Cx, cluster: &Cluster) -> Result<Writers> {
        let config = &self.config;
        let mut fleet = Fleet::look(cx, cluster, &config.kinds, &config.workloads).await?;
        fleet.members.retain(|name, _| !config.fence.except.contains(&name.to_string()));
        let kind = cluster.cronjobs(cx).await?;
        let mut cronjobs = BTreeMap::new();
        if let (Some(kind), true) = (&kind, config.fence.cronjobs != CronJobs::None) {
            let labels = match (&config.fence.cronjobs, &config.workloads) {
                (CronJobs::Covered, Selection::Labels(labels)) => Some(labels.as_str()),
                _ => None,
            };
            let (all, _) = cluster.list::<CronJob>(cx, &kind.path(&cluster.namespace), labels).await?;
            cronjobs = all.into_iter().map(|one| (one.metadata.name.clone(), one)).collect();
        }
        if let CronJobs::Names(names) = &config.fence.cronjobs {
            if let Some(absent) = names.iter().find(|name| !cronjobs.contains_key(*name)) {
                let text = format!("no cronjob `{absent}` in {}", cluster.namespace);
                return Err(dr_core::Error::new(dr_core::ErrorKind::NotFound, text)
                    .not_happened()
                    .on(cluster.side.as_str()));
            }
            cronjobs.retain(|name, _| names.contains(name));
        }
        cronjobs.retain(|name, _| !config.fence.except.contains(&format!("cronjob/{name}")));
        let jobs = Kind::new("batch", "v1", "jobs", "Job").path(&cluster.namespace);
        let (jobs, _) = cluster.list::<Job>(cx, &jobs, None).await?;
        // The pods are looked at last: whoever still was allowed to make one has been seen by then.
        let pods = pods(cx, cluster).await?;
        Ok(Writers {
            raised: raised(cx, cluster).await?,
            everything: config.workloads == Selection::All,
            except: config.fence.except.clone(),
            cronjob_kind: kind,
            fleet,
            cronjobs,
            jobs,
            pods,
        })
    }
}

/// What KEDA acts on: it can raise a workload from zero, which an autoscaler of Kubernetes cannot.
async fn raised(cx: &Cx, cluster: &Cluster) -> Result<BTreeSet<String>> {
    let Some(kind) = cluster.kind(cx, "keda.sh", "scaledobjects", &[]).await? else {
        return Ok(BTreeSet::new());
    };
    let (all, _) = cluster.list::<serde_json::Value>(cx, &kind.path(&cluster.namespace), None).await?;
    let acting = all.iter().filter(|object| {
        let paused = object.pointer("/metadata/annotations/autoscaling.keda.sh~1paused");
        paused.and_then(serde_json::Value::as_str) != Some("true")
    });
    let of = acting.filter_map(|object| {
        let target = object.pointer("/spec/scaleTargetRef")?;
        let kind = target.get("kind").and_then(serde_json::Value::as_str).unwrap_or("Deployment");
        Some(format!("{}/{}", kind.to_lowercase(), target.get("name")?.as_str()?))
    });
    Ok(of.collect())
}

impl Writers {
    /// Why writing is still possible, or could begin again by itself; nothing is the proof that it is not.
    pub(crate) fn left(&self) -> Vec<String> {
        let mut left = Vec::new();
        for (name, member) in &self.fleet.members {
            if member.desired() > 0 {
                left.push(format!("{name} wants {}", member.desired()));
            } else if member.object.status.replicas > 0 {
                left.push(format!("{name} still has {}", member.object.status.replicas));
            }
            if self.raised.contains(&name.to_string()) {
                left.push(format!("KEDA may raise {name}"));
            }
        }
        for (name, one) in &self.cronjobs {
            if !one.spec.suspend {
                left.push(format!("cronjob/{name} is not suspended"));
            }
        }
        let jobs: BTreeSet<&str> =
            self.jobs.iter().filter(|job| self.covers(job)).map(|job| &*job.metadata.name).collect();
        for job in self.jobs.iter().filter(|job| self.covers(job) && !is_finished(job)) {
            if job.spec.suspend && job.status.active == 0 {
                left.push(format!("job/{} is suspended and may go on", job.metadata.name));
            } else {
                left.push(format!("job/{} runs", job.metadata.name));
            }
        }
        left.extend(self.pods.iter().filter_map(|pod| self.of_pod(pod, &jobs)));
        left
    }

    fn covers(&self, job: &Job) -> bool {
        if self.except.contains(&format!("job/{}", job.metadata.name)) {
            return false;
        }
        let owner = job.metadata.owner_references.iter().find(|owner| owner.controller);
        match owner.filter(|owner| owner.kind == "CronJob") {
            Some(owner) => self.cronjobs.contains_key(&owner.name),
            None => self.everything,
        }
    }

    fn of_pod(&self, pod: &Pod, jobs: &BTreeSet<&str>) -> Option<String> {
        let name = &pod.metadata.name;
        let phase = if pod.metadata.deletion_timestamp.is_some() { "Terminating" } else { &pod.status.phase };
        let of = workload_of(pod);
        let excepted = |of: &Name| self.except.contains(&of.to_string());
        match &of {
            // In any phase: a pod that has ended is deleted by whoever scaled it down, or shows that nobody did.
            Some(of) if self.fleet.members.contains_key(of) => {
                let by_hand =
                    if is_running(pod) { String::new() } else { format!(" (kubectl delete pod {name})") };
                Some(format!("pod {name} of {of} is there, {phase}{by_hand}"))
            }
            Some(of) if of.kind == "job" && jobs.contains(&*of.name) => {
                is_running(pod).then(|| format!("pod {name} of {of} is there, {phase}"))
            }
            Some(of) if excepted(of) || of.kind == "job" => None,
            Some(of) if self.everything && is_running(pod) => Some(format!(
                "pod {name} of {of} runs and is not fenced: if it does not write, name it (fence: {{ except: [{of}] }})"
            )),
            None if self.everything && is_running(pod) && !self.except.contains(&format!("pod/{name}")) => {
                Some(format!(
                    "pod {name} runs, of nobody, and is not fenced: if it does not write, name it (fence: {{ except: [pod/{name}] }})"
                ))
            }
            Some(_) | None => None,
        }
    }

    /// Whether there is anything at all that could be fenced.
    pub(crate) fn is_nothing(&self) -> bool {
        self.fleet.members.is_empty() && self.cronjobs.is_empty()
    }
}

fn is_finished(job: &Job) -> bool {
    let ended = |condition: &crate::objects::Condition| {
        matches!(condition.kind.as_str(), "Complete" | "Failed") && condition.status == "True"
    };
    job.status.active == 0 && job.status.conditions.iter().any(ended)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::{Value, json};

    use super::*;
    use crate::fleet::Member;

    fn writers(replicas: u32, pods: &[Value], jobs: &[Value], everything: bool) -> Writers {
        let kind = Arc::new(Kind::new("apps", "v1", "deployments", "Deployment"));
        let object = serde_json::from_value(
            json!({ "metadata": { "name": "web" }, "spec": { "replicas": replicas } }),
        );
        let member = Member { kind: Arc::clone(&kind), object: object.unwrap() };
        let read =
            |values: &[Value]| values.iter().cloned().map(serde_json::from_value).collect::<Result<_, _>>();
        let nightly = json!({ "metadata": { "name": "nightly" }, "spec": { "suspend": true } });
        Writers {
            fleet: Fleet { kinds: vec![kind], members: BTreeMap::from([(member.name(), member)]) },
            cronjobs: BTreeMap::from([("nightly".to_owned(), serde_json::from_value(nightly).unwrap())]),
            cronjob_kind: None,
            jobs: jobs.iter().cloned().map(|job| serde_json::from_value(job).unwrap()).collect(),
            pods: read(pods).unwrap(),
            raised: BTreeSet::new(),
            everything,
            except: BTreeSet::from(["daemonset/shipper".to_owned()]),
        }
    }

    fn pod(owner: &str, name: &str, phase: &str, going: bool) -> Value {
        json!({
            "metadata": {
                "name": "p", "labels": { "pod-template-hash": "1" },
                "ownerReferences": [{ "kind": owner, "name": name, "controller": true }],
                "deletionTimestamp": going.then_some("2026-01-01T00:00:00Z"),
            },
            "status": { "phase": phase },
        })
    }

    #[test]
    fn no_pod_and_no_wish_for_one_is_the_proof() {
        assert_eq!(writers(0, &[], &[], true).left(), Vec::<String>::new());
    }

    #[test]
    fn a_pod_that_is_going_away_is_still_a_writer() {
        let left = writers(0, &[pod("ReplicaSet", "web-1", "Running", true)], &[], false).left();
        assert_eq!(left, ["pod p of deployment/web is there, Terminating"]);
    }

    #[test]
    fn a_pod_of_a_workload_counts_in_any_phase() {
        let left = writers(0, &[pod("ReplicaSet", "web-1", "Failed", false)], &[], false).left();
        assert_eq!(left.len(), 1, "{left:?}");
        assert!(left[0].contains("kubectl delete pod p"), "{left:?}");
    }

    #[test]
    fn a_running_job_of_a_suspended_cron_job_is_a_second_writer() {
        let owner = json!([{ "kind": "CronJob", "name": "nightly", "controller": true }]);
        let job = |status: Value| json!({ "metadata": { "name": "nightly-1", "ownerReferences": owner }, "status": status });
        let running =
            writers(0, &[pod("Job", "nightly-1", "Running", false)], &[job(json!({ "active": 1 }))], false);
        assert_eq!(running.left().len(), 2, "{:?}", running.left());
        let ended = json!({ "conditions": [{ "type": "Complete", "status": "True" }] });
        let ended = writers(0, &[pod("Job", "nightly-1", "Succeeded", false)], &[job(ended)], false);
        assert_eq!(ended.left(), Vec::<String>::new());
    }

    #[test]
    fn with_the_whole_namespace_a_stranger_is_a_writer_unless_it_is_named() {
        let stranger = |name: &str| [pod("DaemonSet", name, "Running", false)];
        assert_eq!(writers(0, &stranger("agent"), &[], true).left().len(), 1);
        assert_eq!(writers(0, &stranger("shipper"), &[], true).left().len(), 0);
        assert_eq!(writers(0, &stranger("agent"), &[], false).left().len(), 0);
    }
}
