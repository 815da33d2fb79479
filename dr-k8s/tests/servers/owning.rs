//! Who else decides: found, refused by name, or paused and let go again (P48).

use dr_core::ErrorKind;
use dr_core::resource::{Replicas, Scale};
use dr_testkit_kube::Behaviour;
use serde_json::{Value, json};

use crate::scaling::scale;
use crate::town::{Town, cx};

/// A custom resource as its project's own definition names it.
async fn define(town: &Town, group: &str, version: &str, plural: &str, kind: &str) {
    let schema =
        json!({ "openAPIV3Schema": { "type": "object", "x-kubernetes-preserve-unknown-fields": true } });
    let definition = json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": { "name": format!("{plural}.{group}") },
        "spec": {
            "group": group, "scope": "Namespaced",
            "names": { "plural": plural, "singular": kind.to_lowercase(), "kind": kind },
            "versions": [{ "name": version, "served": true, "storage": true, "schema": schema }],
        },
    });
    let path = format!(
        "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{plural}.{group}?fieldManager=test&force=true"
    );
    let _ = town.west.try_ask("PATCH", &path, "application/apply-patch+yaml", Some(definition)).await;
    let resources = format!("/apis/{group}/{version}");
    for _ in 0..200 {
        let found = town.west.try_ask("GET", &resources, "application/json", None).await;
        let offers = |found: &Value| {
            found["resources"].as_array().is_some_and(|all| all.iter().any(|one| one["name"] == plural))
        };
        if found.as_ref().is_some_and(offers) {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("{plural}.{group} is not offered");
}

fn application(town: &Town, name: &str) -> (String, Value) {
    let path = format!("/apis/argoproj.io/v1alpha1/namespaces/{}/applications", town.west.namespace);
    let object = json!({
        "apiVersion": "argoproj.io/v1alpha1", "kind": "Application", "metadata": { "name": name },
        "spec": { "syncPolicy": { "automated": { "selfHeal": true } } },
    });
    (path, object)
}

/// P48: Argo CD would set the replicas back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_argo_cd_application_that_heals_itself_is_refused_by_name_or_paused() {
    for owners in ["refuse", "pause"] {
        let town = Town::apart(json!({ "owners": owners })).await.unwrap();
        define(&town, "argoproj.io", "v1alpha1", "applications", "Application").await;
        let app = format!("shop-{}", town.west.namespace);
        let (path, object) = application(&town, &app);
        town.west.ask("POST", &path, Some(object)).await;
        let tracking = json!({ "argocd.argoproj.io/tracking-id": format!("{app}:apps/Deployment:x/web") });
        town.west.own("web", "argocd-controller", json!({ "annotations": tracking })).await;
        let (cx, call) = (cx(30), scale("west", Replicas::Count(1)));
        let effect = town.resource.effect::<Scale>().unwrap();
        let prepared = effect.prepare(&cx, &call).await;
        let policy =
            async || town.west.ask("GET", &format!("{path}/{app}"), None).await["spec"]["syncPolicy"].clone();
        if owners == "refuse" {
            let error = prepared.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Refused, "{error:?}");
            let text = error.to_string();
            for part in
                [app.as_str(), "deployment/web", "argocd app set", "owners: pause", "--override owners"]
            {
                assert!(text.contains(part), "{part} is not in {text}");
            }
            let mut over = cx.clone();
            over.overrides = std::sync::Arc::new(["owners".to_owned()].into());
            assert!(effect.prepare(&over, &call).await.is_ok());
            continue;
        }
        let was = prepared.unwrap();
        effect.apply(&cx, &call, &was).await.unwrap();
        assert_eq!(policy().await["automated"], Value::Null);
        effect.undo(&cx, &call, &was.before).await.unwrap();
        assert_eq!(policy().await["automated"]["selfHeal"], true);
    }
}

/// P48: Flux would.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flux_kustomization_is_suspended_and_resumed() {
    let town = Town::apart(json!({ "owners": "pause" })).await.unwrap();
    let group = "kustomize.toolkit.fluxcd.io";
    define(&town, group, "v1", "kustomizations", "Kustomization").await;
    let path = format!("/apis/{group}/v1/namespaces/{}/kustomizations", town.west.namespace);
    let object = json!({ "apiVersion": format!("{group}/v1"), "kind": "Kustomization", "metadata": { "name": "shop" }, "spec": {} });
    town.west.ask("POST", &path, Some(object)).await;
    let labels =
        json!({ format!("{group}/name"): "shop", format!("{group}/namespace"): town.west.namespace });
    town.west.own("web", "kustomize-controller", json!({ "labels": labels })).await;
    let (cx, call) = (cx(30), scale("west", Replicas::Count(1)));
    let effect = town.resource.effect::<Scale>().unwrap();
    let was = effect.prepare(&cx, &call).await.unwrap();
    effect.apply(&cx, &call, &was).await.unwrap();
    let suspend =
        async || town.west.ask("GET", &format!("{path}/shop"), None).await["spec"]["suspend"].clone();
    assert_eq!(suspend().await, true);
    effect.undo(&cx, &call, &was.before).await.unwrap();
    assert_eq!(suspend().await, Value::Null);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_owner_that_did_not_set_the_replicas_is_no_obstacle() {
    let town = Town::apart(json!({})).await.unwrap();
    define(&town, "argoproj.io", "v1alpha1", "applications", "Application").await;
    let tracking =
        json!({ "annotations": { "argocd.argoproj.io/tracking-id": "shop:apps/Deployment:x/web" } });
    // It only put its annotation on: the autoscaler's manifest leaves the number out, as it should.
    town.west.patch("deployments", "web", json!({ "metadata": tracking })).await;
    let effect = town.resource.effect::<Scale>().unwrap();
    effect.prepare(&cx(20), &scale("west", Replicas::Count(1))).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_roll_out_that_is_under_way_is_refused_by_name() {
    let slow = Behaviour::new().ready_after(std::time::Duration::from_secs(60));
    let town = Town::new().await.unwrap();
    town.east.kubelet.behave(&town.east.namespace, slow);
    let container = json!({ "name": "web", "image": "registry.example/web:2" });
    let deploy = json!({ "spec": { "template": { "spec": { "containers": [container] } } } });
    town.east.patch("deployments", "web", deploy).await;
    let effect = town.resource.effect::<Scale>().unwrap();
    let call = scale("east", Replicas::Count(4));
    let mut error = None;
    for _ in 0..100 {
        match effect.prepare(&cx(20), &call).await {
            Ok(_) => tokio::time::sleep(std::time::Duration::from_millis(50)).await,
            Err(found) => {
                error = Some(found);
                break;
            }
        }
    }
    let error = error.unwrap_or_else(|| panic!("a roll-out under way is not seen"));
    assert!(error.to_string().contains("a roll-out of deployment/web that is under way"), "{error}");
}
