//! The sentences of the traits.

use dr_testkit::suite;

use crate::world::Globals;

#[tokio::test(flavor = "multi_thread")]
async fn every_sentence_about_observing_holds() {
    suite::observe(&Globals).await.assert(3);
}
