//! Five hundred Deployments scaled from none to three and ready: `dr`, beside `kubectl scale` and `kubectl rollout
//! status` for one after the other, on the same server in the same run. Then five thousand pods, and how often the
//! server was asked for them.
//!
//! `cargo bench -p dr-k8s --bench fleet`, optionally with `-- --deployments 50`, `-- --ready-after 2s` (how long a pod takes
//! from its start to being ready; default: no time), `-- --without-kubectl` or `-- --all-first` (kubectl scales all before
//! it waits for the first). `dr` runs in a process of its own, for a peak of memory is the process's. It needs `kubectl`
//! and the servers of `scripts/kube.sh`.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a benchmark that cannot run says so at once"
)]

use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use dr_core::resource::{
    At, Backend, Connect, Cx, Redactor, Replicas, Scale, Secret, SecretRef, SecretSource,
};
use dr_core::time::parse_duration;
use dr_core::{Error, ErrorKind, Result, SystemClock, async_trait};
use dr_testkit_kube::{Behaviour, KubeRegion, Kubelet, KubeletOptions, RegionOptions};
use futures_util::{StreamExt, stream};
use hyper::Request;
use kube::Client;
use serde_json::{Value, json};

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let value = |name: &str| args.iter().skip_while(|arg| *arg != name).nth(1);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    match (value("--kubeconfig"), value("--namespace"), value("--replicas")) {
        (Some(file), Some(namespace), Some(replicas)) => {
            // As the command runs it: one thread.
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(scale(file, namespace, replicas.parse().unwrap()));
        }
        _ => {
            let deployments = value("--deployments").map_or(500, |count| count.parse().unwrap());
            let kubectl = !args.iter().any(|arg| arg == "--without-kubectl");
            let all_first = args.iter().any(|arg| arg == "--all-first");
            let ready_after = value("--ready-after").map_or(Ok(Duration::ZERO), |time| parse_duration(time));
            runtime.block_on(all(deployments, ready_after.unwrap(), kubectl, all_first));
        }
    }
}

async fn all(deployments: usize, ready_after: Duration, beside_kubectl: bool, all_first: bool) {
    let region = KubeRegion::start(RegionOptions::new("fleet")).await.unwrap();
    let options = KubeletOptions::new().behaviour(Behaviour::new().ready_after(ready_after));
    let _kubelet = Kubelet::start(region.warden(), options).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("kubeconfig");
    std::fs::write(&file, region.access().kubeconfig()).unwrap();
    let client = region.access().client().await.unwrap();
    let by_dr = region.access().namespace("by-dr").await.unwrap();
    make(&client, &by_dr, deployments).await;

    let ours = ours(&file, &by_dr, 3);
    if beside_kubectl {
        let by_hand = region.access().namespace("by-hand").await.unwrap();
        make(&client, &by_hand, deployments).await;
        let theirs = theirs(&file, &by_hand, deployments, all_first);
        let how = if all_first { "all scaled first" } else { "one after the other" };
        println!("kubectl, {how}: {:.1} s", theirs.as_secs_f64());
        println!("{:.1} times as fast", theirs.as_secs_f64() / ours);
        // The nodes have room for six thousand pods.
        kubectl(&file, &by_hand, &["scale", "deployments", "--all", "--replicas", "0"]);
    }

    let asked = async || {
        let requests = region.audit().requests().await.unwrap();
        requests.iter().filter(|request| request.namespace == by_dr && request.resource == "pods").count()
    };
    let before = asked().await;
    let each = 5_000_usize.div_ceil(deployments);
    crate::ours(&file, &by_dr, u32::try_from(each).unwrap());
    println!("{} pods watched: {} requests for pods", each * deployments, asked().await - before);
}

/// Runs `dr` in a process of its own; the seconds that its scale took.
fn ours(file: &Path, namespace: &str, replicas: u32) -> f64 {
    let began = Instant::now();
    let Output { status, stdout, .. } = Command::new(std::env::current_exe().unwrap())
        .args(["--kubeconfig", file.to_str().unwrap(), "--namespace", namespace])
        .args(["--replicas", &replicas.to_string()])
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    let whole = began.elapsed();
    if !status.success() {
        panic!("dr ended with {status}");
    }
    print!(
        "dr, to {replicas} each: {:.1} s in all; {}",
        whole.as_secs_f64(),
        String::from_utf8_lossy(&stdout)
    );
    whole.as_secs_f64()
}

fn kubectl(file: &Path, namespace: &str, args: &[&str]) {
    let output = Command::new("kubectl")
        .args(["--kubeconfig", file.to_str().unwrap(), "-n", namespace])
        .args(args)
        .output()
        .unwrap_or_else(|error| panic!("kubectl cannot be run: {error}"));
    if !output.status.success() {
        panic!("kubectl {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

/// The loop of the scripts; or, as favourable to it as can be, all scaled first and then all waited for.
fn theirs(file: &Path, namespace: &str, deployments: usize, all_first: bool) -> Duration {
    let kubectl = |args: &[&str]| kubectl(file, namespace, args);
    let began = Instant::now();
    let names: Vec<String> = (0..deployments).map(|number| format!("deployment/app-{number}")).collect();
    for name in &names {
        kubectl(&["scale", name, "--replicas", "3"]);
        if !all_first {
            kubectl(&["rollout", "status", name, "--timeout", "300s"]);
        }
    }
    if all_first {
        for name in &names {
            kubectl(&["rollout", "status", name, "--timeout", "300s"]);
        }
    }
    began.elapsed()
}

async fn make(client: &Client, namespace: &str, deployments: usize) {
    let path = format!("/apis/apps/v1/namespaces/{namespace}/deployments");
    stream::iter(0..deployments)
        .for_each_concurrent(16, |number| {
            let (client, path) = (client.clone(), path.clone());
            async move {
                let name = format!("app-{number}");
                let labels = json!({ "app": name });
                let container = json!({ "name": "app", "image": "registry.example/app:1" });
                let template =
                    json!({ "metadata": { "labels": labels }, "spec": { "containers": [container] } });
                let spec =
                    json!({ "replicas": 0, "selector": { "matchLabels": labels }, "template": template });
                let object = json!({
                    "apiVersion": "apps/v1", "kind": "Deployment", "metadata": { "name": name }, "spec": spec,
                });
                let body = object.to_string().into_bytes();
                let request = Request::post(path).header("content-type", "application/json").body(body);
                client.request::<Value>(request.unwrap()).await.unwrap();
            }
        })
        .await;
}

#[derive(Debug)]
struct NoSecrets;

#[async_trait]
impl SecretSource for NoSecrets {
    async fn fetch(&self, reference: &SecretRef) -> Result<Secret> {
        Err(Error::new(ErrorKind::NotFound, reference.to_string()))
    }
}

async fn scale(file: &str, namespace: &str, replicas: u32) {
    let config = json!({ "kubeconfig": file, "namespace": namespace, "contexts": { "fleet": "fleet" } });
    let configured = dr_k8s::backend().configure(config).unwrap_or_else(|errors| panic!("{errors:?}"));
    let clock: Arc<dyn dr_core::Clock> = Arc::new(SystemClock);
    let resource = configured.connect(&Connect::new(&NoSecrets, &Redactor::default(), &clock)).await.unwrap();
    let cx = Cx::new("20270115T080000Z-fleets".into(), "bench/scale".into(), Duration::from_secs(900));
    let call =
        Scale { side: At::Named("fleet".into()), replicas: Replicas::Count(replicas), after_drain: false };
    let effect = resource.effect::<Scale>().unwrap();
    let began = Instant::now();
    let was = effect.prepare(&cx, &call).await.unwrap();
    let prepared = began.elapsed();
    let scaled = effect.apply(&cx, &call, &was).await.unwrap();
    let ready: u32 = scaled.workloads.iter().map(|one| one.ready).sum();
    println!(
        "preview {:.1} s, scaled and {ready} ready after {:.1} s, peak {} MiB",
        prepared.as_secs_f64(),
        began.elapsed().as_secs_f64(),
        peak() / 1024
    );
}

/// The most memory that this process ever held, in KiB.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|count| count.parse().ok()).unwrap_or(0)
}
