//! The suites that the models pass too, on real servers. Each case has two namespaces of its own.

use std::collections::BTreeMap;
use std::time::Duration;

use dr_core::resource::{At, Configure, Fence, Setting};
use dr_core::{Result, async_trait};
use dr_testkit::suite::{self, Fixture, Lever, Levers, Subject};
use dr_testkit_kube::{Behaviour, Kubelet, Passage, Relay, Start};
use serde_json::json;

use crate::town::{Place, Town};

#[derive(Debug)]
struct Kubernetes;

#[derive(Debug)]
struct Hands {
    east: Place,
    west: Place,
    /// The kubeconfig is read when a side is first asked.
    _folder: tempfile::TempDir,
}

#[async_trait]
impl Fixture for Kubernetes {
    async fn fresh(&self) -> Result<Subject> {
        let town = Town::new().await?;
        let Town { east, west, resource, folder } = town;
        let mut subject = Subject::new(resource, "east", "west", Hands { east, west, _folder: folder });
        subject.patience = Duration::from_secs(15);
        Ok(subject)
    }
}

impl Hands {
    fn place(&self, side: &dr_core::Side) -> &Place {
        if side.as_str() == "east" { &self.east } else { &self.west }
    }
}

#[async_trait]
impl Levers for Hands {
    async fn pull(&self, lever: &Lever) -> bool {
        let relay = |side| -> &Relay { &self.place(side).relay };
        let kubelet = |side| -> &Kubelet { &self.place(side).kubelet };
        match lever {
            Lever::Silence(side) | Lever::Hang(side) => relay(side).set(Passage::BlackHole),
            Lever::Heal(side) => relay(side).set(Passage::Open),
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
                self.east.patch("deployments", "web", json!({ "spec": { "template": template } })).await;
                self.east.settled().await;
            }
            Lever::BreakRollouts(side) => {
                let place = self.place(side);
                kubelet(side).behave(&place.namespace, Behaviour::new().start(Start::ImagePull));
            }
            _ => return false,
        }
        true
    }

    async fn look(&self) -> Option<String> {
        Some(format!("east\n{}west\n{}", self.east.look().await, self.west.look().await))
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
    let configure = async |subject: &Subject| {
        let url = Setting::Text("postgres://db.west/shop".to_owned());
        let set = BTreeMap::from([("env/DATABASE_URL".to_owned(), url)]);
        Ok(Configure { side: At::Named(subject.source.clone()), of: Vec::new(), set })
    };
    suite::effect::<Configure>(&Kubernetes, |subject| subject.source.clone(), configure).await.assert(13);
}
