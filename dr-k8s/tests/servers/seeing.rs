//! What is seen of a cluster, what is proven before a run, and whether there is room.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use dr_core::resource::{Backend, Fact, Observation, Progress, Replicas, Scale, Verdict, Wanted};
use dr_core::{ErrorKind, Side};
use dr_k8s::ClusterState;
use dr_testkit_kube::{Behaviour, Contexts, Passage, Rights, Start};
use serde_json::{Value, json};

use crate::conformance::parts;
use crate::scaling::scale;
use crate::town::{Town, connect, cx, path};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deployments_pods_and_nodes_are_kept_as_tables() {
    let town = Town::new().await.unwrap();
    let state = town.resource.observer::<ClusterState>().unwrap().observe(&cx(10)).await.unwrap();
    let tables = &state.tables()["east"];
    let row = |table: &str, name: &str| {
        let line = tables[table].lines().find(|line| line.starts_with(name)).map(str::to_owned);
        line.unwrap_or_else(|| panic!("no {name} in\n{}", tables[table]))
    };
    let web = row("deployments", "web ");
    let cells: Vec<&str> = web.split_whitespace().collect();
    assert_eq!((cells[1], cells[2], cells[3]), ("2/2", "2", "2"), "{web}");
    assert!(web.ends_with("registry.example/web:1   app=web"), "{web}");
    let pod = row("pods", "web-");
    assert!(pod.contains("1/1     Running"), "{pod}");
    assert!(row("nodes", &town.east.namespace).contains("Ready"), "{}", tables["nodes"]);
    assert_eq!(state.facts_by_side()[&Side::new("east")]["pods"].to_string(), "4 of 4");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_asks_about_one_side_does_not_wait_for_a_lost_one() {
    let town = Town::new().await.unwrap();
    town.east.weather(Passage::BlackHole);
    let said = Arc::new(Mutex::new(Vec::new()));
    let (mut cx, west) = (cx(10), Side::new("west"));
    let heard = Arc::clone(&said);
    cx.progress = Progress::to(move |text| heard.lock().unwrap().push(text.to_owned()));
    for watch in town.resource.watches() {
        let seen = watch.watch_side(&cx, &west).await.unwrap();
        assert!(seen.sides[&west].values().all(|fact| *fact != Fact::Unknown), "{seen:?}");
    }
    assert!(said.lock().unwrap().is_empty(), "the lost side was asked: {said:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_tables_are_those_that_kubectl_prints() {
    let town = Town::new().await.unwrap();
    let place = &town.east;
    place.kubelet.behave(&place.namespace, Behaviour::new().start(Start::CrashLoop));
    place.patch("deployments", "api", json!({ "spec": { "replicas": 3 } })).await;
    let crashes = |pods: &[Value]| {
        let reason =
            |pod: &Value| pod["status"]["containerStatuses"][0]["state"]["waiting"]["reason"].clone();
        pods.iter().any(|pod| reason(pod) == "CrashLoopBackOff")
    };
    while !crashes(&place.all("pods").await) {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    for (name, path) in [
        ("deployments", path(&place.namespace, "deployments")),
        ("pods", path(&place.namespace, "pods")),
        ("nodes", "/api/v1/nodes".to_owned()),
    ] {
        // What crashes goes on crashing: a look between two of its states is compared with another one.
        let mut differs = String::new();
        for _ in 0..50 {
            let state = town.resource.observer::<ClusterState>().unwrap().observe(&cx(10)).await.unwrap();
            let ours = state.tables()["east"][name].clone();
            let (columns, rows) = place.table(&path).await;
            differs = difference(&ours, &columns, &rows);
            if differs.is_empty() {
                break;
            }
        }
        assert_eq!(differs, "", "{name}");
    }
}

/// What of our table is not as the server prints it. Ages differ by the moment of the look.
fn difference(ours: &str, columns: &[String], rows: &[Vec<String>]) -> String {
    let cells = |line: &str| -> Vec<String> {
        line.split("   ").map(str::trim).filter(|cell| !cell.is_empty()).map(str::to_owned).collect()
    };
    let mut lines = ours.lines().map(cells);
    let header = lines.next().unwrap_or_default();
    if header != columns {
        return format!("{header:?} and {columns:?}");
    }
    let age = header.iter().position(|column| column == "AGE");
    let ageless = |mut row: Vec<String>| -> Vec<String> {
        if let Some(age) = age {
            row.remove(age);
        }
        // Since 1.22 the server says how long ago a restart was.
        row.iter().map(|cell| cell.split(" (").next().unwrap_or_default().to_owned()).collect()
    };
    let ours: Vec<Vec<String>> = lines.map(ageless).collect();
    let theirs: Vec<Vec<String>> = rows.iter().cloned().map(ageless).collect();
    if ours == theirs { String::new() } else { format!("{ours:#?}\nand\n{theirs:#?}") }
}

/// Every right that the plan needs, as rules; one may be left out.
fn rights(namespace: &str, without: Option<&str>) -> Rights {
    let config = json!({ "namespace": "x", "contexts": { "west": "c" } });
    let configured = dr_k8s::backend().configure(config).unwrap();
    let needed: BTreeSet<String> =
        ["observe", "scale"].iter().flat_map(|verb| configured.needs(verb, None).permissions).collect();
    needed.iter().filter(|right| Some(right.as_str()) != without).fold(
        Rights::within(namespace),
        |rights, right| {
            let (verb, group, resource) = parts(right);
            rights.allow(&group, &[&resource], &[verb])
        },
    )
}

async fn as_user(town: &Town, name: &str, without: Option<&str>) -> (dr_core::Resource, tempfile::TempDir) {
    let place = &town.west;
    let user = place.access.user(name, rights(&place.namespace, without)).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("kubeconfig");
    Contexts::new().with("c", &user).write_to(&file).unwrap();
    let config = json!({ "kubeconfig": file, "namespace": place.namespace, "contexts": { "west": "c" } });
    (connect(config).await.unwrap(), folder)
}

/// P17: each right removed in turn.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_missing_right_is_named_before_a_run_and_by_the_preview() {
    let town = Town::new().await.unwrap();
    let wanted = [Wanted { verb: "scale".to_owned(), side: Some("west".into()) }];
    let (all, _folder) = as_user(&town, "all", None).await;
    let proofs = all.proves().unwrap().prove(&cx(20), &wanted, None).await;
    assert!(proofs.iter().all(|proof| proof.verdict != Verdict::Missing), "{proofs:#?}");
    assert!(proofs.len() > 10, "{}", proofs.len());
    let call = scale("west", Replicas::Count(1));
    all.effect::<Scale>().unwrap().prepare(&cx(20), &call).await.unwrap();
    for (index, right) in [
        "patch deployments.apps/scale",
        "patch deployments.apps",
        "list deployments.apps",
        "list pods",
        "list horizontalpodautoscalers.autoscaling",
        "watch pods",
        "list resourcequotas",
    ]
    .into_iter()
    .enumerate()
    {
        let (lacks, _folder) = as_user(&town, &format!("lacks-{index}"), Some(right)).await;
        let proofs = lacks.proves().unwrap().prove(&cx(20), &wanted, None).await;
        let missing: Vec<&str> = proofs
            .iter()
            .filter(|proof| proof.verdict == Verdict::Missing)
            .map(|proof| proof.what.as_str())
            .collect();
        assert_eq!(missing.len(), 1, "{right}: {missing:?}");
        assert!(missing[0].starts_with(&format!("{right} in ")), "{right}: {missing:?}");
        if index < 3 {
            let error = lacks.effect::<Scale>().unwrap().prepare(&cx(20), &call).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Unauthorized, "{right}: {error:?}");
            assert!(error.to_string().contains("cannot "), "{right}: {error}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_proof_never_asks_the_side_that_is_gone() {
    let town = Town::new().await.unwrap();
    let before = town.east.asked().await;
    let wanted = [Wanted { verb: "scale".to_owned(), side: None }];
    let proofs = town.resource.proves().unwrap().prove(&cx(20), &wanted, Some(&"east".into())).await;
    assert!(!proofs.is_empty() && proofs.iter().all(|proof| proof.what.contains("west")), "{proofs:#?}");
    assert_eq!(before, town.east.asked().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_quota_blocks_with_its_code_before_anything_is_touched() {
    let registries = json!({ "registries": { "registry.example": "east" } });
    let town = Town::with(registries, Behaviour::new()).await.unwrap();
    let quota = json!({ "apiVersion": "v1", "kind": "ResourceQuota", "metadata": { "name": "small" }, "spec": { "hard": { "pods": "3", "requests.cpu": "1" } } });
    town.west.put("resourcequotas", quota).await;
    town.west.until("resourcequotas", "small", |quota| quota["status"]["hard"]["pods"] == "3").await;
    let room = town.resource.room().unwrap();
    let hazards = room.room(&cx(20), &scale("west", Replicas::Count(2))).await.unwrap();
    let quota = hazards.iter().find(|hazard| hazard.code == "quota").unwrap_or_else(|| panic!("{hazards:?}"));
    assert!(quota.blocks && quota.message.contains("pods: 0 of 3 used, 4 more needed"), "{quota:?}");
    let image = hazards
        .iter()
        .find(|hazard| hazard.code == "image-registry")
        .unwrap_or_else(|| panic!("{hazards:?}"));
    assert!(!image.blocks, "the other region stands, in a planned run");
    let hazards = room.room(&cx(20), &scale("west", Replicas::Count(1))).await.unwrap();
    assert!(!hazards.iter().any(|hazard| hazard.code == "quota"), "{hazards:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn too_little_room_on_the_nodes_is_told() {
    let town = Town::with(json!({ "capacity": "block" }), Behaviour::new()).await.unwrap();
    let resources = json!({ "requests": { "cpu": "10000" } });
    let container = json!({ "name": "web", "image": "registry.example/web:1", "resources": resources });
    town.west
        .patch(
            "deployments",
            "web",
            json!({ "spec": { "template": { "spec": { "containers": [container] } } } }),
        )
        .await;
    let hazards =
        town.resource.room().unwrap().room(&cx(20), &scale("west", Replicas::Count(2))).await.unwrap();
    let capacity =
        hazards.iter().find(|hazard| hazard.code == "capacity").unwrap_or_else(|| panic!("{hazards:?}"));
    assert!(capacity.blocks && capacity.message.contains("cpu: "), "{capacity:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_side_is_entered_where_its_load_balancer_is() {
    let town = Town::with(json!({ "address": { "service": "entry" } }), Behaviour::new()).await.unwrap();
    let service = json!({
        "apiVersion": "v1", "kind": "Service", "metadata": { "name": "entry" },
        "spec": { "type": "LoadBalancer", "ports": [{ "port": 443 }] },
    });
    town.west.put("services", service).await;
    let addresses = town.resource.addresses().unwrap();
    let pending = addresses.addresses(&cx(10), &"west".into()).await.unwrap_err();
    assert_eq!(pending.kind(), ErrorKind::NotReady, "{pending:?}");
    let ingress: Value = json!([{ "ip": "203.0.113.11" }, { "hostname": "a.example" }]);
    let status = json!({ "status": { "loadBalancer": { "ingress": ingress } } });
    town.west.patch("services", "entry/status", status).await;
    assert_eq!(addresses.addresses(&cx(10), &"west".into()).await.unwrap(), ["203.0.113.11", "a.example"]);
}
