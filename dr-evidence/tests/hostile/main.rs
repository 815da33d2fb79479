//! Bundles and events from outside: what the fuzz targets assert (`fuzz/bodies/`), on mutants of the same seeds, the same
//! ones at every run.

#![expect(clippy::panic, clippy::expect_used, reason = "a body says what is wrong by failing")]

#[path = "../../../fuzz/bodies/evidence.rs"]
mod evidence;
#[path = "../../../fuzz/bodies/manifest.rs"]
mod manifest;
#[path = "../../../fuzz/bodies/mutants.rs"]
mod mutants;

use dr_core::event::{Debt, DebtKind, Ending, Event, Mode};
use dr_evidence::{Metrics, show, verify};
use manifest::common;

/// P32: a hostile manifest, thousands of times.
#[test]
fn no_mutant_of_a_manifest_is_sound_or_brings_down_the_verification() {
    mutants::each(&mutants::seeds("manifest"), 300, manifest::run);
}

/// P32: events by another hand, chained as ours are.
#[test]
fn whatever_journal_folds_is_sealed_and_what_is_sealed_is_sound() {
    mutants::each(&mutants::seeds("journal"), 100, evidence::run);
}

/// P14: a debt with a reason that is longer than a page.
/// Found: a table's cell of more than 65,535 letters was a panic, and so the evidence of that run could not be sealed.
#[test]
fn a_text_longer_than_any_column_is_sealed_and_shown() {
    let why = "x".repeat(100_000);
    let debt = Debt {
        kind: DebtKind::Guard,
        resource: why.as_str().into(),
        side: why.as_str().into(),
        why: why.clone(),
    };
    let mut tape = common::Tape::begin(common::began(Mode::Failover));
    tape.observed("before").step("preflight/observe:orders", 5, &why);
    tape.say(1, Event::DebtOpened(debt)).end(Ending::Recovered, &why, &[]);
    let root = tempfile::tempdir().expect("a folder");
    let sealed = common::seal(&tape, root.path(), None);
    assert!(verify(&sealed.folder).is_sound());
    assert!(show(&sealed.folder).expect("a summary").contains(&why));
}

/// Found: the sum of two ledgers' counts was an overflow.
#[test]
fn counts_that_no_ledger_can_have_are_no_overflow() {
    let mut tape = common::Tape::begin(common::began(Mode::Failover));
    let mut measured = common::measurement(765.0, &[]);
    measured.losses.push(measured.losses[0].clone());
    for loss in &mut measured.losses {
        loss.acknowledged = u64::MAX;
    }
    tape.measured(measured).end(Ending::Succeeded, "", &[]);
    assert_eq!(Metrics::of(&tape.lines()).expect("metrics").acknowledged_writes, Some(u64::MAX));
}
