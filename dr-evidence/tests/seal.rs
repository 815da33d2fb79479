//! Sealing: all or nothing, the same again, nothing secret.

mod common;

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use dr_core::ErrorKind;
use dr_core::event::{Ending, Event, Mode};
use dr_core::journal::Digest;
use dr_core::resource::{Redactor, Secret};
use dr_evidence::{Bundle, bundles, verify};

#[test]
fn a_sealed_bundle_verifies_and_sha256sum_accepts_it() {
    let folder = tempfile::tempdir().unwrap();
    for tape in [common::succeeded(), common::refused(), common::rolled_back(), common::dry_run()] {
        let folder = tempfile::tempdir_in(folder.path()).unwrap();
        let sealed = common::seal(&tape, folder.path(), None);
        let report = verify(&sealed.folder);
        assert!(report.is_sound(), "{report}");
        let sums = Command::new("sha256sum").args(["-c", "SHA256SUMS"]).current_dir(&sealed.folder).output();
        assert!(sums.unwrap().status.success());
    }
}

#[test]
fn a_bundle_holds_the_files_that_the_runbooks_name() {
    let folder = tempfile::tempdir().unwrap();
    let spool = tempfile::tempdir().unwrap();
    for file in ["probes.ndjson", "ledger.ndjson", "console.log"] {
        fs::write(spool.path().join(file), "{}\n").unwrap();
    }
    let (lines, redactor, console) =
        (common::succeeded().lines(), Redactor::default(), spool.path().join("console.log"));
    let bundle =
        Bundle::builder(&lines, common::PLAN_TEXT, &redactor).with_spool(spool.path()).with_console(&console);
    let sealed = bundle.seal(folder.path(), None).unwrap();
    let files: Vec<String> = common::files(&sealed.folder)
        .iter()
        .map(|path| path.strip_prefix(&sealed.folder).unwrap().display().to_string())
        .collect();
    insta::assert_snapshot!(files.join("\n"));
    let read = |file: &str| fs::read_to_string(sealed.folder.join(file)).unwrap();
    assert_eq!(read("rto.txt"), "RTO: 765s (12 minutes 45 seconds)\n");
    assert_eq!(read("rpo.txt"), "RPO: 0s (0 seconds)\n");
    assert!(read("target-deployments.txt").contains("api"));
    assert!(!read("source-deployments.txt").contains("api"));
}

#[test]
fn a_run_without_measurement_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let sealed = common::seal(&common::refused(), folder.path(), None);
    assert_eq!(fs::read_to_string(sealed.folder.join("rto.txt")).unwrap(), "RTO: not measured\n");
}

#[test]
fn sealing_again_returns_the_same_bundle_and_a_changed_one_is_in_the_way() {
    let folder = tempfile::tempdir().unwrap();
    let first = common::seal(&common::succeeded(), folder.path(), None);
    assert_eq!(common::seal(&common::succeeded(), folder.path(), None), first);
    fs::write(first.folder.join("rto.txt"), "RTO: 1s (1 second)\n").unwrap();
    let (lines, redactor) = (common::succeeded().lines(), Redactor::default());
    let error = Bundle::builder(&lines, common::PLAN_TEXT, &redactor).seal(folder.path(), None).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
}

#[test]
fn what_a_killed_seal_left_is_cleared_away_by_the_next() {
    let folder = tempfile::tempdir().unwrap();
    let left = folder.path().join(".20261121T020000Z-abcdef.sealing");
    fs::create_dir_all(left.join("state")).unwrap();
    fs::write(left.join("plan.yaml"), "half").unwrap();
    let sealed = common::seal(&common::succeeded(), folder.path(), None);
    assert!(verify(&sealed.folder).is_sound());
    assert!(!left.exists());
}

#[test]
fn a_seal_under_way_elsewhere_is_not_disturbed() {
    let folder = tempfile::tempdir().unwrap();
    let left = folder.path().join(".20261121T020000Z-abcdef.sealing");
    fs::create_dir_all(&left).unwrap();
    let other = fs::File::open(&left).unwrap();
    other.lock().unwrap();
    let (lines, redactor) = (common::succeeded().lines(), Redactor::default());
    let error = Bundle::builder(&lines, common::PLAN_TEXT, &redactor).seal(folder.path(), None).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    assert!(left.exists());
}

#[test]
fn a_seal_that_fails_leaves_nothing() {
    let (folder, spool) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    // A folder in a file's place: it opens, and cannot be read.
    fs::create_dir(spool.path().join("probes.ndjson")).unwrap();
    let (lines, redactor) = (common::succeeded().lines(), Redactor::default());
    let bundle = Bundle::builder(&lines, common::PLAN_TEXT, &redactor).with_spool(spool.path());
    assert!(bundle.seal(folder.path(), None).is_err());
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn a_held_run_gets_a_provisional_bundle_that_is_not_linked() {
    let folder = tempfile::tempdir().unwrap();
    let before = common::seal(&common::named("20261101T000000Z-aaaaaa"), folder.path(), None);
    let held = common::seal(&common::held(), folder.path(), before.link.as_ref());
    assert_eq!(held.link, None);
    assert!(held.folder.ends_with("20261121T020000Z-abcdef.provisional-12"), "{}", held.folder.display());
    let manifest: serde_json::Value =
        serde_json::from_slice(&fs::read(held.folder.join("manifest.json")).unwrap()).unwrap();
    assert_eq!((&manifest["provisional"], &manifest["previous"]), (&true.into(), &serde_json::Value::Null));
    assert!(verify(&held.folder).is_sound(), "{}", verify(&held.folder));
}

#[test]
fn no_secret_reaches_a_bundle() {
    const CANARY: &str = "canary-7f3a\"x";
    let (folder, spool) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let sample = format!("{{\"why\":\"{CANARY}\"}}\n").repeat(40_000);
    fs::write(spool.path().join("probes.ndjson"), &sample).unwrap();
    fs::write(spool.path().join("console.log"), format!("psql password={CANARY}\nok\n")).unwrap();
    let mut tape = common::Tape::begin(common::began(Mode::Failover));
    tape.end(Ending::Aborted, "wrong password", &[]);
    let redactor = Redactor::default();
    redactor.hide(&Secret::new(CANARY));
    let (lines, plan, console) =
        (tape.lines(), format!("# {CANARY}\n{}", common::PLAN_TEXT), spool.path().join("console.log"));
    let bundle = Bundle::builder(&lines, &plan, &redactor).with_spool(spool.path()).with_console(&console);
    let sealed = bundle.seal(folder.path(), None).unwrap();
    for file in common::files(&sealed.folder) {
        let text = fs::read_to_string(&file).unwrap();
        assert!(!text.contains("canary-7f3a"), "{}", file.display());
    }
    let report = verify(&sealed.folder);
    assert!(report.is_sound(), "{report}");
    assert!(report.to_string().contains("a secret was masked in it"), "{report}");
}

/// P32: a byte of a sample file is changed.
#[test]
fn samples_are_those_that_the_journal_vouches_for() {
    let sealed_with = |samples: &str, after: &str| {
        let (folder, spool) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let mut tape = common::Tape::begin(common::began(Mode::Drill));
        let (sha256, bytes) = (Digest::of(samples.as_bytes()).to_string(), samples.len() as u64);
        tape.say(1, Event::Samples { file: "probes.ndjson".to_owned(), sha256, bytes });
        tape.end(Ending::NothingToDo, "", &[]);
        fs::write(spool.path().join("probes.ndjson"), after).unwrap();
        let (lines, redactor) = (tape.lines(), Redactor::default());
        let bundle = Bundle::builder(&lines, common::PLAN_TEXT, &redactor).with_spool(spool.path());
        let sealed = bundle.seal(folder.path(), None).unwrap();
        verify(&sealed.folder)
    };
    assert!(sealed_with("one\ntwo\n", "one\ntwo\n").is_sound());
    assert!(sealed_with("one\ntwo\n", "one\ntwo\nthree\n").is_sound(), "samples after the last event");
    assert!(!sealed_with("one\ntwo\n", "one\nten\n").is_sound());
    assert!(!sealed_with("one\ntwo\n", "one\n").is_sound());
}

#[test]
fn a_sample_file_named_like_a_path_is_not_followed() {
    let (folder, spool) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let outside = folder.path().join("outside.ndjson");
    fs::write(&outside, "secret\n").unwrap();
    let mut tape = common::Tape::begin(common::began(Mode::Drill));
    for file in ["../outside.ndjson", outside.to_str().unwrap(), "journal.ndjson"] {
        let sha256 = Digest::of(b"").to_string();
        tape.say(1, Event::Samples { file: file.to_owned(), sha256, bytes: 0 });
    }
    tape.end(Ending::NothingToDo, "", &[]);
    let (lines, redactor) = (tape.lines(), Redactor::default());
    let bundle = Bundle::builder(&lines, common::PLAN_TEXT, &redactor).with_spool(spool.path());
    let sealed = bundle.seal(folder.path(), None).unwrap();
    assert!(!sealed.folder.join("outside.ndjson").exists());
}

#[test]
fn lines_that_are_no_run_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (lines, redactor) = (common::succeeded().lines(), Redactor::default());
    for part in [&lines[..0], &lines[1..]] {
        let error =
            Bundle::builder(part, common::PLAN_TEXT, &redactor).seal(folder.path(), None).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
    }
}

/// The child of the test below: it seals one run with much to copy, again and again.
#[test]
#[ignore = "started by the test of a kill"]
fn a_child_seals() {
    let Ok(folder) = std::env::var("DR_EVIDENCE_CHILD") else { return };
    let (folder, spool) = (PathBuf::from(&folder), PathBuf::from(folder).join("spool"));
    let (lines, redactor) = (common::succeeded().lines(), Redactor::default());
    let bundle = Bundle::builder(&lines, common::PLAN_TEXT, &redactor).with_spool(&spool);
    bundle.seal(&folder.join("evidence"), None).unwrap();
}

#[test]
fn a_killed_seal_leaves_no_bundle_or_a_whole_one() {
    let (mut none, mut whole) = (0, 0);
    for delay in 0..12 {
        let folder = tempfile::tempdir().unwrap();
        let (spool, evidence) = (folder.path().join("spool"), folder.path().join("evidence"));
        fs::create_dir(&spool).unwrap();
        fs::write(spool.join("probes.ndjson"), "{\"why\":\"silence\"}\n".repeat(500_000)).unwrap();
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "a_child_seals", "--ignored"])
            .env("DR_EVIDENCE_CHILD", folder.path())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        // The last one is not killed: the test must see both outcomes.
        if delay < 11 {
            std::thread::sleep(Duration::from_millis(8 * delay));
            child.kill().unwrap();
        }
        child.wait().unwrap();
        let found = bundles(&evidence).unwrap_or_default();
        for bundle in &found {
            assert!(verify(bundle).is_sound(), "{}", verify(bundle));
        }
        if found.is_empty() {
            none += 1
        } else {
            whole += 1
        }
        let (lines, redactor) = (common::succeeded().lines(), Redactor::default());
        let bundle = Bundle::builder(&lines, common::PLAN_TEXT, &redactor).with_spool(&spool);
        let sealed = bundle.seal(&evidence, None).unwrap();
        assert!(verify(&sealed.folder).is_sound());
        assert_eq!(fs::read_dir(&evidence).unwrap().count(), 1, "a leftover");
    }
    assert!(none > 0 && whole > 0, "{none} without a bundle, {whole} with one");
}
