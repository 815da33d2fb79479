//! The sentences of the traits.

use dr_core::resource::Basis;
use dr_testkit::suite;

use crate::world::{Globals, promote};

#[tokio::test(flavor = "multi_thread")]
async fn every_sentence_about_observing_holds() {
    suite::observe(&Globals).await.assert(3);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_sentence_about_a_fence_holds() {
    suite::fence(&Globals).await.assert(13);
}

/// A switchover needs no fence before it: it fences by itself.
#[tokio::test(flavor = "multi_thread")]
async fn every_sentence_about_a_switchover_holds() {
    let switchover = suite::effect(
        &Globals,
        |subject| subject.target.clone(),
        async |_| Ok(promote(Some(Basis::Planned { fences: Vec::new() }))),
    );
    switchover.await.assert(9);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_sentence_about_following_holds() {
    suite::following(&Globals).await.assert(5);
}
