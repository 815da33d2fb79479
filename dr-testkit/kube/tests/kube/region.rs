//! One region of one's own, and what can be done to its servers.

use std::time::{Duration, Instant};

use dr_testkit_kube::{
    Contexts, KubeRegion, Kubelet, KubeletOptions, Passage, RegionOptions, Rights, SharedRegion,
};
use futures_util::{StreamExt, TryStreamExt};
use k8s_openapi::api::core::v1::{ConfigMap, Node};
use kube::api::{ListParams, PostParams, WatchEvent, WatchParams};
use kube::{Api, Client};

use crate::support::{self, config_map, deployment, ready_within, runs};

#[tokio::test]
async fn two_regions_start_side_by_side_and_know_nothing_of_each_other() {
    let begun = Instant::now();
    let (east, west) = tokio::try_join!(
        KubeRegion::start(RegionOptions::new("east")),
        KubeRegion::start(RegionOptions::new("west")),
    )
    .unwrap();
    println!("two regions after {:?}", begun.elapsed());

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("kubeconfig");
    KubeRegion::kubeconfig_two(&east, &west, &path).unwrap();
    let file = kube::config::Kubeconfig::read_from(&path).unwrap();
    let client = async |context: &str| {
        let options = kube::config::KubeConfigOptions {
            context: Some(context.to_owned()),
            ..kube::config::KubeConfigOptions::default()
        };
        Client::try_from(kube::Config::from_custom_kubeconfig(file.clone(), &options).await.unwrap()).unwrap()
    };
    let (in_east, in_west) = (client("east").await, client("west").await);
    Api::default_namespaced(in_east.clone())
        .create(&PostParams::default(), &config_map("only-east"))
        .await
        .unwrap();
    assert!(Api::<ConfigMap>::default_namespaced(in_east).get_opt("only-east").await.unwrap().is_some());
    assert!(Api::<ConfigMap>::default_namespaced(in_west).get_opt("only-east").await.unwrap().is_none());

    let servers: Vec<u32> = [&east, &west].iter().flat_map(|region| region.processes()).collect();
    for pid in &servers {
        println!("{}", support::memory(*pid));
    }
    assert!(servers.iter().all(|pid| runs(*pid)));
    let folders = [east.folder().to_owned(), west.folder().to_owned()];
    drop((east, west));
    assert!(servers.iter().all(|pid| !runs(*pid)), "a server outlived its region");
    assert!(folders.iter().all(|folder| !folder.exists()), "a folder outlived its region");
}

#[tokio::test]
async fn what_a_region_is_asked_for_survives_a_killed_and_restarted_server() {
    let region = KubeRegion::start(RegionOptions::new("east")).await.unwrap();
    let kubelet = Kubelet::start(region.warden(), KubeletOptions::new()).await.unwrap();
    let client = region.access().client().await.unwrap();
    let namespace = region.access().namespace("restart").await.unwrap();
    support::create(&client, &namespace, &deployment("before", 2)).await;
    ready_within(&client, &namespace, "before", 2, Duration::from_secs(5)).await;

    let address = region.access().address();
    region.kill_api();
    assert_eq!(
        std::net::TcpStream::connect(address).unwrap_err().kind(),
        std::io::ErrorKind::ConnectionRefused
    );
    let begun = Instant::now();
    region.start_api().await.unwrap();
    println!("the API server was back after {:?}", begun.elapsed());

    assert_eq!(support::ready(&client, &namespace, "before").await, 2);
    support::create(&client, &namespace, &deployment("after", 2)).await;
    ready_within(&client, &namespace, "after", 2, Duration::from_secs(20)).await;
    drop(kubelet);
}

#[tokio::test]
async fn a_paused_server_accepts_and_never_answers_until_it_goes_on() {
    let region = KubeRegion::start(RegionOptions::new("east")).await.unwrap();
    let client = region.access().client().await.unwrap();
    region.pause_api().unwrap();
    assert!(std::net::TcpStream::connect(region.access().address()).is_ok());
    let asked = tokio::spawn(async move { client.apiserver_version().await });
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(!asked.is_finished(), "a paused server answered");
    region.resume_api().unwrap();
    asked.await.unwrap().unwrap();
}

/// Watches from a revision that is older than everything, and returns the code of the refusal.
async fn watch_from_the_beginning(client: &Client, revision: &str) -> u16 {
    let api = Api::<ConfigMap>::namespaced(client.clone(), "default");
    let mut events = match api.watch(&WatchParams::default().timeout(1), revision).await {
        Ok(events) => events.boxed(),
        Err(kube::Error::Api(status)) => return status.code,
        Err(error) => panic!("{error}"),
    };
    while let Some(event) = events.try_next().await.unwrap() {
        if let WatchEvent::Error(status) = event {
            return status.code;
        }
    }
    200
}

async fn revision_then_change(client: &Client) -> String {
    let api = Api::<ConfigMap>::namespaced(client.clone(), "default");
    let revision = api.list(&ListParams::default()).await.unwrap().metadata.resource_version.unwrap();
    for name in ["one", "two"] {
        api.create(&PostParams::default(), &config_map(name)).await.unwrap();
    }
    revision
}

#[tokio::test]
async fn a_watch_from_before_a_compaction_is_gone() {
    let region = KubeRegion::start(RegionOptions::new("east").without_watch_cache()).await.unwrap();
    let client = region.access().client().await.unwrap();
    let revision = revision_then_change(&client).await;
    assert_eq!(watch_from_the_beginning(&client, &revision).await, 200);
    region.compact().await.unwrap();
    assert_eq!(watch_from_the_beginning(&client, &revision).await, 410);
}

#[tokio::test]
async fn a_server_that_forgot_its_history_says_gone_with_a_watch_cache_too() {
    let region = KubeRegion::start(RegionOptions::new("east")).await.unwrap();
    let client = region.access().client().await.unwrap();
    let revision = revision_then_change(&client).await;
    assert_eq!(watch_from_the_beginning(&client, &revision).await, 200);
    region.forget_history().await.unwrap();
    assert_eq!(watch_from_the_beginning(&client, &revision).await, 410);
}

#[tokio::test]
async fn an_expired_certificate_is_refused_and_a_stranger_has_no_rights() {
    let region = KubeRegion::start(RegionOptions::new("east")).await.unwrap();
    let code = async |access: &dr_testkit_kube::Access| {
        let client = access.client().await.unwrap();
        match Api::<Node>::all(client).list(&ListParams::default()).await {
            Ok(_) => 200,
            Err(kube::Error::Api(status)) => status.code,
            Err(error) => panic!("{error}"),
        }
    };
    assert_eq!(code(region.access()).await, 200);
    assert_eq!(code(&region.expired().unwrap()).await, 401);
    assert_eq!(code(&region.certified("stranger").unwrap()).await, 403);
    assert_eq!(code(&region.access().with_token("wrong")).await, 401);
}

#[tokio::test]
async fn a_user_may_do_what_its_rights_say_and_nothing_else() {
    let region = SharedRegion::named("east").await.unwrap();
    let namespace = region.access().namespace("rights").await.unwrap();
    let rights = Rights::within(&namespace).allow("", &["configmaps"], &["get", "list"]);
    let reader = region.access().user("reader", rights).await.unwrap().client().await.unwrap();
    let maps = Api::<ConfigMap>::namespaced(reader, &namespace);
    maps.list(&ListParams::default()).await.unwrap();
    let refused = maps.create(&PostParams::default(), &config_map("x")).await.unwrap_err();
    assert!(matches!(refused, kube::Error::Api(status) if status.code == 403));
}

#[tokio::test]
async fn a_relay_delays_answers_and_swallows_them() {
    let region = SharedRegion::named("east").await.unwrap();
    let relay = region.relay().unwrap();
    let client = region.access().via(relay.address()).client().await.unwrap();
    client.apiserver_version().await.unwrap();

    relay.set(Passage::Slow(Duration::from_millis(400)));
    let begun = Instant::now();
    client.apiserver_version().await.unwrap();
    assert!(begun.elapsed() >= Duration::from_millis(400), "{:?}", begun.elapsed());

    relay.set(Passage::BlackHole);
    let lost = tokio::time::timeout(Duration::from_millis(500), client.apiserver_version()).await;
    assert!(lost.is_err(), "an answer came out of a black hole");

    relay.set(Passage::Open);
    client.apiserver_version().await.unwrap();
}

#[tokio::test]
async fn the_audit_log_tells_what_a_user_asked() {
    let region = SharedRegion::named("east").await.unwrap();
    let namespace = region.access().namespace("audit").await.unwrap();
    let rights = Rights::within(&namespace).allow("", &["configmaps"], &["create", "list", "watch"]);
    let user = region.access().user("writer", rights).await.unwrap().client().await.unwrap();
    let maps = Api::<ConfigMap>::namespaced(user, &namespace);
    let dry = PostParams { dry_run: true, ..PostParams::default() };
    maps.create(&dry, &config_map("x")).await.unwrap();
    maps.create(&PostParams::default(), &config_map("x")).await.unwrap();
    let watch = maps.watch(&WatchParams::default(), "0").await.unwrap().boxed().next().await;
    assert!(watch.is_some());

    let who = format!("system:serviceaccount:{namespace}:writer");
    let asked: Vec<_> = region.audit().requests().await.unwrap();
    let asked: Vec<_> =
        asked.iter().filter(|request| request.user == who && request.resource == "configmaps").collect();
    let told: Vec<_> = asked.iter().map(|request| (request.verb.as_str(), request.mutates())).collect();
    assert_eq!(told, [("create", false), ("create", true), ("watch", false)]);
}

#[tokio::test]
async fn tests_that_share_a_region_use_the_same_one() {
    let (east, again) = tokio::try_join!(SharedRegion::named("east"), SharedRegion::named("east")).unwrap();
    assert_eq!(east.access().address(), again.access().address());
    let yaml = Contexts::new().with("a", east.access()).to_yaml();
    assert!(yaml.starts_with("apiVersion: v1\nkind: Config\ncurrent-context: \"a\"\n"), "{yaml}");
}
