//! The backend keeps every promise of the capabilities that it offers.

use dr_core::resource::{At, Before, Fence, Prepared, Unfence};
use dr_testkit::suite::{self, Stop, Subject};

use crate::fixture::Redis;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_keeps_every_promise_of_looking() {
    suite::observe(&Redis::as_it_is()).await.assert(3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_keeps_every_promise_of_a_fence() {
    suite::fence(&Redis::as_it_is()).await.assert(19);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_keeps_every_promise_of_an_end_of_a_fence() {
    let fenced = async |subject: &Subject| {
        let fence = subject.resource.effect::<Fence>().unwrap();
        let call: Fence = serde_json::from_value(serde_json::json!({ "in": "east" })).unwrap();
        fence.apply(&subject.cx(), &call, &Prepared::unknown("", Before::nothing())).await?;
        Ok::<_, Stop>(Unfence { side: At::Named("east".into()) })
    };
    suite::effect(&Redis::as_it_is(), |subject| subject.source.clone(), fenced).await.assert(10);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_keeps_every_promise_of_a_promotion() {
    suite::promotion(&Redis::as_it_is()).await.assert(10);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_keeps_every_promise_of_following() {
    suite::following(&Redis::as_it_is()).await.assert(9);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_keeps_every_promise_of_a_store_as_a_whole() {
    suite::copying(&Redis::as_it_is()).await.assert(8);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_keeps_every_promise_of_a_ledger() {
    suite::ledger(&Redis::as_it_is()).await.assert(6);
}
