//! What the handbook's way home would have done.

use crate::cloud::FAILBACK;
use crate::fitting::Fitting;
use crate::support::{dr, run};

/// The handbook's days three to five.
const SEEDS_SHIFT: &str = "      - { route: entry, to: target, share: 10, after: [\"restore:database\"] }\n";

#[test]
fn the_handbooks_failback_onto_a_restored_copy_is_refused_before_anything_runs() {
    let folder = tempfile::TempDir::new().unwrap();
    let ours = "      - { route: catalogue, to: target, shares: [10, 50], serving: reads, bake: 24h, gate: shop-home }\n";
    let restore = "      - { restore: database, in: target, into: ecommerce-db-primary-new }\n";
    let plan = Fitting::example(FAILBACK).fit(ours, &format!("{restore}{SEEDS_SHIFT}")).write(folder.path());
    let said = run(dr().arg("check").arg(&plan)).ends(3);
    let told = format!("{}{}", said.out, said.err);
    for code in ["callers-on-a-copy", "share-without-one-writer"] {
        assert!(told.contains(code), "{code} is not in:\n{told}");
    }
}
