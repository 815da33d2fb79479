//! A fleet: how long the servers and the stand-in themselves need.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use dr_testkit_kube::{KubeRegion, Kubelet, KubeletOptions, RegionOptions};
use futures_util::{StreamExt, TryStreamExt, stream};
use k8s_openapi::api::apps::v1::Deployment;
use kube::api::{Patch, PatchParams};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, ResourceExt};
use serde_json::json;
use tokio::time::timeout;

use crate::support::{self, create, deployment};

#[tokio::test]
async fn five_hundred_deployments_go_from_none_to_three() {
    const DEPLOYMENTS: usize = 500;
    let region = KubeRegion::start(RegionOptions::new("fleet")).await.unwrap();
    let kubelet = Kubelet::start(region.warden(), KubeletOptions::new()).await.unwrap();
    let client = region.access().client().await.unwrap();
    let namespace = region.access().namespace("fleet").await.unwrap();
    let names: Vec<String> = (0..DEPLOYMENTS).map(|number| format!("app-{number}")).collect();
    let begun = Instant::now();
    stream::iter(&names)
        .for_each_concurrent(16, |name| {
            let (client, namespace) = (&client, &namespace);
            async move { create(client, namespace, &deployment(name, 0)).await }
        })
        .await;
    println!("{DEPLOYMENTS} deployments were made after {:?}", begun.elapsed());

    let api = Api::<Deployment>::namespaced(client.clone(), &namespace);
    let mut events = watcher(api.clone(), watcher::Config::default()).applied_objects().boxed();
    let begun = Instant::now();
    let scale = stream::iter(&names).for_each_concurrent(16, |name| {
        let api = &api;
        async move {
            let scale = Patch::Merge(json!({ "spec": { "replicas": 3 } }));
            api.patch_scale(name, &PatchParams::default(), &scale).await.unwrap();
        }
    });
    let all_ready = async {
        let mut ready = BTreeSet::new();
        while ready.len() < DEPLOYMENTS {
            let deployment = events.try_next().await.unwrap().unwrap();
            if deployment.status.as_ref().and_then(|status| status.ready_replicas) == Some(3) {
                ready.insert(deployment.name_any());
            }
        }
    };
    timeout(Duration::from_secs(180), async { tokio::join!(scale, all_ready) })
        .await
        .expect("not ready in time");
    println!("{} pods were ready after {:?}", DEPLOYMENTS * 3, begun.elapsed());
    for pid in region.processes().into_iter().chain([std::process::id()]) {
        println!("{}", support::memory(pid));
    }
    drop(kubelet);
}

#[tokio::test]
#[ignore = "a minute of two cores: run it for its figures"]
async fn five_thousand_pods_become_ready() {
    const DEPLOYMENTS: usize = 50;
    const EACH: i32 = 100;
    let region = KubeRegion::start(RegionOptions::new("fleet")).await.unwrap();
    let kubelet = Kubelet::start(region.warden(), KubeletOptions::new()).await.unwrap();
    let client = region.access().client().await.unwrap();
    let namespace = region.access().namespace("fleet").await.unwrap();
    let begun = Instant::now();
    for number in 0..DEPLOYMENTS {
        create(&client, &namespace, &deployment(&format!("app-{number}"), EACH)).await;
    }
    for number in 0..DEPLOYMENTS {
        let name = format!("app-{number}");
        support::ready_within(&client, &namespace, &name, EACH, Duration::from_secs(300)).await;
    }
    println!("5000 pods were ready after {:?}", begun.elapsed());
    for pid in region.processes().into_iter().chain([std::process::id()]) {
        println!("{}", support::memory(pid));
    }
    drop(kubelet);
}
