//! Writers fenced: what counts as proof, and what does not.

use dr_core::ErrorKind;
use dr_core::resource::{At, Fence, FenceHow, FenceOutcome, Fencing, Unfence};
use dr_testkit_kube::{Behaviour, Passage, Stop};
use serde_json::{Value, json};

use crate::town::{Town, cx};

fn fence() -> Fence {
    Fence { side: At::Named("east".into()), when_unreachable: None, await_return: false }
}

fn cronjob(name: &str) -> Value {
    let container = json!({ "name": "job", "image": "registry.example/job:1" });
    let template = json!({ "spec": { "restartPolicy": "Never", "containers": [container] } });
    json!({
        "apiVersion": "batch/v1beta1", "kind": "CronJob", "metadata": { "name": name },
        "spec": { "schedule": "0 4 1 1 *", "jobTemplate": { "spec": { "template": template } } },
    })
}

async fn holds(town: &Town) -> Fencing {
    town.resource.holds().unwrap().holds(&cx(5), &"east".into()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_forgotten_cron_job_is_suspended_and_resumed() {
    let town = Town::new().await.unwrap();
    town.east.put("cronjobs", cronjob("nightly")).await;
    let before = town.east.look().await;
    assert!(matches!(holds(&town).await, Fencing::Open { .. }));
    let (cx, effect) = (cx(30), town.resource.effect::<Fence>().unwrap());
    let was = effect.prepare(&cx, &fence()).await.unwrap();
    let FenceOutcome::Confirmed(proof) = effect.apply(&cx, &fence(), &was).await.unwrap() else {
        panic!("no proof")
    };
    assert_eq!((proof.how, proof.survives_restart), (FenceHow::NoWriters, true));
    assert_eq!(town.east.get("cronjobs", "nightly").await["spec"]["suspend"], true);
    assert!(town.east.all("pods").await.is_empty());
    assert!(matches!(holds(&town).await, Fencing::Confirmed(_)));
    effect.undo(&cx, &fence(), &was.before).await.unwrap();
    assert_eq!(
        before.replace("\"suspend\":false", ""),
        town.east.look().await.replace("\"suspend\":false", "")
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cron_job_that_is_not_suspended_breaks_the_fence() {
    let town = Town::new().await.unwrap();
    let (cx, effect) = (cx(30), town.resource.effect::<Fence>().unwrap());
    let was = effect.prepare(&cx, &fence()).await.unwrap();
    effect.apply(&cx, &fence(), &was).await.unwrap();
    town.east.put("cronjobs", cronjob("nightly")).await;
    let Fencing::Open { why } = holds(&town).await else { panic!("a second writer is not seen") };
    assert!(why.contains("cronjob/nightly is not suspended"), "{why}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pod_that_does_not_go_away_is_no_fence_and_is_named() {
    let stuck = Behaviour::new().stop(Stop::Stuck);
    let town = Town::with(json!({}), stuck).await.unwrap();
    let (cx, effect) = (cx(6), town.resource.effect::<Fence>().unwrap());
    let was = effect.prepare(&cx, &fence()).await.unwrap();
    let error = effect.apply(&cx, &fence(), &was).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotReady, "{error:?}");
    assert!(error.to_string().contains("Terminating"), "{error}");
    let Fencing::Open { why } = holds(&town).await else { panic!("a terminating pod is taken for gone") };
    assert!(why.contains("Terminating"), "{why}");
}

/// P8: workloads that the plan does not name.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_runs_beside_is_a_writer_unless_the_plan_says_that_it_is_not() {
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": { "name": "debug" },
        "spec": { "containers": [{ "name": "debug", "image": "registry.example/debug:1" }] },
    });
    for (except, fenced) in [(json!([]), false), (json!(["pod/debug"]), true)] {
        let town = Town::with(json!({ "fence": { "except": except } }), Behaviour::new()).await.unwrap();
        town.east.put("pods", pod.clone()).await;
        let (cx, effect) = (cx(6), town.resource.effect::<Fence>().unwrap());
        let was = effect.prepare(&cx, &fence()).await.unwrap();
        let result = effect.apply(&cx, &fence(), &was).await;
        assert_eq!(result.is_ok(), fenced, "{result:?}");
        if let Err(error) = result {
            assert!(error.to_string().contains("except: [pod/debug]"), "{error}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn silence_is_no_fence_and_a_server_that_takes_connections_is_alive() {
    let town = Town::new().await.unwrap();
    assert!(matches!(holds(&town).await, Fencing::Open { .. }));
    town.east.weather(Passage::BlackHole);
    assert_eq!(holds(&town).await, Fencing::Hung);
    let cx = cx(3);
    let error = town.resource.effect::<Fence>().unwrap().prepare(&cx, &fence()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Hung, "{error:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fenced_side_is_let_go_as_the_fence_found_it() {
    let town = Town::with(json!({ "fence": { "network_policy": true } }), Behaviour::new()).await.unwrap();
    town.east.put("cronjobs", cronjob("nightly")).await;
    let (cx, effect) = (cx(30), town.resource.effect::<Fence>().unwrap());
    let was = effect.prepare(&cx, &fence()).await.unwrap();
    effect.apply(&cx, &fence(), &was).await.unwrap();
    assert_eq!(town.east.all("networkpolicies").await.len(), 1);
    let call = Unfence { side: At::Named("east".into()) };
    let unfence = town.resource.effect::<Unfence>().unwrap();
    // Proof that nothing was let go yet, and that no request under way can do so.
    unfence.undo(&cx, &call, &was.before).await.unwrap();
    let found = unfence.prepare(&cx, &call).await.unwrap();
    unfence.apply(&cx, &call, &found).await.unwrap();
    assert_eq!(town.east.get("deployments", "web").await["spec"]["replicas"], 2);
    assert_eq!(town.east.get("cronjobs", "nightly").await["spec"]["suspend"], false);
    assert!(town.east.all("networkpolicies").await.is_empty());
    assert!(unfence.prepare(&cx, &call).await.unwrap().is_already());
    let late = unfence.undo(&cx, &call, &was.before).await.unwrap_err();
    assert_eq!(late.kind(), ErrorKind::Refused, "{late:?}");
}
