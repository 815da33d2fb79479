//! A region's cluster: a namespace of a real API server with the fifteen services, looked at past the code under test.

use std::collections::BTreeMap;
use std::time::Duration;

use dr_testkit_kube::{Access, Kubelet, KubeletOptions, Relay, SharedRegion};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Namespace, Service};
use kube::api::{ListParams, Patch, PatchParams, PostParams};
use kube::{Api, Client};
use serde_json::json;

/// The services, as the runbook lists them.
pub(crate) const SERVICES: [&str; 15] = [
    "prod-teei-api-gateway",
    "prod-teei-unified-profile",
    "prod-teei-reporting",
    "prod-teei-analytics",
    "prod-teei-journey-engine",
    "prod-teei-notifications",
    "prod-teei-buddy-service",
    "prod-teei-kintell-connector",
    "prod-teei-upskilling-connector",
    "prod-teei-q2q-ai",
    "prod-teei-safety-moderation",
    "prod-teei-buddy-connector",
    "prod-teei-discord-bot",
    "prod-teei-impact-calculator",
    "prod-teei-impact-in",
];
const INGRESS: &str = "ingress-nginx-controller";
const PATIENCE: Duration = Duration::from_secs(60);

/// Of each service how many pods are wanted, how many are ready, and what its container is told.
pub(crate) type Staff = BTreeMap<String, (i32, i32, BTreeMap<String, String>)>;

/// One region's cluster, reached by `dr` through a relay that can be cut.
pub(crate) struct Cluster {
    pub(crate) relay: Relay,
    pub(crate) kubelet: Kubelet,
    /// Straight to the server.
    pub(crate) admin: Access,
    pub(crate) namespace: String,
    client: Client,
}

impl Cluster {
    /// With so many pods of each service, all ready, and an ingress at that address.
    pub(crate) async fn up(region: &SharedRegion, namespace: &str, replicas: i32, ingress: &str) -> Self {
        let admin = region.access().clone();
        let client = admin.client().await.unwrap();
        let kubelet = KubeletOptions::new().only(namespace).named(format!("{namespace}-node"));
        let kubelet = Kubelet::start(region.warden(), kubelet).await.unwrap();
        let cluster =
            Self { relay: region.relay().unwrap(), kubelet, admin, namespace: namespace.to_owned(), client };
        cluster.make_namespace().await;
        cluster.make_ingress(ingress).await;
        for name in SERVICES {
            cluster.make_service(name, replicas).await;
        }
        cluster.await_ready(replicas).await;
        cluster
    }

    async fn make_namespace(&self) {
        let namespace = json!({ "metadata": { "name": self.namespace } });
        let namespace: Namespace = serde_json::from_value(namespace).unwrap();
        let all = Api::<Namespace>::all(self.client.clone());
        match all.create(&PostParams::default(), &namespace).await {
            Ok(_) => {}
            // It was made with its name.
            Err(kube::Error::Api(status)) if status.code == 409 => {}
            Err(error) => panic!("{error}"),
        }
    }

    async fn make_ingress(&self, address: &str) {
        let service: Service = serde_json::from_value(json!({
            "metadata": { "name": INGRESS },
            "spec": { "type": "LoadBalancer", "selector": { "app": INGRESS }, "ports": [{ "port": 80 }] },
        }))
        .unwrap();
        let all = Api::<Service>::namespaced(self.client.clone(), &self.namespace);
        all.create(&PostParams::default(), &service).await.unwrap();
        let status = json!({ "status": { "loadBalancer": { "ingress": [{ "ip": address }] } } });
        all.patch_status(INGRESS, &PatchParams::default(), &Patch::Merge(status)).await.unwrap();
    }

    async fn make_service(&self, name: &str, replicas: i32) {
        let container = json!({
            "name": "service",
            "image": format!("registry.example.com/{name}:7"),
            "env": [
                { "name": "DATABASE_URL", "value": "postgres://of-old" },
                { "name": "SERVING_REGION", "value": "of-old" },
            ],
        });
        let deployment: Deployment = serde_json::from_value(json!({
            "metadata": { "name": name },
            "spec": {
                "replicas": replicas,
                "selector": { "matchLabels": { "app": name } },
                "template": { "metadata": { "labels": { "app": name } }, "spec": { "containers": [container] } },
            },
        }))
        .unwrap();
        self.deployments().create(&PostParams::default(), &deployment).await.unwrap();
    }

    fn deployments(&self) -> Api<Deployment> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    /// Scales every service as a person does.
    pub(crate) async fn scale_by_hand(&self, replicas: i32) {
        let patch = Patch::Merge(json!({ "spec": { "replicas": replicas } }));
        for name in SERVICES {
            self.deployments().patch_scale(name, &PatchParams::default(), &patch).await.unwrap();
        }
        self.await_ready(replicas).await;
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
        let all = self.deployments().list(&ListParams::default()).await.unwrap();
        let told = |deployment: &Deployment| {
            let pod = deployment.spec.template.spec.as_ref()?;
            let env = pod.containers.first()?.env.clone()?;
            let source = |from: k8s_openapi::api::core::v1::EnvVarSource| {
                from.secret_key_ref.map_or_else(String::new, |key| format!("the secret {}", key.name))
            };
            let value = |value: Option<String>, from: Option<_>| {
                value.or_else(|| from.map(source)).unwrap_or_default()
            };
            Some(env.into_iter().map(|env| (env.name, value(env.value, env.value_from))).collect())
        };
        let mut staff = Staff::new();
        for deployment in all.items {
            let told = told(&deployment).unwrap_or_default();
            let wanted = deployment.spec.replicas.unwrap_or(0);
            let ready = deployment.status.and_then(|status| status.ready_replicas).unwrap_or(0);
            staff.insert(deployment.metadata.name.unwrap(), (wanted, ready, told));
        }
        staff
    }
}
