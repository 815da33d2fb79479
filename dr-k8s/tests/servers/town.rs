//! Two namespaces in two real regions, with workloads in them, and a resource that sees both through relays.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use dr_core::resource::{Backend, Connect, Cx, Redactor, Resource, Secret, SecretRef, SecretSource};
use dr_core::{Error, Result, SystemClock, async_trait};
use dr_testkit_kube::{
    Access, Allocatable, Audit, Behaviour, Contexts, Kubelet, KubeletOptions, Passage, Relay, SharedRegion,
};
use hyper::Request;
use kube::Client;
use serde_json::{Value, json};
use tempfile::TempDir;

/// One side of a town.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) access: Access,
    pub(crate) namespace: String,
    pub(crate) relay: Relay,
    pub(crate) kubelet: Kubelet,
    client: Asker,
    audit: Audit,
}

/// Asks past the resource.
struct Asker(Client);

impl std::fmt::Debug for Asker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Asker")
    }
}

/// Two sides.
#[derive(Debug)]
pub(crate) struct Town {
    pub(crate) east: Place,
    pub(crate) west: Place,
    pub(crate) resource: Resource,
    pub(crate) folder: TempDir,
}

/// The only secret of these tests.
pub(crate) const SECRET: &str = "postgres://app:hunter2@db.west/shop";

/// What a Secret holds.
pub(crate) fn decoded(text: &str) -> String {
    String::from_utf8(data_encoding::BASE64.decode(text.as_bytes()).unwrap()).unwrap()
}

#[derive(Debug)]
struct Vault;

#[async_trait]
impl SecretSource for Vault {
    async fn fetch(&self, _: &SecretRef) -> Result<Secret> {
        Ok(Secret::new(SECRET))
    }
}

/// A context with that much time.
pub(crate) fn cx(seconds: u64) -> Cx {
    Cx::new("20270115T080000Z-servers".into(), "test/case".into(), Duration::from_secs(seconds))
}

/// A Deployment.
pub(crate) fn deployment(name: &str, replicas: u32) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": { "name": name, "labels": { "app": name } },
        "spec": {
            "replicas": replicas,
            "selector": { "matchLabels": { "app": name } },
            "template": {
                "metadata": { "labels": { "app": name } },
                "spec": { "terminationGracePeriodSeconds": 1, "containers": [{
                    "name": name, "image": format!("registry.example/{name}:1"),
                    "env": [{ "name": "DATABASE_URL", "value": "postgres://db.east/shop" }],
                    "resources": { "requests": { "cpu": "10m" } },
                }] },
            },
        },
    })
}

/// Where objects of a kind are.
pub(crate) fn path(namespace: &str, plural: &str) -> String {
    let root = match plural {
        "deployments" | "statefulsets" => "/apis/apps/v1",
        "horizontalpodautoscalers" => "/apis/autoscaling/v1",
        "cronjobs" => "/apis/batch/v1beta1",
        "jobs" => "/apis/batch/v1",
        "poddisruptionbudgets" => "/apis/policy/v1beta1",
        "networkpolicies" => "/apis/networking.k8s.io/v1",
        _ => "/api/v1",
    };
    format!("{root}/namespaces/{namespace}/{plural}")
}

impl Place {
    async fn new(region: &SharedRegion, behaviour: Behaviour) -> Result<Self> {
        let namespace = region.access().namespace("town").await?;
        let options = KubeletOptions::new()
            .nodes(1, Allocatable::default())
            .named(format!("{namespace}-node"))
            .only(&namespace)
            .behaviour(behaviour);
        Ok(Self {
            kubelet: Kubelet::start(region.warden(), options).await?,
            relay: region.relay()?,
            client: Asker(region.access().client().await?),
            audit: region.audit(),
            access: region.access().clone(),
            namespace,
        })
    }

    /// Asks the server, past the resource.
    pub(crate) async fn ask(&self, method: &str, path: &str, body: Option<Value>) -> Value {
        let content = if method == "PATCH" { "application/merge-patch+json" } else { "application/json" };
        let body = body.map(|body| body.to_string().into_bytes()).unwrap_or_default();
        let request = Request::builder().method(method).uri(path).header("content-type", content).body(body);
        self.client
            .0
            .request(request.unwrap())
            .await
            .unwrap_or_else(|error| panic!("{method} {path}: {error:?}"))
    }

    /// The same where it may fail.
    pub(crate) async fn try_ask(
        &self,
        method: &str,
        path: &str,
        content: &str,
        body: Option<Value>,
    ) -> Option<Value> {
        let body = body.map(|body| body.to_string().into_bytes()).unwrap_or_default();
        let request = Request::builder().method(method).uri(path).header("content-type", content).body(body);
        self.client.0.request(request.unwrap()).await.ok()
    }

    /// What the server itself would have kubectl print: the columns of `-o wide`, and the rows.
    pub(crate) async fn table(&self, path: &str) -> (Vec<String>, Vec<Vec<String>>) {
        let request = Request::get(path).header("accept", "application/json;as=Table;v=v1;g=meta.k8s.io");
        let table: Value = self.client.0.request(request.body(Vec::new()).unwrap()).await.unwrap();
        let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let columns = table["columnDefinitions"].as_array().unwrap().iter();
        let rows = table["rows"].as_array().unwrap().iter();
        (
            columns.map(|column| text(&column["name"]).to_uppercase()).collect(),
            rows.map(|row| row["cells"].as_array().unwrap().iter().map(text).collect()).collect(),
        )
    }

    /// Has a manager set a Deployment's replicas as they are, and this metadata.
    pub(crate) async fn own(&self, name: &str, manager: &str, mut metadata: Value) {
        metadata["name"] = json!(name);
        let replicas = self.get("deployments", name).await["spec"]["replicas"].clone();
        let object = json!({ "apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": { "replicas": replicas } });
        let path =
            format!("{}/{name}?fieldManager={manager}&force=true", path(&self.namespace, "deployments"));
        let applied = self.try_ask("PATCH", &path, "application/apply-patch+yaml", Some(object)).await;
        assert!(applied.is_some(), "{manager} cannot apply {name}");
    }

    /// Returns when an object is so.
    pub(crate) async fn until(&self, plural: &str, name: &str, is: impl Fn(&Value) -> bool) {
        for _ in 0..400 {
            if is(&self.get(plural, name).await) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("{plural}/{name} does not get there");
    }

    /// How many requests about the namespace the server has answered.
    pub(crate) async fn asked(&self) -> usize {
        let requests = self.audit.requests().await.unwrap();
        requests.iter().filter(|request| request.namespace == self.namespace).count()
    }

    /// Puts an object into the namespace.
    pub(crate) async fn put(&self, plural: &str, object: Value) {
        self.ask("POST", &path(&self.namespace, plural), Some(object)).await;
    }

    /// Changes an object.
    pub(crate) async fn patch(&self, plural: &str, name: &str, patch: Value) -> Value {
        self.ask("PATCH", &format!("{}/{name}", path(&self.namespace, plural)), Some(patch)).await
    }

    /// Reads an object.
    pub(crate) async fn get(&self, plural: &str, name: &str) -> Value {
        self.ask("GET", &format!("{}/{name}", path(&self.namespace, plural)), None).await
    }

    /// Reads all objects of a kind.
    pub(crate) async fn all(&self, plural: &str) -> Vec<Value> {
        let list = self.ask("GET", &path(&self.namespace, plural), None).await;
        list["items"].as_array().cloned().unwrap_or_default()
    }

    /// Returns when all Deployments have what they want.
    pub(crate) async fn settled(&self) {
        for _ in 0..600 {
            let all = self.all("deployments").await;
            let number = |value: &Value| value.as_u64().unwrap_or(0);
            let is = |one: &Value| {
                let (spec, status) = (&one["spec"], &one["status"]);
                status["observedGeneration"] == one["metadata"]["generation"]
                    && [&status["replicas"], &status["readyReplicas"], &status["availableReplicas"]]
                        .iter()
                        .all(|count| number(count) == number(&spec["replicas"]))
            };
            let pods = self.all("pods").await.len() as u64;
            let wanted: u64 = all.iter().map(|one| number(&one["spec"]["replicas"])).sum();
            if all.iter().all(is) && pods == wanted {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("{} does not settle", self.namespace);
    }

    /// What matters of the namespace, as a text that is equal when nothing changed.
    pub(crate) async fn look(&self) -> String {
        let mut text = String::new();
        for plural in [
            "deployments",
            "horizontalpodautoscalers",
            "cronjobs",
            "configmaps",
            "secrets",
            "networkpolicies",
        ] {
            for mut object in self.all(plural).await {
                let name = object["metadata"]["name"].as_str().unwrap_or_default().to_owned();
                if name.contains("-token-") || name == "kube-root-ca.crt" {
                    continue;
                }
                if let Some(annotations) = object["metadata"]["annotations"].as_object_mut() {
                    annotations.remove("deployment.kubernetes.io/revision");
                    annotations.retain(|name, _| !name.starts_with("autoscaling.alpha"));
                }
                let annotations = object["metadata"]["annotations"].as_object().filter(|all| !all.is_empty());
                let (spec, data) = (&object["spec"], &object["data"]);
                writeln!(text, "{plural} {name} {annotations:?} {spec} {data}").unwrap();
            }
        }
        text
    }

    /// The weather before its server.
    pub(crate) fn weather(&self, passage: Passage) {
        self.relay.set(passage);
    }
}

/// Connects a configuration.
pub(crate) async fn connect(config: Value) -> Result<Resource> {
    let configured = dr_k8s::backend().configure(config).unwrap_or_else(|errors| panic!("{errors:?}"));
    let clock: Arc<dyn dr_core::Clock> = Arc::new(SystemClock);
    configured.connect(&Connect::new(&Vault, &Redactor::default(), &clock)).await
}

impl Town {
    /// Two namespaces: `web` and `api` run twice in the east and not in the west.
    pub(crate) async fn new() -> Result<Self> {
        Self::with(json!({}), Behaviour::new()).await
    }

    /// The same with more configuration.
    pub(crate) async fn with(more: Value, behaviour: Behaviour) -> Result<Self> {
        Self::sized(0, more, behaviour, async |place| Ok(place.access.clone())).await
    }

    /// The same with a west of its own, for tests that teach it new kinds.
    pub(crate) async fn apart(more: Value) -> Result<Self> {
        let regions = tokio::try_join!(SharedRegion::named("east"), SharedRegion::named("apart"))?;
        Self::between(regions, 0, more, Behaviour::new(), async |place| Ok(place.access.clone())).await
    }

    /// The same with so many in the west, seen by whoever is let in.
    pub(crate) async fn sized(
        west: u32,
        more: Value,
        behaviour: Behaviour,
        whose: impl AsyncFn(&Place) -> Result<Access>,
    ) -> Result<Self> {
        Self::between(SharedRegion::pair().await?, west, more, behaviour, whose).await
    }

    async fn between(
        (east, west): (SharedRegion, SharedRegion),
        replicas: u32,
        more: Value,
        behaviour: Behaviour,
        whose: impl AsyncFn(&Place) -> Result<Access>,
    ) -> Result<Self> {
        let (east, west) = tokio::try_join!(Place::new(&east, behaviour), Place::new(&west, behaviour))?;
        for (place, replicas) in [(&east, 2), (&west, replicas)] {
            for name in ["web", "api"] {
                place.put("deployments", deployment(name, replicas)).await;
            }
        }
        east.settled().await;
        west.settled().await;
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("kubeconfig");
        let through = async |place: &Place| Ok::<_, Error>(whose(place).await?.via(place.relay.address()));
        Contexts::new()
            .with("prod-east", &through(&east).await?)
            .with("prod-west", &through(&west).await?)
            .write_to(&file)?;
        let mut config = json!({
            "kubeconfig": file,
            "sides": {
                "east": { "context": "prod-east", "namespace": east.namespace },
                "west": { "context": "prod-west", "namespace": west.namespace },
            },
            "secrets": { "db": "${env:DB_URL}" },
        });
        let fields: BTreeMap<String, Value> = serde_json::from_value(more).unwrap();
        config.as_object_mut().unwrap().extend(fields);
        Ok(Self { resource: connect(config).await?, east, west, folder })
    }
}
