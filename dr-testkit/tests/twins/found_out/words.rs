//! Words on room, addresses and permissions that are not true.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use dr_core::resource::{Addresses, Cx, Hazard, Proof, Proves, Room, Scale, Verdict, Wanted};
use dr_core::{Result, Side, async_trait};
use dr_testkit::suite;

use super::breaks;
use crate::fixture::Twin;

/// Takes silence for room, and anything for an address that once was one.
#[derive(Debug)]
struct Roomy(Arc<dyn Room>);

#[async_trait]
impl Room for Roomy {
    async fn room(&self, cx: &Cx, call: &Scale) -> Result<Vec<Hazard>> {
        let mut hazards = self.0.room(cx, call).await.unwrap_or_default();
        hazards.iter_mut().for_each(|hazard| hazard.blocks = false);
        Ok(hazards)
    }
}

#[tokio::test(start_paused = true)]
async fn room_that_is_not_there() {
    let twin = Twin::of(|small| {
        let good = small.services.resource();
        let wrong = Roomy(good.room().unwrap());
        good.measuring_room(Arc::new(wrong))
    });
    let report = suite::room(&twin).await;
    breaks(&report, "one replica too many");
    breaks(&report, "never room");
}

/// Remembers the first answer.
#[derive(Debug)]
struct Remembers(Arc<dyn Addresses>, Mutex<BTreeMap<Side, Vec<String>>>);

#[async_trait]
impl Addresses for Remembers {
    async fn addresses(&self, cx: &Cx, side: &Side) -> Result<Vec<String>> {
        let known = || self.1.lock().unwrap_or_else(PoisonError::into_inner);
        let first = known().get(side).cloned();
        if let Some(first) = first {
            return Ok(first);
        }
        let fresh = self.0.addresses(cx, side).await?;
        known().insert(side.clone(), fresh.clone());
        Ok(fresh)
    }
}

#[tokio::test(start_paused = true)]
async fn addresses_that_were_true_once() {
    let twin = Twin::of(|small| {
        let good = small.services.resource();
        let wrong = Remembers(good.addresses().unwrap(), Mutex::default());
        good.addressed(Arc::new(wrong))
    });
    let report = suite::addresses(&twin).await;
    breaks(&report, "it is read from what is there now");
    breaks(&report, "while there is none it is not ready");
    breaks(&report, "a silent side has no known address");
}

/// Asks everywhere, and takes what it could not learn for granted.
#[derive(Debug)]
struct Trusting(Arc<dyn Proves>);

#[async_trait]
impl Proves for Trusting {
    async fn prove(&self, cx: &Cx, wanted: &[Wanted], _gone: Option<&Side>) -> Vec<Proof> {
        let everywhere: Vec<Wanted> = wanted.iter().map(|one| Wanted { side: None, ..one.clone() }).collect();
        let mut proofs = self.0.prove(cx, &everywhere, None).await;
        proofs.iter_mut().for_each(|proof| proof.verdict = Verdict::Proven);
        proofs
    }
}

#[tokio::test(start_paused = true)]
async fn proofs_that_prove_nothing() {
    let twin = Twin::of(|small| {
        let good = small.services.resource();
        let wrong = Trusting(good.proves().unwrap());
        good.proving(Arc::new(wrong))
    })
    .told(|subject| subject.needing("model:scale"));
    let report = suite::proves(&twin).await;
    breaks(&report, "the side that is gone is never contacted");
    breaks(&report, "what cannot be learnt is unknown");
    breaks(&report, "a permission that was taken away is missing");
    breaks(&report, "a verb that it cannot do is not proven");
}
