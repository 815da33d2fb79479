//! Scaling beside autoscalers, other people, bad weather and servers that restart.

use std::time::{Duration, Instant};

use dr_core::resource::{At, Cx, Prepared, Replicas, Scale, Scaled, Staffing, Standing};
use dr_core::{ErrorKind, Result};
use dr_testkit_kube::{
    Behaviour, Contexts, KubeRegion, Kubelet, KubeletOptions, Passage, RegionOptions, Start,
};
use serde_json::{Value, json};

use crate::town::{Town, connect, cx, deployment};

pub(crate) fn scale(side: &str, replicas: Replicas) -> Scale {
    Scale { side: At::Named(side.into()), replicas, after_drain: false }
}

async fn prepare(town: &Town, cx: &Cx, call: &Scale) -> Result<Prepared> {
    town.resource.effect::<Scale>().unwrap().prepare(cx, call).await
}

async fn apply(town: &Town, cx: &Cx, call: &Scale) -> Result<Scaled> {
    let was = prepare(town, cx, call).await?;
    town.resource.effect::<Scale>().unwrap().apply(cx, call, &was).await
}

fn autoscaler(name: &str, min: u32, max: u32) -> Value {
    json!({
        "apiVersion": "autoscaling/v1", "kind": "HorizontalPodAutoscaler", "metadata": { "name": name },
        "spec": {
            "scaleTargetRef": { "apiVersion": "apps/v1", "kind": "Deployment", "name": name },
            "minReplicas": min, "maxReplicas": max, "targetCPUUtilizationPercentage": 80,
        },
    })
}

async fn bounds(town: &Town) -> (u64, u64) {
    let spec = &town.east.get("horizontalpodautoscalers", "web").await["spec"];
    (spec["minReplicas"].as_u64().unwrap(), spec["maxReplicas"].as_u64().unwrap())
}

/// P48: an autoscaler would.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_autoscalers_bounds_are_moved_and_put_back() {
    let town = Town::new().await.unwrap();
    town.east.put("horizontalpodautoscalers", autoscaler("web", 1, 3)).await;
    let (cx, call) = (cx(30), scale("east", Replicas::Count(4)));
    let was = prepare(&town, &cx, &call).await.unwrap();
    let Standing::Would { diff } = &was.standing else { panic!("{was:?}") };
    assert!(diff.to_string().contains("horizontalpodautoscaler/web: 1 to 3 → 4 to 4"), "{diff}");
    let effect = town.resource.effect::<Scale>().unwrap();
    effect.apply(&cx, &call, &was).await.unwrap();
    assert_eq!(bounds(&town).await, (4, 4));
    effect.undo(&cx, &call, &was.before).await.unwrap();
    assert_eq!(bounds(&town).await, (1, 3));
    let annotations = &town.east.get("horizontalpodautoscalers", "web").await["metadata"]["annotations"];
    assert_eq!(annotations["dr.dev/before"], Value::Null);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_later_run_goes_back_to_what_was_before() {
    let town = Town::new().await.unwrap();
    let refused = prepare(&town, &cx(20), &scale("east", Replicas::Before)).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Refused, "{refused:?}");
    town.east.put("horizontalpodautoscalers", autoscaler("web", 2, 3)).await;
    // Twice in one run: the first number is what counts.
    apply(&town, &cx(30), &scale("east", Replicas::Count(4))).await.unwrap();
    apply(&town, &cx(30), &scale("east", Replicas::Count(1))).await.unwrap();
    let later = Cx::new("20270116T080000Z-laters".into(), "test/later".into(), Duration::from_secs(30));
    let scaled = apply(&town, &later, &scale("east", Replicas::Before)).await.unwrap();
    assert!(scaled.workloads.iter().all(|one| (one.desired, one.ready) == (2, 2)), "{scaled:?}");
    assert_eq!(bounds(&town).await, (2, 3));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_part_of_the_other_side_is_rounded_up() {
    let town = Town::new().await.unwrap();
    let half = Replicas::Percent { percent: 25, of: At::Named("east".into()) };
    let scaled = apply(&town, &cx(30), &scale("west", half)).await.unwrap();
    assert!(scaled.workloads.iter().all(|one| one.ready == 1), "{scaled:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_somebody_scaled_meanwhile_stays() {
    let town = Town::new().await.unwrap();
    let (cx, call) = (cx(20), scale("east", Replicas::Count(3)));
    let was = prepare(&town, &cx, &call).await.unwrap();
    town.east.patch("deployments", "web", json!({ "spec": { "replicas": 7 } })).await;
    let error = town.resource.effect::<Scale>().unwrap().apply(&cx, &call, &was).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict, "{error:?}");
    assert!(error.to_string().contains("scaled deployment/web to 7 meanwhile, it was 2"), "{error}");
    assert_eq!(town.east.get("deployments", "web").await["spec"]["replicas"], 7);
    assert_eq!(town.east.get("deployments", "api").await["spec"]["replicas"], 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_roll_out_that_cannot_succeed_says_why_in_its_pods_words() {
    for (start, words) in [
        (Start::ImagePull, "ImagePullBackOff"),
        (Start::CrashLoop, "CrashLoopBackOff"),
        (Start::Unschedulable, "Unschedulable"),
    ] {
        let town = Town::with(json!({ "unschedulable_after": "1s" }), Behaviour::new()).await.unwrap();
        town.west.kubelet.behave(&town.west.namespace, Behaviour::new().start(start));
        let began = Instant::now();
        let error = apply(&town, &cx(60), &scale("west", Replicas::Count(2))).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Refused, "{error:?}");
        assert!(error.to_string().contains(words), "{error}");
        assert!(began.elapsed() < Duration::from_secs(20), "{words} took {:?}", began.elapsed());
        let staffing = town.resource.observer::<Staffing>().unwrap().observe(&cx(10)).await.unwrap();
        let west = staffing.sides["west"].as_ref().unwrap();
        assert!(west.iter().any(|one| one.problems.iter().any(|text| text.contains(words))), "{west:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_quota_that_refuses_pods_fails_the_roll_out_in_its_words() {
    let town = Town::new().await.unwrap();
    let quota = json!({ "apiVersion": "v1", "kind": "ResourceQuota", "metadata": { "name": "small" }, "spec": { "hard": { "pods": "1" } } });
    town.west.put("resourcequotas", quota).await;
    let error = apply(&town, &cx(60), &scale("west", Replicas::Count(2))).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused, "{error:?}");
    assert!(error.to_string().contains("exceeded quota"), "{error}");
}

/// P23: a slow link to an API server.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_seconds_of_latency_change_nothing_but_the_time() {
    let town = Town::new().await.unwrap();
    town.west.weather(Passage::Slow(Duration::from_secs(5)));
    let scaled = apply(&town, &cx(240), &scale("west", Replicas::Count(1))).await.unwrap();
    assert!(scaled.workloads.iter().all(|one| one.ready == 1), "{scaled:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_black_hole_in_one_region_leaves_the_other_known() {
    let town = Town::new().await.unwrap();
    town.east.weather(Passage::BlackHole);
    let began = Instant::now();
    let staffing = town.resource.observer::<Staffing>().unwrap().observe(&cx(4)).await.unwrap();
    assert!(began.elapsed() < Duration::from_millis(4_200), "{:?}", began.elapsed());
    assert_eq!(staffing.sides["east"], None);
    assert_eq!(staffing.sides["west"].as_ref().unwrap().len(), 2);
}

/// A region of this test alone, with a Deployment that takes a while.
async fn alone(options: RegionOptions) -> (KubeRegion, Kubelet, dr_core::Resource, tempfile::TempDir) {
    let region = KubeRegion::start(options).await.unwrap();
    let slow = Behaviour::new().ready_after(Duration::from_secs(6));
    let kubelet = Kubelet::start(region.warden(), KubeletOptions::new().behaviour(slow)).await.unwrap();
    let namespace = region.access().namespace("alone").await.unwrap();
    let client = region.access().client().await.unwrap();
    let body = serde_json::to_vec(&deployment("web", 0)).unwrap();
    let path = format!("/apis/apps/v1/namespaces/{namespace}/deployments");
    let request = hyper::Request::post(path).header("content-type", "application/json").body(body).unwrap();
    client.request::<Value>(request).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("kubeconfig");
    Contexts::new().with("c", region.access()).write_to(&file).unwrap();
    let config = json!({ "kubeconfig": file, "namespace": namespace, "contexts": { "east": "c" } });
    let resource = connect(config).await.unwrap();
    (region, kubelet, resource, folder)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_restarts_in_the_middle_of_a_watch_is_waited_out() {
    let (region, _kubelet, resource, _folder) = alone(RegionOptions::new("restarts")).await;
    let (cx, call) = (cx(90), scale("east", Replicas::Count(2)));
    let effect = resource.effect::<Scale>().unwrap();
    let was = effect.prepare(&cx, &call).await.unwrap();
    let restart = async {
        tokio::time::sleep(Duration::from_secs(2)).await;
        region.restart_api().await.unwrap();
    };
    let (scaled, ()) = tokio::join!(effect.apply(&cx, &call, &was), restart);
    assert_eq!(scaled.unwrap().workloads[0].ready, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_watch_whose_past_is_forgotten_looks_anew() {
    let (region, _kubelet, resource, _folder) =
        alone(RegionOptions::new("forgets").without_watch_cache()).await;
    let (cx, call) = (cx(90), scale("east", Replicas::Count(2)));
    let effect = resource.effect::<Scale>().unwrap();
    let was = effect.prepare(&cx, &call).await.unwrap();
    let forget = async {
        tokio::time::sleep(Duration::from_secs(2)).await;
        region.forget_history().await.unwrap();
        region.restart_api().await.unwrap();
    };
    let (scaled, ()) = tokio::join!(effect.apply(&cx, &call, &was), forget);
    assert_eq!(scaled.unwrap().workloads[0].ready, 2);
}
