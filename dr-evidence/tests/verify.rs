//! Whatever is done to a bundle is found out.
#![expect(clippy::unwrap_used, reason = "a fixture that fails is a failed test")]

mod common;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use dr_core::journal::Digest;
use dr_evidence::{Before, Link, Manifest, Report, verify, verify_after, verify_chain};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

struct Bundle {
    _root: tempfile::TempDir,
    folder: PathBuf,
}

fn sealed() -> Bundle {
    let root = tempfile::tempdir().unwrap();
    let folder = common::seal(&common::unprotected(), root.path(), None).folder;
    Bundle { _root: root, folder }
}

/// Makes the manifest and the checksums fit whatever the folder holds now: a forger's work.
fn reseal(folder: &Path, change: impl FnOnce(&mut Manifest)) {
    let mut manifest: Manifest =
        serde_json::from_slice(&fs::read(folder.join("manifest.json")).unwrap()).unwrap();
    for file in &mut manifest.files {
        let bytes = fs::read(folder.join(&file.path)).unwrap();
        (file.bytes, file.sha256) = (bytes.len() as u64, Digest::of(&bytes));
    }
    change(&mut manifest);
    let text = serde_json::to_vec_pretty(&manifest).unwrap();
    fs::write(folder.join("manifest.json"), &text).unwrap();
    let mut lines: Vec<(String, Digest)> =
        manifest.files.into_iter().map(|file| (file.path, file.sha256)).collect();
    lines.push(("manifest.json".to_owned(), Digest::of(&text)));
    lines.sort();
    let sums: String = lines.iter().map(|(path, sha256)| format!("{sha256}  {path}\n")).collect();
    fs::write(folder.join("SHA256SUMS"), sums).unwrap();
}

#[track_caller]
fn fails_because(report: &Report, why: &str) {
    assert!(!report.is_sound() && report.to_string().contains(why), "no `{why}` in\n{report}");
}

#[test]
fn every_flipped_byte_is_found() {
    let bundle = sealed();
    let mut rng = StdRng::seed_from_u64(20_261_121);
    let files = common::files(&bundle.folder);
    let mut flipped = 0;
    for file in &files {
        let whole = fs::read(file).unwrap();
        let ends = [0, whole.len() / 2, whole.len() - 1];
        let places: Vec<usize> =
            ends.into_iter().chain((0..20).map(|_| rng.random_range(0..whole.len()))).collect();
        for place in places {
            let mut bytes = whole.clone();
            bytes[place] ^= 1 << rng.random_range(0..8);
            fs::write(file, bytes).unwrap();
            assert!(!verify(&bundle.folder).is_sound(), "byte {place} of {} was flipped", file.display());
            flipped += 1;
        }
        fs::write(file, whole).unwrap();
    }
    assert!(flipped >= 200, "only {flipped} bytes were flipped");
    assert!(verify(&bundle.folder).is_sound());
}

#[test]
fn every_removed_lengthened_or_shortened_file_is_found() {
    let bundle = sealed();
    let files = common::files(&bundle.folder);
    assert!(files.len() >= 10);
    for file in files {
        let whole = fs::read(&file).unwrap();
        fs::remove_file(&file).unwrap();
        assert!(!verify(&bundle.folder).is_sound(), "{} was removed", file.display());
        fs::write(&file, [whole.as_slice(), b"\n"].concat()).unwrap();
        assert!(!verify(&bundle.folder).is_sound(), "{} was lengthened", file.display());
        fs::write(&file, &whole[..whole.len() - 1]).unwrap();
        assert!(!verify(&bundle.folder).is_sound(), "{} was shortened", file.display());
        fs::write(&file, whole).unwrap();
    }
    assert!(verify(&bundle.folder).is_sound());
}

#[test]
fn whatever_is_added_is_found() {
    let bundle = sealed();
    let added = bundle.folder.join("added");
    fs::write(&added, "").unwrap();
    fails_because(&verify(&bundle.folder), "nothing was added: added");
    fs::remove_file(&added).unwrap();
    fs::create_dir(&added).unwrap();
    fails_because(&verify(&bundle.folder), "nothing was added: added");
    fs::remove_dir(&added).unwrap();
    symlink("plan.yaml", &added).unwrap();
    fails_because(&verify(&bundle.folder), "nothing was added: added");
}

#[test]
fn a_link_in_a_files_place_is_not_followed() {
    let bundle = sealed();
    let (plan, elsewhere) = (bundle.folder.join("plan.yaml"), bundle.folder.with_extension("plan"));
    fs::rename(&plan, &elsewhere).unwrap();
    symlink(&elsewhere, &plan).unwrap();
    fails_because(&verify(&bundle.folder), "plan.yaml");
}

#[test]
fn a_pipe_in_a_files_place_is_not_waited_for() {
    let bundle = sealed();
    for file in ["plan.yaml", "manifest.json", "SHA256SUMS", "journal.ndjson"] {
        let path = bundle.folder.join(file);
        let whole = fs::read(&path).unwrap();
        fs::remove_file(&path).unwrap();
        rustix::fs::mknodat(
            rustix::fs::CWD,
            &path,
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR,
            0,
        )
        .unwrap();
        assert!(!verify(&bundle.folder).is_sound());
        fs::remove_file(&path).unwrap();
        fs::write(&path, whole).unwrap();
    }
}

#[test]
fn a_manifest_cannot_lead_out_of_the_bundle_or_name_a_file_twice() {
    for path in
        ["../outside", "/etc/hostname", "state/../../outside", "", "a//b", "manifest.json", "SHA256SUMS"]
    {
        let bundle = sealed();
        reseal(&bundle.folder, |manifest| manifest.files[0].path = path.to_owned());
        fails_because(&verify(&bundle.folder), "manifest.json can be read");
    }
    let bundle = sealed();
    reseal(&bundle.folder, |manifest| {
        let twice = manifest.files[0].clone();
        manifest.files.insert(1, twice);
    });
    fails_because(&verify(&bundle.folder), "twice");
}

#[test]
fn a_bundle_that_is_none_is_said_to_be_none() {
    let folder = tempfile::tempdir().unwrap();
    fails_because(&verify(folder.path()), "manifest.json can be read");
    fails_because(&verify(&folder.path().join("nowhere")), "manifest.json can be read");
    fs::write(folder.path().join("manifest.json"), "[".repeat(100_000)).unwrap();
    fails_because(&verify(folder.path()), "cannot be understood");
    fs::write(folder.path().join("manifest.json"), [0xff, 0xfe]).unwrap();
    fails_because(&verify(folder.path()), "cannot be understood");
}

#[test]
fn a_version_of_the_future_is_not_taken_for_sound() {
    let bundle = sealed();
    reseal(&bundle.folder, |manifest| manifest.version = 99);
    fails_because(&verify(&bundle.folder), "version 99");
}

#[test]
fn a_forged_journal_is_found_though_every_hash_fits() {
    let change_journal = |change: &dyn Fn(Vec<String>) -> Vec<String>| {
        let bundle = sealed();
        let path = bundle.folder.join("journal.ndjson");
        let lines = fs::read_to_string(&path).unwrap().lines().map(str::to_owned).collect();
        fs::write(&path, change(lines).iter().map(|line| format!("{line}\n")).collect::<String>()).unwrap();
        reseal(&bundle.folder, |_| {});
        verify(&bundle.folder)
    };
    assert!(change_journal(&|lines| lines).is_sound());
    let changed: [&dyn Fn(Vec<String>) -> Vec<String>; 4] = [
        &|mut lines| {
            lines.remove(3);
            lines
        },
        &|lines| lines[..lines.len() - 1].to_vec(),
        &|mut lines| {
            lines[1] = lines[1].replace("alice", "mallory");
            lines
        },
        &|mut lines| {
            lines.swap(2, 3);
            lines
        },
    ];
    for change in changed {
        let report = change_journal(change);
        fails_because(&report, "FAIL  the journal's chain is unbroken");
    }
}

#[test]
fn figures_that_the_journal_does_not_say_are_found_though_every_hash_fits() {
    for (from, to) in [
        ("\"ending\": \"recovered\"", "\"ending\": \"succeeded\""),
        ("\"mode\": \"failover\"", "\"mode\": \"drill\""),
        ("\"source_region\": \"us-east-1\"", "\"source_region\": \"us-east-2\""),
        ("\"lost_writes\": 1", "\"lost_writes\": 0"),
        ("\"rto_seconds\": 38.5", "\"rto_seconds\": 3.5"),
        ("  \"rto_met\": true,\n", ""),
    ] {
        let bundle = sealed();
        let path = bundle.folder.join("metrics.json");
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{text}");
        fs::write(&path, text.replace(from, to)).unwrap();
        reseal(&bundle.folder, |_| {});
        fails_because(&verify(&bundle.folder), "metrics.json says what the journal says");
    }
}

#[test]
fn a_field_that_another_release_adds_is_no_failure() {
    let bundle = sealed();
    let path = bundle.folder.join("metrics.json");
    let text = fs::read_to_string(&path).unwrap().replacen('{', "{\n  \"later\": 1,", 1);
    fs::write(&path, text).unwrap();
    reseal(&bundle.folder, |_| {});
    assert!(verify(&bundle.folder).is_sound(), "{}", verify(&bundle.folder));
}

#[test]
fn another_plan_or_another_ending_in_the_manifest_is_found() {
    let bundle = sealed();
    fs::write(bundle.folder.join("plan.yaml"), "name: other\n").unwrap();
    reseal(&bundle.folder, |_| {});
    fails_because(&verify(&bundle.folder), "plan.yaml is the plan that the run began with");
    let bundle = sealed();
    reseal(&bundle.folder, |manifest| manifest.ending = Some(dr_core::event::Ending::Succeeded));
    fails_because(&verify(&bundle.folder), "manifest.json says what the journal says: ending");
    let bundle = sealed();
    reseal(&bundle.folder, |manifest| manifest.provisional = true);
    fails_because(&verify(&bundle.folder), "provisional");
}

#[test]
fn what_a_hostile_name_holds_does_not_reach_the_terminal_as_a_command() {
    let bundle = sealed();
    fs::write(bundle.folder.join("a\x1b[2Jb"), "").unwrap();
    let report = verify(&bundle.folder);
    fails_because(&report, "nothing was added");
    assert!(!report.to_string().contains('\x1b'));
}

/// Three bundles, each linked to the one before.
fn chain() -> (tempfile::TempDir, Vec<PathBuf>, Vec<Link>) {
    let root = tempfile::tempdir().unwrap();
    let (mut folders, mut links) = (Vec::new(), Vec::<Link>::new());
    for run in ["20261101T000000Z-aaaaaa", "20261108T000000Z-bbbbbb", "20261115T000000Z-cccccc"] {
        let sealed = common::seal(&common::named(run), root.path(), links.last());
        folders.push(sealed.folder);
        links.push(sealed.link.unwrap());
    }
    (root, folders, links)
}

#[test]
fn an_unbroken_chain_is_sound() {
    let (_root, folders, links) = chain();
    assert!(verify_chain(&folders, &[]).is_sound(), "{}", verify_chain(&folders, &[]));
    assert!(verify_chain(&folders, &links).is_sound(), "{}", verify_chain(&folders, &links));
    assert!(verify_after(&folders[1], Before::Folder(&folders[0])).is_sound());
    for folder in &folders {
        assert!(verify_after(folder, Before::Register(&links)).is_sound());
    }
}

#[test]
fn a_removed_bundle_is_missed_by_the_next_or_by_the_register() {
    let (_root, folders, links) = chain();
    let without = |gone: usize| {
        let left = folders.iter().enumerate().filter(|(place, _)| *place != gone);
        left.map(|(_, folder)| folder.clone()).collect::<Vec<_>>()
    };
    fails_because(&verify_chain(&without(0), &[]), "one bundle is the first");
    fails_because(&verify_chain(&without(1), &[]), "the bundle of 20261108T000000Z-bbbbbb is gone");
    fails_because(&verify_chain(&without(2), &links), "the bundle of 20261115T000000Z-cccccc is gone");
    fails_because(&verify_after(&folders[2], Before::Folder(&folders[0])), "it links to");
}

#[test]
fn an_exchanged_bundle_is_missed_by_the_next() {
    let (root, folders, links) = chain();
    fs::rename(&folders[1], root.path().join("hidden")).unwrap();
    let other = common::seal(&common::named("20261108T000000Z-bbbbbb"), root.path(), None);
    assert_eq!(other.folder, folders[1]);
    fails_because(&verify_chain(&folders, &[]), "is another than 20261115T000000Z-cccccc links to");
    fails_because(&verify_after(&folders[1], Before::Register(&links)), "the register does not hold");
}

#[test]
fn two_bundles_after_the_same_one_are_a_fork() {
    let (root, mut folders, links) = chain();
    let fork = common::seal(&common::named("20261116T000000Z-dddddd"), root.path(), links.get(1));
    folders.push(fork.folder);
    fails_because(&verify_chain(&folders, &[]), "no two bundles link to the same one");
    fails_because(&verify_chain(&folders, &links), "20261116T000000Z-dddddd is not in the register");
}
