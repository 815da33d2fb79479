//! What the server is told of a pod, in the words of a real kubelet.

use std::time::Duration;

use serde_json::{Value, json};

use super::life::Word;
use super::pod::Seen;

/// Now, as Kubernetes writes times.
pub(crate) fn timestamp() -> String {
    k8s_openapi::jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// Where a pod runs.
#[derive(Debug, Clone)]
pub(crate) struct Placed {
    pub(crate) host: String,
    pub(crate) address: String,
    pub(crate) since: String,
}

/// An event about a pod.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) reason: &'static str,
    pub(crate) message: String,
}

/// That no node takes it.
pub(crate) fn unschedulable(message: &str) -> Value {
    json!({
        "phase": "Pending",
        "conditions": [{
            "type": "PodScheduled",
            "status": "False",
            "reason": "Unschedulable",
            "message": message,
            "lastTransitionTime": timestamp(),
        }],
    })
}

/// The status that goes with a word. `None` for words that are no status.
pub(crate) fn status(pod: &Seen, word: &Word, placed: &Placed) -> Option<Value> {
    let now = timestamp();
    let (image, name) = pod.containers.first().map_or(("", ""), |(name, image)| (image, name));
    let waiting =
        |reason: &str, message: String| json!({ "waiting": { "reason": reason, "message": message } });
    let running = json!({ "running": { "startedAt": now } });
    let ended = |code: i32, reason: &str| json!({ "terminated": { "exitCode": code, "reason": reason, "startedAt": now, "finishedAt": now } });
    let nothing = json!({});
    // The first container: its state, the one before, whether it is ready, how often it was started again.
    let (phase, state, last, ready, restarts) = match word {
        Word::Bind | Word::Unschedulable | Word::Remove => return None,
        Word::ErrImagePull => ("Pending", waiting("ErrImagePull", pull_failed(image)), nothing, false, 0),
        Word::ImagePullBackOff { .. } => {
            ("Pending", waiting("ImagePullBackOff", pull_paused(image)), nothing, false, 0)
        }
        Word::Running { restarts } | Word::Unready { restarts } => {
            let last = if *restarts == 0 { nothing } else { ended(1, "Error") };
            ("Running", running, last, false, *restarts)
        }
        Word::Ready { restarts } => {
            let last = if *restarts == 0 { nothing } else { ended(1, "Error") };
            ("Running", running, last, true, *restarts)
        }
        Word::Terminated { restarts } => ("Running", ended(1, "Error"), nothing, false, *restarts),
        Word::CrashLoopBackOff { restarts, pause } => {
            let message = format!(
                "back-off {} restarting failed container={name} pod={}_{}({})",
                go_duration(*pause),
                pod.key.name,
                pod.key.namespace,
                pod.uid
            );
            ("Running", waiting("CrashLoopBackOff", message), ended(1, "Error"), false, *restarts)
        }
        Word::Succeeded { restarts } => ("Succeeded", ended(0, "Completed"), nothing, false, *restarts),
        Word::Failed { restarts } => ("Failed", ended(1, "Error"), nothing, false, *restarts),
    };
    let over = matches!(phase, "Succeeded" | "Failed");
    let containers: Vec<Value> = pod
        .containers
        .iter()
        .enumerate()
        .map(|(place, (name, image))| {
            let first = place == 0;
            let state = match (first, over) {
                (true, _) => state.clone(),
                (false, true) => ended(0, "Completed"),
                (false, false) => json!({ "running": { "startedAt": now } }),
            };
            let there = phase != "Pending" || !first;
            let restarts = if first { restarts } else { 0 };
            json!({
                "name": name,
                "image": image,
                "imageID": if there { format!("stand-in://{image}") } else { String::new() },
                "containerID": if there { format!("stand-in://{}-{name}-{restarts}", pod.uid) } else { String::new() },
                "ready": if first { ready } else { !over },
                "started": !over && there,
                "restartCount": restarts,
                "state": state,
                "lastState": if first { last.clone() } else { json!({}) },
            })
        })
        .collect();
    Some(json!({
        "phase": phase,
        "hostIP": placed.host,
        "podIP": placed.address,
        "podIPs": [{ "ip": placed.address }],
        "startTime": placed.since,
        "conditions": conditions(name, phase, ready, &now),
        "containerStatuses": containers,
    }))
}

fn conditions(container: &str, phase: &str, ready: bool, now: &str) -> Value {
    let good = |kind: &str| json!({ "type": kind, "status": "True", "reason": null, "message": null, "lastTransitionTime": now });
    let readiness = |kind: &str| match (ready, phase) {
        (true, _) => good(kind),
        (false, "Succeeded") => json!({
            "type": kind, "status": "False", "reason": "PodCompleted", "message": null, "lastTransitionTime": now,
        }),
        (false, _) => json!({
            "type": kind,
            "status": "False",
            "reason": "ContainersNotReady",
            "message": format!("containers with unready status: [{container}]"),
            "lastTransitionTime": now,
        }),
    };
    json!([good("PodScheduled"), good("Initialized"), readiness("ContainersReady"), readiness("Ready")])
}

/// The event that goes with a word, where it is a warning.
pub(crate) fn warning(pod: &Seen, word: &Word) -> Option<Told> {
    let image = pod.containers.first().map_or("", |(_, image)| image);
    let (reason, message) = match word {
        Word::ErrImagePull => ("Failed", format!("Failed to pull image \"{image}\": {}", pull_failed(image))),
        Word::ImagePullBackOff { .. } => ("BackOff", pull_paused(image)),
        Word::CrashLoopBackOff { .. } => ("BackOff", "Back-off restarting failed container".to_owned()),
        Word::Unready { .. } => {
            ("Unhealthy", "Readiness probe failed: HTTP probe failed with statuscode: 503".to_owned())
        }
        Word::Bind
        | Word::Unschedulable
        | Word::Running { .. }
        | Word::Ready { .. }
        | Word::Terminated { .. }
        | Word::Succeeded { .. }
        | Word::Failed { .. }
        | Word::Remove => return None,
    };
    Some(Told { reason, message })
}

fn pull_failed(image: &str) -> String {
    format!(
        "rpc error: code = NotFound desc = failed to pull and unpack image \"{image}\": failed to resolve reference \
         \"{image}\": {image}: not found"
    )
}

fn pull_paused(image: &str) -> String {
    format!("Back-off pulling image \"{image}\"")
}

/// `500ms`, `10s`, `1m20s`, `5m0s`: as Kubernetes prints durations.
fn go_duration(time: Duration) -> String {
    let seconds = time.as_secs();
    match (seconds / 60, seconds % 60, time.subsec_millis()) {
        (0, 0, millis) => format!("{millis}ms"),
        (0, seconds, 0) => format!("{seconds}s"),
        (0, seconds, millis) => {
            format!("{}s", format!("{seconds}.{millis:03}").trim_end_matches('0'))
        }
        (minutes, seconds, _) => format!("{minutes}m{seconds}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_written_as_kubernetes_does() {
        let written =
            [500, 1_500, 10_000, 80_000, 300_000].map(|millis| go_duration(Duration::from_millis(millis)));
        assert_eq!(written, ["500ms", "1.5s", "10s", "1m20s", "5m0s"]);
    }
}
