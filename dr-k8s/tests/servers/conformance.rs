//! The suites that the models pass too, on real servers. Each case has two namespaces of its own.

use std::collections::BTreeMap;
use std::time::Duration;

use dr_core::resource::{At, Backend, Fence, Setting};
use dr_core::{Result, Side, async_trait};
use dr_testkit::suite::{self, Fixture, Lever, Levers, Subject, Told};
use dr_testkit_kube::{Access, Behaviour, Passage, Rights, Start};
use serde_json::{Value, json};

use crate::town::{Place, SECRET, Town, decoded};

/// Whoever may do anything.
#[derive(Debug)]
struct Kubernetes;

/// Somebody who may do what the plan needs, and nothing else.
#[derive(Debug)]
struct Restricted;

#[derive(Debug)]
struct Hands {
    east: Place,
    west: Place,
    /// The kubeconfig is read when a side is first asked.
    _folder: tempfile::TempDir,
}

async fn subject(town: Town) -> Subject {
    let Town { east, west, resource, folder } = town;
    for (place, ip) in [(&east, "203.0.113.10"), (&west, "203.0.113.11")] {
        let service = json!({
            "apiVersion": "v1", "kind": "Service", "metadata": { "name": "entry" },
            "spec": { "type": "LoadBalancer", "ports": [{ "port": 443 }] },
        });
        place.put("services", service).await;
        entered_at(place, json!([{ "ip": ip }, { "ip": "203.0.113.1" }])).await;
        entered_at(place, json!([{ "ip": ip }])).await;
    }
    let mut subject = Subject::new(resource, "east", "west", Hands { east, west, _folder: folder })
        .setting("env/DATABASE_URL", Setting::Text("postgres://db.west/shop".to_owned()))
        .setting("env/web/TOKEN", Setting::Secret { secret: "db".to_owned() })
        .hiding(SECRET);
    subject.patience = Duration::from_secs(15);
    subject
}

async fn entered_at(place: &Place, ingress: Value) {
    place
        .patch("services", "entry/status", json!({ "status": { "loadBalancer": { "ingress": ingress } } }))
        .await;
}

fn config() -> Value {
    json!({ "address": { "service": "entry" } })
}

#[async_trait]
impl Fixture for Kubernetes {
    async fn fresh(&self) -> Result<Subject> {
        let town = Town::sized(1, config(), Behaviour::new(), async |place| Ok(place.access.clone())).await?;
        Ok(subject(town).await)
    }
}

const VERBS: [&str; 5] = ["observe", "scale", "configure", "fence", "unfence"];

/// What the plan needs, and what it can do without.
fn needed() -> Vec<String> {
    let config = json!({ "namespace": "x", "contexts": { "west": "c" }, "address": { "service": "entry" } });
    let configured = dr_k8s::backend().configure(config).unwrap();
    let mut all: Vec<String> =
        VERBS.iter().flat_map(|verb| configured.needs(verb, None).permissions).collect();
    all.extend(["list nodes", "list poddisruptionbudgets.policy"].map(str::to_owned));
    all.sort();
    all.dedup();
    all
}

#[async_trait]
impl Fixture for Restricted {
    async fn fresh(&self) -> Result<Subject> {
        let whose = async |place: &Place| -> Result<Access> {
            let rights = needed().iter().fold(Rights::everywhere(), |rights, right| {
                let (verb, group, resource) = parts(right);
                rights.allow(&group, &[&resource], &[verb])
            });
            place.access.user(&place.namespace, rights).await
        };
        let town = Town::sized(1, config(), Behaviour::new(), whose).await?;
        let rights = ["patch deployments.apps/scale", "watch pods", "create secrets", "patch cronjobs.batch"];
        Ok(rights.into_iter().fold(subject(town).await, Subject::needing))
    }
}

/// `patch deployments.apps/scale` as a rule has it.
pub(crate) fn parts(right: &str) -> (&str, String, String) {
    let (verb, resource) = right.split_once(' ').unwrap();
    let (of, subresource) = resource.split_once('/').map_or((resource, None), |(of, sub)| (of, Some(sub)));
    let (plural, group) = of.split_once('.').unwrap_or((of, ""));
    let name = subresource.map_or(plural.to_owned(), |sub| format!("{plural}/{sub}"));
    (verb, group.to_owned(), name)
}

impl Hands {
    fn place(&self, side: &Side) -> &Place {
        if side.as_str() == "east" { &self.east } else { &self.west }
    }

    /// Takes a right away, on both sides, and returns when the servers know.
    async fn forbid(&self, right: &str) {
        let (verb, group, resource) = parts(right);
        for place in [&self.east, &self.west] {
            let path = format!("/apis/rbac.authorization.k8s.io/v1/clusterroles/{}", place.namespace);
            let mut role = place.ask("GET", &path, None).await;
            role["rules"].as_array_mut().unwrap().retain(|rule| {
                rule["verbs"][0] != verb
                    || rule["apiGroups"][0] != group.as_str()
                    || rule["resources"][0] != resource.as_str()
            });
            place.ask("PUT", &path, Some(role)).await;
            let (plural, subresource) = resource.split_once('/').unwrap_or((&resource, ""));
            let attributes = json!({
                "namespace": place.namespace, "verb": verb, "group": group, "resource": plural, "subresource": subresource,
            });
            let review = json!({
                "apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview",
                "spec": { "user": format!("system:serviceaccount:default:{}", place.namespace), "resourceAttributes": attributes },
            });
            let reviews = "/apis/authorization.k8s.io/v1/subjectaccessreviews";
            while place.ask("POST", reviews, Some(review.clone())).await["status"]["allowed"] == true {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
    }
}

#[async_trait]
impl Levers for Hands {
    async fn pull(&self, lever: &Lever) -> bool {
        match lever {
            Lever::Silence(side) | Lever::Hang(side) => self.place(side).weather(Passage::BlackHole),
            Lever::Heal(side) => self.place(side).weather(Passage::Open),
            Lever::Meddle("scale") => {
                self.west.patch("deployments", "web", json!({ "spec": { "replicas": 5 } })).await;
                self.west.settled().await;
            }
            Lever::Meddle("fence") => {
                self.east.patch("deployments", "web", json!({ "spec": { "replicas": 5 } })).await;
                self.east.settled().await;
            }
            Lever::Meddle("configure") => {
                let env = json!([{ "name": "DATABASE_URL", "value": "postgres://elsewhere" }]);
                let container = json!({ "name": "web", "image": "registry.example/web:1", "env": env });
                let template = json!({ "spec": { "containers": [container] } });
                self.west.patch("deployments", "web", json!({ "spec": { "template": template } })).await;
                self.west.settled().await;
            }
            Lever::BreakRollouts(side) => {
                let place = self.place(side);
                place.kubelet.behave(&place.namespace, Behaviour::new().start(Start::ImagePull));
            }
            Lever::LiftFence(side) => {
                self.place(side).patch("deployments", "web", json!({ "spec": { "replicas": 1 } })).await;
            }
            Lever::LimitRoom(side, each) => {
                let (place, pods) = (self.place(side), (2 * each).to_string());
                let quota = json!({
                    "apiVersion": "v1", "kind": "ResourceQuota", "metadata": { "name": "small" },
                    "spec": { "hard": { "pods": pods } },
                });
                place.put("resourcequotas", quota).await;
                place
                    .until("resourcequotas", "small", |quota| {
                        quota["status"]["hard"]["pods"] == pods.as_str()
                    })
                    .await;
            }
            Lever::NoAddress(side) => entered_at(self.place(side), json!([])).await,
            Lever::Readdress(side) => {
                entered_at(self.place(side), json!([{ "hostname": "new.example" }])).await
            }
            Lever::Forbid(right) => self.forbid(right).await,
            _ => return false,
        }
        true
    }

    async fn look(&self) -> Option<String> {
        Some(format!("east\n{}west\n{}", self.east.look().await, self.west.look().await))
    }

    async fn told(&self, side: &Side, setting: &str) -> Option<Told> {
        let place = self.place(side);
        let parts: Vec<&str> = setting.split('/').collect();
        let (container, variable) = match parts.as_slice() {
            ["env", variable] => (None, *variable),
            ["env", container, variable] => (Some(*container), *variable),
            _ => return None,
        };
        let mut told = BTreeMap::new();
        for object in place.all("deployments").await {
            let name = object["metadata"]["name"].as_str()?;
            let one = &object["spec"]["template"]["spec"]["containers"][0];
            if container.is_some_and(|wanted| one["name"] != wanted) {
                continue;
            }
            let env = one["env"].as_array().cloned().unwrap_or_default();
            let found = env.into_iter().find(|entry| entry["name"] == variable);
            let value = match found {
                None => None,
                Some(entry) if entry["value"].is_string() => entry["value"].as_str().map(str::to_owned),
                Some(entry) => {
                    let from = &entry["valueFrom"]["secretKeyRef"];
                    let secret = place.get("secrets", from["name"].as_str()?).await;
                    Some(decoded(secret["data"][from["key"].as_str()?].as_str()?))
                }
            };
            told.insert(format!("deployment/{name}"), value);
        }
        Some(told)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kubernetes_keeps_every_promise_of_workloads() {
    suite::workloads(&Kubernetes).await.assert(16);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kubernetes_keeps_every_promise_of_looking() {
    suite::observe(&Kubernetes).await.assert(3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kubernetes_keeps_every_promise_of_a_fence_of_writers() {
    let fence = async |subject: &Subject| {
        Ok(Fence { side: At::Named(subject.source.clone()), when_unreachable: None, await_return: false })
    };
    suite::effect::<Fence>(&Kubernetes, |subject| subject.source.clone(), fence).await.assert(13);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kubernetes_keeps_every_promise_of_configuring() {
    suite::configure(&Kubernetes).await.assert(20);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kubernetes_keeps_every_promise_of_room() {
    suite::room(&Kubernetes).await.assert(4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kubernetes_keeps_every_promise_of_addresses() {
    suite::addresses(&Kubernetes).await.assert(6);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kubernetes_keeps_every_promise_of_proof() {
    suite::proves(&Restricted).await.assert(6);
}
