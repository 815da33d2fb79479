//! A region's cluster: a namespace of a real API server with the platform's three services.

use std::collections::BTreeMap;
use std::time::Duration;

use dr_testkit_kube::{Access, Kubelet, KubeletOptions, Relay, SharedRegion};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Namespace;
use kube::api::{ListParams, PostParams};
use kube::{Api, Client};
use serde_json::json;

/// The deployments that the handbook scales.
pub(crate) const SERVICES: [&str; 3] = ["order-service", "customer-service", "product-service"];
const PATIENCE: Duration = Duration::from_secs(60);

/// Of each service how many pods are wanted, how many are ready, and which database its container is told.
pub(crate) type Staff = BTreeMap<String, (i32, i32, String)>;

/// One region's cluster, reached by `dr` through a relay that can be cut.
pub(crate) struct Crew {
    pub(crate) relay: Relay,
    pub(crate) kubelet: Kubelet,
    /// Straight to the server.
    pub(crate) admin: Access,
    pub(crate) namespace: String,
    client: Client,
}

impl Crew {
    /// With so many pods of each service, all ready, that are told of this database.
    pub(crate) async fn up(region: &SharedRegion, namespace: &str, replicas: i32, database: &str) -> Self {
        let admin = region.access().clone();
        let client = admin.client().await.unwrap();
        let kubelet = KubeletOptions::new().only(namespace).named(format!("{namespace}-node"));
        let kubelet = Kubelet::start(region.warden(), kubelet).await.unwrap();
        let crew =
            Self { relay: region.relay().unwrap(), kubelet, admin, namespace: namespace.to_owned(), client };
        let made = serde_json::from_value(json!({ "metadata": { "name": namespace } })).unwrap();
        match Api::<Namespace>::all(crew.client.clone()).create(&PostParams::default(), &made).await {
            Ok(_) => {}
            // It was made with its name.
            Err(kube::Error::Api(status)) if status.code == 409 => {}
            Err(error) => panic!("{error}"),
        }
        for name in SERVICES {
            let container = json!({
                "name": "service",
                "image": format!("registry.example.com/{name}:7"),
                "env": [{ "name": "DATABASE_URL", "value": database }],
            });
            let deployment = serde_json::from_value(json!({
                "metadata": { "name": name },
                "spec": {
                    "replicas": replicas,
                    "selector": { "matchLabels": { "app": name } },
                    "template": { "metadata": { "labels": { "app": name } }, "spec": { "containers": [container] } },
                },
            }))
            .unwrap();
            crew.deployments().create(&PostParams::default(), &deployment).await.unwrap();
        }
        crew.await_ready(replicas).await;
        crew
    }

    pub(crate) fn deployments(&self) -> Api<Deployment> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    async fn await_ready(&self, replicas: i32) {
        let end = tokio::time::Instant::now() + PATIENCE;
        while !self.staff().await.values().all(|(wanted, ready, _)| (*wanted, *ready) == (replicas, replicas))
        {
            assert!(tokio::time::Instant::now() < end, "never ready: {:?}", self.staff().await);
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// What runs.
    pub(crate) async fn staff(&self) -> Staff {
        staff(&self.deployments()).await.unwrap()
    }
}

/// What runs; `None` if the server does not say.
pub(crate) async fn staff(deployments: &Api<Deployment>) -> Option<Staff> {
    let told = |deployment: &Deployment| {
        let pod = deployment.spec.template.spec.as_ref()?;
        let env = pod.containers.first()?.env.clone()?;
        env.into_iter().find(|env| env.name == "DATABASE_URL")?.value
    };
    let all = deployments.list(&ListParams::default()).await.ok()?;
    let one = |deployment: Deployment| {
        let told = told(&deployment).unwrap_or_default();
        let wanted = deployment.spec.replicas.unwrap_or(0);
        let ready = deployment.status.and_then(|status| status.ready_replicas).unwrap_or(0);
        (deployment.metadata.name.unwrap_or_default(), (wanted, ready, told))
    };
    Some(all.items.into_iter().map(one).collect())
}
