//! Real PostgreSQL through the suites that the models pass too. Each case has a pair of its own.

#[cfg(test)]
mod fixture;
#[cfg(test)]
mod road;
#[cfg(test)]
#[expect(dead_code, reason = "shared with tests that use the rest of it")]
#[path = "../servers/support.rs"]
mod support;

use dr_testkit::suite;
use fixture::Postgres;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_keeps_every_promise_of_a_ledger() {
    suite::ledger(&Postgres).await.assert(6);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_keeps_every_promise_of_a_fence() {
    suite::fence(&Postgres).await.assert(17);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_keeps_every_promise_of_looking() {
    suite::observe(&Postgres).await.assert(3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_keeps_every_promise_of_a_promotion() {
    suite::promotion(&Postgres).await.assert(10);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_keeps_every_promise_of_following() {
    suite::following(&Postgres).await.assert(9);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_keeps_every_promise_of_a_pause() {
    suite::pausing(&Postgres).await.assert(13);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_keeps_every_promise_of_an_end_of_a_pause() {
    suite::unpausing(&Postgres).await.assert(13);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_keeps_every_promise_of_a_store_as_a_whole() {
    suite::copying(&Postgres).await.assert(7);
}
