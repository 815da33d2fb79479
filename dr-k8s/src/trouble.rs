//! Why a pod does not serve, in its own words, and whether it ever will.

use std::time::Duration;

use crate::fleet::Name;
use crate::objects::{ContainerStatus, OwnerRef, Pod};

/// What is wrong with a pod.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Trouble {
    /// In its own words: `web-5d9-x2: ImagePullBackOff: Back-off pulling image "shop/web:9"`.
    pub(crate) words: String,
    /// For how long it may be so before it counts as lasting. `None`: it passes by itself, usually.
    pub(crate) lasting_after: Option<Duration>,
}

/// How long a container may fail to be made, in ways that often mend themselves: a config map that comes a moment later.
const MAKING: Duration = Duration::from_secs(10);
/// How often a container may crash and start again: a service that waits for its database does.
const CRASHES: u32 = 2;

/// The workload that a pod belongs to, from its own owner and labels alone: a Deployment's ReplicaSet carries the
/// Deployment's name and the template's hash.
pub(crate) fn workload_of(pod: &Pod) -> Option<Name> {
    let owner = pod.metadata.owner_references.iter().find(|owner| owner.controller)?;
    Some(above(owner, pod.metadata.labels.hash.as_deref()))
}

fn above(owner: &OwnerRef, hash: Option<&str>) -> Name {
    let named_after = hash.and_then(|hash| owner.name.strip_suffix(hash)?.strip_suffix('-'));
    match (owner.kind.as_str(), named_after) {
        ("ReplicaSet", Some(name)) => Name::new("deployment", name),
        (kind, _) => Name::new(kind.to_lowercase(), &owner.name),
    }
}

/// Whether a pod serves.
pub(crate) fn is_ready(pod: &Pod) -> bool {
    pod.status.conditions.iter().any(|condition| condition.kind == "Ready" && condition.status == "True")
}

/// Whether a pod came to its end and is only remembered.
pub(crate) fn is_over(pod: &Pod) -> bool {
    matches!(pod.status.phase.as_str(), "Succeeded" | "Failed")
}

/// What is wrong with a pod that does not serve; `None` if nothing is, or nothing is known yet.
pub(crate) fn trouble(pod: &Pod, unschedulable_after: Duration) -> Option<Trouble> {
    if pod.metadata.deletion_timestamp.is_some() || is_ready(pod) || pod.status.phase == "Succeeded" {
        return None;
    }
    let say = |reason: &str, message: &str| {
        let message = one_line(message);
        let more = if message.is_empty() { String::new() } else { format!(": {message}") };
        format!("{}: {reason}{more}", pod.metadata.name)
    };
    let unscheduled = pod
        .status
        .conditions
        .iter()
        .find(|condition| condition.kind == "PodScheduled" && condition.status == "False");
    if let Some(condition) = unscheduled {
        return Some(Trouble {
            words: say(&condition.reason, &condition.message),
            lasting_after: Some(unschedulable_after),
        });
    }
    if pod.status.phase == "Failed" {
        // Its controller makes another one; that one shows whether it lasts.
        let reason = pod.status.reason.as_deref().unwrap_or("Failed");
        let words = say(reason, pod.status.message.as_deref().unwrap_or_default());
        return Some(Trouble { words, lasting_after: None });
    }
    let containers = pod.status.init_container_statuses.iter().chain(&pod.status.container_statuses);
    containers.filter_map(|container| of_container(container, &say)).max_by_key(weight)
}

/// What lasts is said before what passes.
fn weight(trouble: &Trouble) -> (bool, std::cmp::Reverse<Option<Duration>>) {
    (trouble.lasting_after.is_some(), std::cmp::Reverse(trouble.lasting_after))
}

fn of_container(container: &ContainerStatus, say: &impl Fn(&str, &str) -> String) -> Option<Trouble> {
    let ended = container.last_state.terminated.as_ref().or(container.state.terminated.as_ref());
    if let Some(waiting) = &container.state.waiting {
        let lasting_after = match waiting.reason.as_str() {
            "ImagePullBackOff" | "InvalidImageName" | "ErrImageNeverPull" | "ImageInspectError" => {
                Some(Duration::ZERO)
            }
            "CrashLoopBackOff" if container.restart_count >= CRASHES => Some(Duration::ZERO),
            "CreateContainerConfigError" | "CreateContainerError" | "RunContainerError" => Some(MAKING),
            "" | "ContainerCreating" | "PodInitializing" => return None,
            // The first failed pull, the first crash, and what nobody has heard of yet.
            _ => None,
        };
        let mut words = say(&waiting.reason, &waiting.message);
        if let ("CrashLoopBackOff", Some(ended)) = (waiting.reason.as_str(), ended) {
            words.push_str(&format!(" ({})", end_of(ended)));
        }
        return Some(Trouble { words, lasting_after });
    }
    let failed = container.state.terminated.as_ref().filter(|ended| ended.exit_code != 0)?;
    Some(Trouble { words: say(&failed.reason, &end_of(failed)), lasting_after: None })
}

fn end_of(ended: &crate::objects::Terminated) -> String {
    let message = one_line(&ended.message);
    let more = if message.is_empty() { String::new() } else { format!(": {message}") };
    format!("{} with exit code {} before{more}", ended.reason, ended.exit_code)
}

/// The text on one line, not without end.
pub(crate) fn one_line(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(300) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn pod(status: Value) -> Pod {
        serde_json::from_value(json!({
            "metadata": {
                "name": "web-5d9-x2",
                "labels": { "pod-template-hash": "5d9" },
                "ownerReferences": [{ "kind": "ReplicaSet", "name": "web-5d9", "controller": true }],
            },
            "status": status,
        }))
        .unwrap()
    }

    fn waiting(reason: &str, message: &str, restarts: u32) -> Pod {
        pod(json!({ "phase": "Pending", "containerStatuses": [{
            "name": "web", "restartCount": restarts,
            "state": { "waiting": { "reason": reason, "message": message } },
            "lastState": { "terminated": { "reason": "Error", "exitCode": 1 } },
        }] }))
    }

    #[test]
    fn a_pod_of_a_deployment_is_known_without_its_replica_set() {
        assert_eq!(workload_of(&pod(json!({}))), Some(Name::new("deployment", "web")));
    }

    #[test]
    fn an_image_that_cannot_be_pulled_fails_at_once_in_its_own_words() {
        let trouble =
            trouble(&waiting("ImagePullBackOff", "Back-off pulling image \"shop/web:9\"", 0), MINUTE);
        let trouble = trouble.unwrap();
        assert_eq!(trouble.lasting_after, Some(Duration::ZERO));
        assert_eq!(trouble.words, "web-5d9-x2: ImagePullBackOff: Back-off pulling image \"shop/web:9\"");
    }

    #[test]
    fn a_first_failed_pull_and_a_first_crash_pass() {
        for first in [waiting("ErrImagePull", "timeout", 0), waiting("CrashLoopBackOff", "back-off 10s", 1)] {
            assert_eq!(trouble(&first, MINUTE).unwrap().lasting_after, None);
        }
        assert_eq!(trouble(&waiting("ContainerCreating", "", 0), MINUTE), None);
    }

    #[test]
    fn a_container_that_keeps_crashing_fails_and_says_how_it_ended() {
        let trouble = trouble(&waiting("CrashLoopBackOff", "back-off 20s restarting", 2), MINUTE).unwrap();
        assert_eq!(trouble.lasting_after, Some(Duration::ZERO));
        assert!(trouble.words.ends_with("(Error with exit code 1 before)"), "{}", trouble.words);
    }

    #[test]
    fn a_pod_without_a_node_fails_only_after_a_while() {
        let pod = pod(json!({ "phase": "Pending", "conditions": [{
            "type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/3 nodes",
        }] }));
        let trouble = trouble(&pod, MINUTE).unwrap();
        assert_eq!(trouble.lasting_after, Some(MINUTE));
        assert!(trouble.words.contains("Unschedulable: 0/3 nodes"));
    }

    #[test]
    fn a_pod_that_is_ready_or_going_away_is_no_trouble() {
        let ready = pod(json!({ "phase": "Running", "conditions": [{ "type": "Ready", "status": "True" }] }));
        assert_eq!(trouble(&ready, MINUTE), None);
        let mut going = waiting("ImagePullBackOff", "", 0);
        going.metadata.deletion_timestamp = Some("2026-01-01T00:00:00Z".to_owned());
        assert_eq!(trouble(&going, MINUTE), None);
    }
}
