//! `dr ready`: proofs that change nothing.

use dr_core::Side;
use dr_core::resource::{Proof, Verdict, Wanted};
use serde_json::json;

use crate::support::{Entry, Ground, SECOND};

async fn proofs(entry: &Entry, gone: Option<&str>) -> Vec<Proof> {
    let wanted = [Wanted { verb: "route".to_owned(), side: Some(Side::new("west")) }];
    let gone = gone.map(Side::new);
    entry.resource.proves().unwrap().prove(&entry.cx(10 * SECOND), &wanted, gone.as_ref()).await
}

#[tokio::test]
async fn every_right_is_proven_without_a_change() {
    let ground = Ground::simple().await;
    let before = ground.look().await;
    let entry = ground.entry(json!({})).await;
    let found = proofs(&entry, None).await;
    assert!(found.iter().all(|proof| proof.verdict == Verdict::Proven), "{found:#?}");
    assert!(found.len() >= 7, "the API's three and four name servers: {found:#?}");
    assert_eq!(before, ground.look().await);
}

/// P17: each right of the records' API removed in turn.
#[tokio::test]
async fn each_missing_right_is_found() {
    for right in ["route53:ChangeResourceRecordSets", "route53:GetChange", "route53:ListResourceRecordSets"] {
        let ground = Ground::simple().await;
        ground.aws.deny(right);
        let entry = ground.entry(json!({})).await;
        let missing: Vec<Proof> = proofs(&entry, None)
            .await
            .into_iter()
            .filter(|proof| proof.verdict == Verdict::Missing)
            .collect();
        assert_eq!(missing.len(), 1, "{right}: {missing:#?}");
        assert!(missing[0].what.contains(right), "{missing:#?}");
    }
}

#[tokio::test]
async fn with_us_east_1_taken_for_gone_nobody_there_is_asked() {
    let ground = Ground::simple().await;
    let entry = ground.entry(json!({})).await;
    let found = proofs(&entry, Some("east")).await;
    assert!(ground.aws.calls().is_empty(), "{:?}", ground.aws.calls());
    assert!(found.iter().any(|proof| proof.verdict == Verdict::Missing), "{found:#?}");
    assert!(
        found.iter().any(|proof| proof.verdict == Verdict::Proven),
        "the name servers are asked: {found:#?}"
    );
}
