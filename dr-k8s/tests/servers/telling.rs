//! Configuration switched and switched back, with nothing secret in a journal.

use std::collections::BTreeMap;

use dr_core::ErrorKind;
use dr_core::resource::{At, Configure, Setting};
use serde_json::{Value, json};

use crate::town::{Town, cx};

fn configure(of: &[&str], name: &str, setting: Setting) -> Configure {
    Configure {
        side: At::Named("east".into()),
        of: of.iter().map(|name| (*name).to_owned()).collect(),
        set: BTreeMap::from([(name.to_owned(), setting)]),
    }
}

fn env(deployment: &Value) -> &Value {
    &deployment["spec"]["template"]["spec"]["containers"][0]["env"]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_secret_reaches_the_environment_by_reference_and_leaves_without_a_trace() {
    let town = Town::new().await.unwrap();
    let before = town.east.look().await;
    let (cx, effect) = (cx(30), town.resource.effect::<Configure>().unwrap());
    let call = configure(&["web"], "env/DATABASE_URL", Setting::Secret { secret: "db".to_owned() });
    let was = effect.prepare(&cx, &call).await.unwrap();
    let settled = effect.apply(&cx, &call, &was).await.unwrap();
    assert_eq!(settled.workloads, ["deployment/web"]);
    let web = town.east.get("deployments", "web").await;
    assert!(env(&web)[0]["valueFrom"]["secretKeyRef"]["name"].is_string(), "{}", env(&web));
    let journal = serde_json::to_string(&was).unwrap();
    assert!(!journal.contains("hunter2") && !journal.contains("postgres://"), "{journal}");
    effect.undo(&cx, &call, &was.before).await.unwrap();
    assert_eq!(before, town.east.look().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_reads_a_config_map_is_restarted_and_nobody_else() {
    let town = Town::new().await.unwrap();
    town.east.put("configmaps", json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "app" }, "data": { "A": "1" } })).await;
    let from = json!([{ "configMapRef": { "name": "app" } }]);
    let container = json!({ "name": "api", "image": "registry.example/api:1", "envFrom": from });
    town.east
        .patch(
            "deployments",
            "api",
            json!({ "spec": { "template": { "spec": { "containers": [container] } } } }),
        )
        .await;
    town.east.settled().await;
    let before = town.east.look().await;
    let (cx, effect) = (cx(30), town.resource.effect::<Configure>().unwrap());
    let call = configure(&[], "configmap/app/URL", Setting::Text("postgres://west".to_owned()));
    let was = effect.prepare(&cx, &call).await.unwrap();
    let settled = effect.apply(&cx, &call, &was).await.unwrap();
    assert_eq!(settled.workloads, ["deployment/api"]);
    assert_eq!(town.east.get("configmaps", "app").await["data"]["URL"], "postgres://west");
    let restarted =
        |object: &Value| object["spec"]["template"]["metadata"]["annotations"]["dr.dev/restarted"].clone();
    assert!(restarted(&town.east.get("deployments", "api").await).is_string());
    assert!(restarted(&town.east.get("deployments", "web").await).is_null());
    assert!(effect.prepare(&cx, &call).await.unwrap().is_already());
    effect.undo(&cx, &call, &was.before).await.unwrap();
    assert_eq!(before, town.east.look().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_variable_that_nobody_has_is_refused_and_can_be_set_by_naming_the_container() {
    let town = Town::new().await.unwrap();
    let before = town.east.look().await;
    let (cx, effect) = (cx(30), town.resource.effect::<Configure>().unwrap());
    let text = Setting::Text("west".to_owned());
    let error = effect.prepare(&cx, &configure(&["web"], "env/REGION", text.clone())).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound, "{error:?}");
    assert!(error.to_string().contains("env/CONTAINER/REGION"), "{error}");
    let call = configure(&["web"], "env/web/REGION", text);
    let was = effect.prepare(&cx, &call).await.unwrap();
    effect.apply(&cx, &call, &was).await.unwrap();
    assert_eq!(env(&town.east.get("deployments", "web").await)[1]["value"], "west");
    effect.undo(&cx, &call, &was.before).await.unwrap();
    assert_eq!(before, town.east.look().await);
}
