//! How far a workload is from what is wanted, by its own words.

use crate::fleet::Member;

/// What is waited for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// As many.
    pub(crate) replicas: u32,
    /// Up to as many, where an autoscaler may want more.
    pub(crate) at_most: u32,
    /// At least so many of them ready; fewer than all only where there were fewer before.
    pub(crate) ready: u32,
    /// Whether all of them must run what the workload says now: after its template was changed.
    pub(crate) rolled: bool,
}

impl Wanted {
    /// Exactly so many, all ready.
    pub(crate) fn exactly(replicas: u32) -> Self {
        Self { replicas, at_most: replicas, ready: replicas, rolled: false }
    }
}

/// How far a workload is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Far {
    /// There.
    Done,
    /// On the way.
    Going,
    /// Somebody else wants something else.
    Elsewhere(String),
    /// It says itself that it cannot get there.
    Stuck(String),
}

/// How many of a workload serve; `None` where its kind does not say.
pub(crate) fn ready_of(member: &Member) -> Option<u32> {
    let status = &member.object.status;
    match member.kind.name.as_str() {
        // They leave out what is zero.
        "Deployment" | "StatefulSet" | "ReplicaSet" | "ReplicationController" => {
            Some(status.ready_replicas.unwrap_or(0))
        }
        _ => status.ready_replicas.or(status.available_replicas),
    }
}

/// Whether a new version of a workload is on its way out: some of its pods are still of another one.
pub(crate) fn is_rolling(member: &Member) -> bool {
    let status = &member.object.status;
    match member.kind.name.as_str() {
        "Deployment" => !member.object.spec.paused && status.replicas > status.updated_replicas.unwrap_or(0),
        "StatefulSet" => {
            status.current_revision != status.update_revision
                && rolls_by_itself(member)
                && status.replicas > status.updated_replicas.unwrap_or(0)
        }
        _ => false,
    }
}

fn rolls_by_itself(member: &Member) -> bool {
    member.object.spec.update_strategy.as_ref().is_none_or(|strategy| {
        let partition = strategy.rolling_update.as_ref().and_then(|rolling| rolling.partition);
        strategy.kind != "OnDelete" && partition.unwrap_or(0) == 0
    })
}

/// How far a workload is, from its own words. `pods` says how many of it are ready where it does not say so itself.
pub(crate) fn far(member: &Member, wanted: &Wanted, pods: u32) -> Far {
    let status = &member.object.status;
    if status.observed_generation < member.object.metadata.generation {
        return Far::Going;
    }
    let desired = member.desired();
    if desired < wanted.replicas || desired > wanted.at_most {
        let text =
            format!("somebody scaled {} to {desired}, {} were asked for", member.name(), wanted.replicas);
        return Far::Elsewhere(text);
    }
    let condition = |kind: &str| status.conditions.iter().find(|condition| condition.kind == kind);
    if let Some(condition) = condition("Progressing")
        && condition.status == "False"
        && condition.reason == "ProgressDeadlineExceeded"
    {
        return Far::Stuck(format!("{}: {}: {}", member.name(), condition.reason, condition.message));
    }
    let ready = ready_of(member).unwrap_or(pods);
    // Where an autoscaler wants more, all of those; where there were fewer before, as many as there were.
    let least = if wanted.ready < wanted.replicas { wanted.ready } else { desired };
    let enough = ready >= least;
    let available = match member.kind.name.as_str() {
        "Deployment" => status.available_replicas.unwrap_or(0) >= least,
        _ => true,
    };
    let rolled = match member.kind.name.as_str() {
        "Deployment" => status.updated_replicas.unwrap_or(0) == desired,
        "StatefulSet" if wanted.rolled && rolls_by_itself(member) => {
            status.current_revision == status.update_revision
                || status.updated_replicas.unwrap_or(0) >= desired
        }
        _ => true,
    };
    let rolled = rolled || (!wanted.rolled && member.object.spec.paused);
    if status.replicas == desired && enough && available && rolled { Far::Done } else { Far::Going }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::{Value, json};

    use super::*;
    use crate::discovery::Kind;

    fn member(name: &str, object: Value) -> Member {
        let plural = format!("{}s", name.to_lowercase());
        let kind = Arc::new(Kind::new("apps", "v1", &plural, name));
        Member { kind, object: serde_json::from_value(object).unwrap() }
    }

    fn deployment(generation: i64, replicas: u32, status: Value) -> Member {
        let object = json!({
            "metadata": { "name": "web", "generation": generation },
            "spec": { "replicas": replicas }, "status": status,
        });
        member("Deployment", object)
    }

    #[test]
    fn a_status_of_an_older_generation_says_nothing() {
        let ready = json!({ "observedGeneration": 4, "replicas": 3, "updatedReplicas": 3, "readyReplicas": 3, "availableReplicas": 3 });
        assert_eq!(far(&deployment(5, 3, ready.clone()), &Wanted::exactly(3), 0), Far::Going);
        assert_eq!(far(&deployment(4, 3, ready), &Wanted::exactly(3), 0), Far::Done);
    }

    #[test]
    fn pods_of_an_older_version_are_waited_out() {
        let mixed = json!({ "observedGeneration": 1, "replicas": 4, "updatedReplicas": 3, "readyReplicas": 3, "availableReplicas": 3 });
        assert_eq!(far(&deployment(1, 3, mixed.clone()), &Wanted::exactly(3), 0), Far::Going);
        assert!(is_rolling(&deployment(1, 3, mixed)));
    }

    #[test]
    fn somebody_elses_number_is_told() {
        let status = json!({ "observedGeneration": 1, "replicas": 7 });
        let far = far(&deployment(1, 7, status), &Wanted::exactly(3), 0);
        assert_eq!(far, Far::Elsewhere("somebody scaled deployment/web to 7, 3 were asked for".to_owned()));
    }

    #[test]
    fn a_roll_out_past_its_own_deadline_is_stuck() {
        let status = json!({ "observedGeneration": 1, "replicas": 3, "conditions": [{
            "type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded", "message": "has timed out",
        }] });
        assert!(matches!(far(&deployment(1, 3, status), &Wanted::exactly(3), 0), Far::Stuck(_)));
    }

    #[test]
    fn zero_is_reached_when_none_is_left() {
        let status = |replicas: u32| json!({ "observedGeneration": 1, "replicas": replicas });
        assert_eq!(far(&deployment(1, 0, status(1)), &Wanted::exactly(0), 0), Far::Going);
        assert_eq!(far(&deployment(1, 0, status(0)), &Wanted::exactly(0), 0), Far::Done);
    }

    #[test]
    fn an_autoscaler_may_want_more_and_then_all_of_those_are_waited_for() {
        let wanted = Wanted { replicas: 3, at_most: 10, ready: 3, rolled: false };
        let status = |ready: u32| json!({ "observedGeneration": 1, "replicas": 5, "updatedReplicas": 5, "readyReplicas": ready, "availableReplicas": ready });
        assert_eq!(far(&deployment(1, 5, status(5)), &wanted, 0), Far::Done);
    }

    #[test]
    fn a_kind_that_does_not_say_who_is_ready_is_judged_by_its_pods() {
        let object = json!({
            "metadata": { "name": "db", "generation": 1 }, "spec": { "replicas": 2 },
            "status": { "observedGeneration": "1", "replicas": 2 },
        });
        let cluster = member("Database", object);
        assert_eq!(far(&cluster, &Wanted::exactly(2), 1), Far::Going);
        assert_eq!(far(&cluster, &Wanted::exactly(2), 2), Far::Done);
    }

    #[test]
    fn a_stateful_set_with_a_partition_does_not_roll_by_itself() {
        let object = json!({
            "metadata": { "name": "db", "generation": 1 },
            "spec": { "replicas": 3, "updateStrategy": { "type": "RollingUpdate", "rollingUpdate": { "partition": 3 } } },
            "status": { "observedGeneration": 1, "replicas": 3, "readyReplicas": 3, "currentRevision": "a", "updateRevision": "b" },
        });
        let set = member("StatefulSet", object);
        assert!(!is_rolling(&set));
        assert_eq!(far(&set, &Wanted { rolled: true, ..Wanted::exactly(3) }, 0), Far::Done);
    }
}
