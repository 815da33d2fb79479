//! What people read.
#![expect(clippy::unwrap_used, reason = "a fixture that fails is a failed test")]

mod common;

use common::Tape;
use dr_core::plan::{Finding, Place};
use dr_core::resource::Redactor;
use dr_evidence::{Bundle, show};

fn summary_of(tape: &Tape) -> String {
    let folder = tempfile::tempdir().unwrap();
    let sealed = common::seal(tape, folder.path(), None);
    std::fs::read_to_string(sealed.folder.join("summary.md")).unwrap()
}

#[test]
fn a_succeeded_failover_reads_well() {
    insta::assert_snapshot!(summary_of(&common::succeeded()));
}

#[test]
fn an_exceeded_budget_is_said_first() {
    insta::assert_snapshot!(summary_of(&common::over_budget()));
}

#[test]
fn a_refusal_says_why_and_that_nothing_was_touched() {
    insta::assert_snapshot!(summary_of(&common::refused()));
}

#[test]
fn a_rolled_back_run_says_what_was_undone() {
    insta::assert_snapshot!(summary_of(&common::rolled_back()));
}

#[test]
fn a_held_run_says_that_it_has_not_ended() {
    insta::assert_snapshot!(summary_of(&common::held()));
}

#[test]
fn a_dry_run_reads_like_a_diff() {
    insta::assert_snapshot!(summary_of(&common::dry_run()));
}

#[test]
fn an_unprotected_recovery_names_risk_and_debts() {
    insta::assert_snapshot!(summary_of(&common::unprotected()));
}

#[test]
fn a_terminal_gets_the_same_page_without_markup() {
    let folder = tempfile::tempdir().unwrap();
    let sealed = common::seal(&common::unprotected(), folder.path(), None);
    insta::assert_snapshot!(show(&sealed.folder).unwrap());
}

#[test]
fn a_post_mortem_has_the_facts_filled_in() {
    let folder = tempfile::tempdir().unwrap();
    let sealed = common::seal(&common::over_budget(), folder.path(), None);
    insta::assert_snapshot!(std::fs::read_to_string(sealed.folder.join("post-mortem.md")).unwrap());
}

#[test]
fn a_log_has_a_line_for_each_event() {
    let folder = tempfile::tempdir().unwrap();
    let sealed = common::seal(&common::unprotected(), folder.path(), None);
    insta::assert_snapshot!(std::fs::read_to_string(sealed.folder.join("failover.log")).unwrap());
}

#[test]
fn an_acknowledged_warning_stands_in_the_summary_with_its_reason() {
    let mut warning =
        Finding::warning("unready-target", Place::default(), "callers move early", "wait first");
    warning.acknowledged = Some("the target is sized for it".to_owned());
    let (folder, lines) = (tempfile::tempdir().unwrap(), common::succeeded().lines());
    let redactor = Redactor::default();
    let bundle =
        Bundle::builder(&lines, common::PLAN_TEXT, &redactor).with_findings(std::slice::from_ref(&warning));
    let sealed = bundle.seal(folder.path(), None).unwrap();
    let summary = std::fs::read_to_string(sealed.folder.join("summary.md")).unwrap();
    assert!(summary.contains("`unready-target`: callers move early. Reason: the target is sized for it"));
}
