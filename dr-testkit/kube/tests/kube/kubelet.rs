//! What a client sees of pods on the stand-in.

use std::time::{Duration, Instant};

use dr_testkit_kube::{Allocatable, Behaviour, Kubelet, KubeletOptions, SharedRegion, Start, Stop};
use futures_util::{StreamExt, TryStreamExt};
use k8s_openapi::api::apps::v1::{DaemonSet, Deployment, StatefulSet};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{Event, Node, Pod, ResourceQuota};
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client, ResourceExt};
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::support::{create, deployment, labelled, ready_within};

/// A namespace of a shared region, looked after by a stand-in of its own.
struct Place {
    client: Client,
    namespace: String,
    kubelet: Kubelet,
}

impl Place {
    async fn new(prefix: &str) -> Self {
        Self::with(prefix, KubeletOptions::new()).await
    }

    async fn with(prefix: &str, options: KubeletOptions) -> Self {
        let region = SharedRegion::named("east").await.unwrap();
        let namespace = region.access().namespace(prefix).await.unwrap();
        let options = options.only(&namespace).named(format!("{namespace}-node"));
        let kubelet = Kubelet::start(region.warden(), options).await.unwrap();
        Self { client: region.access().client().await.unwrap(), namespace, kubelet }
    }

    fn api<K>(&self) -> Api<K>
    where
        K: kube::Resource<Scope = kube::core::NamespaceResourceScope>,
        K::DynamicType: Default,
    {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    async fn run(&self, name: &str, labels: &[(&str, &str)]) {
        create(&self.client, &self.namespace, &labelled(name, 1, labels)).await;
    }

    /// The first pod of which that is true, by a watch.
    async fn pod(&self, what: &str, is_so: impl Fn(&Pod) -> bool) -> Pod {
        let mut pods = watcher(self.api::<Pod>(), watcher::Config::default()).applied_objects().boxed();
        let found = async {
            loop {
                let pod = pods.try_next().await.unwrap().expect("the watch ended");
                if is_so(&pod) {
                    return pod;
                }
            }
        };
        timeout(Duration::from_secs(20), found).await.unwrap_or_else(|_| panic!("no pod is {what}"))
    }

    /// The first pod whose first container waits for that reason, with its message.
    async fn waiting(&self, reason: &str) -> (Pod, String) {
        let pod = self.pod(reason, |pod| waits(pod).is_some_and(|(why, _)| why == reason)).await;
        let (_, message) = waits(&pod).unwrap();
        (pod, message)
    }
}

fn waits(pod: &Pod) -> Option<(String, String)> {
    let containers = pod.status.as_ref()?.container_statuses.as_ref()?;
    let waiting = containers.first()?.state.as_ref()?.waiting.as_ref()?;
    Some((waiting.reason.clone()?, waiting.message.clone().unwrap_or_default()))
}

fn condition(pod: &Pod, kind: &str) -> Option<(String, String, String)> {
    let conditions = pod.status.as_ref()?.conditions.as_ref()?;
    let condition = conditions.iter().find(|condition| condition.type_ == kind)?;
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    Some((condition.status.clone(), text(&condition.reason), text(&condition.message)))
}

fn is_ready(pod: &Pod) -> bool {
    condition(pod, "Ready").is_some_and(|(status, _, _)| status == "True")
}

fn restarts(pod: &Pod) -> i32 {
    let containers = pod.status.as_ref().and_then(|status| status.container_statuses.as_ref());
    containers.and_then(|containers| containers.first()).map_or(0, |container| container.restart_count)
}

#[tokio::test]
async fn a_deployment_of_three_is_ready_in_under_two_seconds() {
    let place = Place::new("three").await;
    place.run("warm", &[]).await;
    ready_within(&place.client, &place.namespace, "warm", 1, Duration::from_secs(10)).await;

    create(&place.client, &place.namespace, &deployment("app", 0)).await;
    let begun = Instant::now();
    let scale = Patch::Merge(json!({ "spec": { "replicas": 3 } }));
    place.api::<Deployment>().patch_scale("app", &PatchParams::default(), &scale).await.unwrap();
    ready_within(&place.client, &place.namespace, "app", 3, Duration::from_secs(2)).await;
    println!("three pods were ready after {:?}", begun.elapsed());

    let pods = place.api::<Pod>().list(&ListParams::default().labels("app=app")).await.unwrap();
    for pod in &pods {
        let status = pod.status.as_ref().unwrap();
        assert!(status.pod_ip.is_some() && status.host_ip.is_some() && status.start_time.is_some());
        assert!(place.kubelet.nodes().contains(pod.spec.as_ref().unwrap().node_name.as_ref().unwrap()));
    }
    let addresses: std::collections::BTreeSet<_> =
        pods.iter().map(|pod| pod.status.as_ref().unwrap().pod_ip.clone()).collect();
    assert_eq!(addresses.len(), 3, "two pods share an address");
}

#[tokio::test]
async fn a_pod_is_ready_only_after_its_time() {
    let place = Place::new("later").await;
    place.run("app", &[("dr-kubelet/ready-after-ms", "700")]).await;
    let running =
        |pod: &Pod| pod.status.as_ref().and_then(|status| status.phase.as_deref()) == Some("Running");
    let pod = place.pod("running", running).await;
    let begun = Instant::now();
    assert!(!is_ready(&pod), "it was ready at once");
    place.pod("ready", is_ready).await;
    assert!(begun.elapsed() >= Duration::from_millis(500), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn an_image_that_is_not_there_is_told_as_a_kubelet_tells_it() {
    let place = Place::new("image").await;
    place.kubelet.behave(&place.namespace, Behaviour::new().start(Start::ImagePull));
    place.run("app", &[]).await;
    let (pod, message) = place.waiting("ErrImagePull").await;
    assert!(message.contains("registry.example/app:1: not found"), "{message}");
    assert_eq!(pod.status.unwrap().phase.as_deref(), Some("Pending"));
    let (pod, message) = place.waiting("ImagePullBackOff").await;
    assert_eq!(message, "Back-off pulling image \"registry.example/app:1\"");
    assert_eq!(condition(&pod, "Ready").unwrap().1, "ContainersNotReady");

    place.kubelet.behave_as_others(&place.namespace);
    place.pod("ready after the image came", is_ready).await;
}

#[tokio::test]
async fn a_crashing_container_is_started_again_and_again() {
    let place = Place::with(
        "crash",
        KubeletOptions::new().backoff(Duration::from_millis(100), Duration::from_secs(1)),
    );
    let place = place.await;
    let (key, value) = Start::CrashLoop.label();
    place.run("app", &[(key, value)]).await;
    let (pod, message) = place.waiting("CrashLoopBackOff").await;
    let (name, uid) = (pod.name_any(), pod.metadata.uid.clone().unwrap());
    let expected =
        format!("back-off 100ms restarting failed container=app pod={name}_{}({uid})", place.namespace);
    assert_eq!(message, expected);
    assert_eq!(restarts(&pod), 1);
    let last = pod.status.unwrap().container_statuses.unwrap()[0].last_state.clone().unwrap();
    assert_eq!(last.terminated.unwrap().exit_code, 1);
    place.pod("restarted three times", |pod| restarts(pod) >= 3).await;
}

#[tokio::test]
async fn a_pod_that_fits_nowhere_hears_the_schedulers_words() {
    let place = Place::new("words").await;
    let (key, value) = Start::Unschedulable.label();
    place.run("app", &[(key, value)]).await;
    let pod = place.pod("unschedulable", |pod| condition(pod, "PodScheduled").is_some()).await;
    let words = "0/3 nodes are available: 3 Insufficient cpu.".to_owned();
    let expected = ("False".to_owned(), "Unschedulable".to_owned(), words.clone());
    assert_eq!(condition(&pod, "PodScheduled"), Some(expected));
    let told = place.api::<Event>().list(&ListParams::default()).await.unwrap();
    assert!(told.iter().any(|event| event.reason.as_deref() == Some("FailedScheduling")
        && event.message.as_deref() == Some(&words)));
}

#[tokio::test]
async fn requests_are_counted_and_room_that_is_given_back_is_used() {
    let small = Allocatable { cpu: "1".to_owned(), memory: "1Gi".to_owned(), pods: 10 };
    let place = Place::with("room", KubeletOptions::new().nodes(2, small)).await;
    let with_cpu = |name: &str, replicas: i32| -> Deployment {
        let mut value = serde_json::to_value(deployment(name, replicas)).unwrap();
        value["spec"]["template"]["spec"]["containers"][0]["resources"] =
            json!({ "requests": { "cpu": "600m" } });
        serde_json::from_value(value).unwrap()
    };
    create(&place.client, &place.namespace, &with_cpu("first", 2)).await;
    ready_within(&place.client, &place.namespace, "first", 2, Duration::from_secs(10)).await;
    create(&place.client, &place.namespace, &with_cpu("second", 1)).await;
    let pod = place
        .pod("unschedulable", |pod| condition(pod, "PodScheduled").is_some_and(|told| told.0 == "False"));
    assert_eq!(
        condition(&pod.await, "PodScheduled").unwrap().2,
        "0/2 nodes are available: 2 Insufficient cpu."
    );
    place.api::<Deployment>().delete("first", &DeleteParams::background()).await.unwrap();
    ready_within(&place.client, &place.namespace, "second", 1, Duration::from_secs(10)).await;
}

#[tokio::test]
async fn a_failing_readiness_probe_leaves_a_pod_running_and_not_ready() {
    let place = Place::new("probe").await;
    let (key, value) = Start::NeverReady.label();
    place.run("app", &[(key, value)]).await;
    let pod =
        place.pod("running", |pod| condition(pod, "Ready").is_some_and(|told| !told.1.is_empty())).await;
    let message = "containers with unready status: [app]".to_owned();
    assert_eq!(
        condition(&pod, "Ready"),
        Some(("False".to_owned(), "ContainersNotReady".to_owned(), message))
    );
    assert_eq!(pod.status.unwrap().phase.as_deref(), Some("Running"));
}

#[tokio::test]
async fn a_ready_pod_can_break_and_heal() {
    let place = Place::new("heal").await;
    place.run("app", &[]).await;
    place.pod("ready", is_ready).await;
    place.kubelet.behave(&place.namespace, Behaviour::new().start(Start::NeverReady));
    place.pod("broken", |pod| !is_ready(pod)).await;
    place.kubelet.behave_as_others(&place.namespace);
    place.pod("healed", is_ready).await;
}

#[tokio::test]
async fn a_slow_pod_takes_its_time_to_end_and_a_stuck_one_never_does() {
    let place = Place::new("end").await;
    let slow = Behaviour::new().stop(Stop::After(Duration::from_millis(800)));
    place.kubelet.behave(&place.namespace, slow);
    place.run("app", &[]).await;
    let pods = place.api::<Pod>();
    let delete = async || {
        let name = place
            .pod("ready", |pod| is_ready(pod) && pod.metadata.deletion_timestamp.is_none())
            .await
            .name_any();
        pods.delete(&name, &DeleteParams::default()).await.unwrap();
        (name, Instant::now())
    };
    let (name, begun) = delete().await;
    let there = async |name: &str| pods.get_opt(name).await.unwrap().is_some();
    assert!(there(&name).await);
    while there(&name).await {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(begun.elapsed() >= Duration::from_millis(700), "{:?}", begun.elapsed());

    place.kubelet.behave(&place.namespace, Behaviour::new().stop(Stop::Stuck));
    let (name, _) = delete().await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(there(&name).await, "a stuck pod went away");
    place.kubelet.behave_as_others(&place.namespace);
    while there(&name).await {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn a_quota_is_the_servers_own_work() {
    let place = Place::new("quota").await;
    let quota: ResourceQuota =
        serde_json::from_value(json!({ "metadata": { "name": "q" }, "spec": { "hard": { "pods": "1" } } }))
            .unwrap();
    let quotas = place.api::<ResourceQuota>();
    quotas.create(&PostParams::default(), &quota).await.unwrap();
    let known = |quota: Option<&ResourceQuota>| {
        quota.and_then(|quota| quota.status.as_ref()?.hard.as_ref()).is_some()
    };
    kube::runtime::wait::await_condition(quotas, "q", known).await.unwrap();
    create(&place.client, &place.namespace, &deployment("app", 2)).await;
    let refused = |deployment: Option<&Deployment>| {
        let conditions = deployment.and_then(|deployment| deployment.status.as_ref()?.conditions.as_ref());
        conditions.into_iter().flatten().any(|condition| {
            condition.type_.as_deref() == Some("ReplicaFailure")
                && condition.message.as_ref().is_some_and(|message| message.contains("exceeded quota"))
        })
    };
    let told = kube::runtime::wait::await_condition(place.api::<Deployment>(), "app", refused);
    timeout(Duration::from_secs(10), told).await.expect("no word of the quota").unwrap();
}

#[tokio::test]
async fn jobs_end_daemons_run_everywhere_and_sets_keep_their_names() {
    let place = Place::new("kinds").await;
    let template = |restart: &str| -> Value {
        json!({
            "metadata": { "labels": { "app": "k" } },
            "spec": { "restartPolicy": restart, "containers": [{ "name": "app", "image": "i" }] },
        })
    };
    let of = |spec: Value| json!({ "metadata": { "name": "k" }, "spec": spec });
    let selector = json!({ "matchLabels": { "app": "k" } });
    let post = PostParams::default();

    let job: Job = serde_json::from_value(of(json!({ "template": template("Never") }))).unwrap();
    place.api::<Job>().create(&post, &job).await.unwrap();
    let succeeded = |job: Option<&Job>| job.and_then(|job| job.status.as_ref()?.succeeded) == Some(1);
    let done = kube::runtime::wait::await_condition(place.api::<Job>(), "k", succeeded);
    timeout(Duration::from_secs(10), done).await.expect("the job did not end").unwrap();

    let set =
        json!({ "replicas": 2, "serviceName": "k", "selector": selector, "template": template("Always") });
    let set: StatefulSet = serde_json::from_value(of(set)).unwrap();
    place.api::<StatefulSet>().create(&post, &set).await.unwrap();
    let two = |set: Option<&StatefulSet>| set.and_then(|set| set.status.as_ref()?.ready_replicas) == Some(2);
    let done = kube::runtime::wait::await_condition(place.api::<StatefulSet>(), "k", two);
    timeout(Duration::from_secs(10), done).await.expect("the set is not ready").unwrap();
    assert!(place.api::<Pod>().get_opt("k-1").await.unwrap().is_some());

    let mut here = template("Always");
    here["metadata"]["labels"] = json!({ "app": "daemon" });
    here["spec"]["nodeSelector"] = json!({ "dr-kubelet/nodes": format!("{}-node", place.namespace) });
    let daemons = json!({ "selector": { "matchLabels": { "app": "daemon" } }, "template": here });
    let daemons: DaemonSet = serde_json::from_value(of(daemons)).unwrap();
    place.api::<DaemonSet>().create(&post, &daemons).await.unwrap();
    let three = |set: Option<&DaemonSet>| {
        set.and_then(|set| set.status.as_ref()).is_some_and(|status| status.number_ready == 3)
    };
    let done = kube::runtime::wait::await_condition(place.api::<DaemonSet>(), "k", three);
    timeout(Duration::from_secs(10), done).await.expect("the daemons are not ready").unwrap();
}

#[tokio::test]
async fn a_node_can_fail_and_come_back() {
    let place = Place::new("node").await;
    let node = place.kubelet.nodes()[0].clone();
    let nodes = Api::<Node>::all(place.client.clone());
    let is = |status: &'static str| {
        move |node: Option<&Node>| {
            let conditions = node.and_then(|node| node.status.as_ref()?.conditions.as_ref());
            conditions
                .into_iter()
                .flatten()
                .any(|condition| condition.type_ == "Ready" && condition.status == status)
        }
    };
    let within = Duration::from_secs(5);
    let wait =
        |status| timeout(within, kube::runtime::wait::await_condition(nodes.clone(), &node, is(status)));
    wait("True").await.expect("it was not ready").unwrap();
    place.kubelet.fail_node(&node);
    wait("False").await.expect("it did not fail").unwrap();
    place.kubelet.restore_node(&node);
    wait("True").await.expect("it did not come back").unwrap();
}
