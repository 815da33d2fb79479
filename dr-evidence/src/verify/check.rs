//! One bundle by itself.

use std::collections::BTreeSet;
use std::path::Path;

use bytes::Bytes;
use dr_core::Error;
use dr_core::journal::{Chain, Digest, read_lines};

use super::contents;
use super::report::{Report, unless_any};
use crate::bundle::{JOURNAL, SUMS};
use crate::hashing::hash;
use crate::manifest::{FileEntry, MANIFEST, Manifest};
use crate::reading::{inventory, open, read, read_manifest};
use crate::story::Story;

/// The longest journal that is read: it has to be understood as a whole.
const LONGEST_JOURNAL: u64 = 256 << 20;
/// The longest file that is hashed: a sparse one must not keep a verification busy for ever.
const LONGEST_FILE: u64 = 1 << 38;

/// Looks at a bundle: that its files are those that were sealed, byte for byte, that its journal is unbroken, and that
/// its figures say what the journal says. Its link to the bundle before is not looked at: see
/// [`verify_after`](super::verify_after) and [`verify_chain`](super::verify_chain). It does blocking input.
pub fn verify(folder: &Path) -> Report {
    let mut report = Report::default();
    if let Some(manifest) = sealed(&mut report, folder) {
        let what = "the link to the bundle before";
        match (&manifest.previous, manifest.provisional) {
            (_, true) => report.skip(what, "a provisional bundle has none"),
            (None, false) => report.skip(what, "it says that it is the first; the chain was not given"),
            (Some(link), false) => report.skip(what, format!("it is {link}; the chain was not given")),
        }
    }
    report
}

/// Everything but the link; the manifest, if it can be read.
pub(super) fn sealed(report: &mut Report, folder: &Path) -> Option<Manifest> {
    let manifest = match read_manifest(folder) {
        Ok((manifest, bytes)) => {
            report.check(format!("{MANIFEST} can be read"), Ok(()));
            sums(report, folder, &manifest, Digest::of(&bytes));
            manifest
        }
        Err(error) => {
            report.check(format!("{MANIFEST} can be read"), Err(words(error)));
            return None;
        }
    };
    present(report, folder, &manifest);
    let chain = journal(report, folder, &manifest);
    let story = chain.as_ref().and_then(|chain| {
        let story = Story::of(&chain.lines);
        report.check(
            "the journal tells one run, from its beginning to at most one end",
            story.as_ref().map(|_| ()).map_err(ToString::to_string),
        );
        story.ok()
    });
    hashes(report, folder, &manifest, story.as_ref());
    match &story {
        Some(story) => contents::agree(report, folder, &manifest, story),
        None => report.skip("the files say what the journal says", "the journal cannot be read"),
    }
    Some(manifest)
}

fn sums(report: &mut Report, folder: &Path, manifest: &Manifest, manifest_sha256: Digest) {
    let expected = manifest.sums(manifest_sha256);
    let found = read(folder, SUMS, expected.len() as u64).map_err(words).and_then(|found| {
        if found == expected.as_bytes() {
            Ok(())
        } else {
            Err("it is another list than the manifest's".to_owned())
        }
    });
    report.check(format!("{SUMS} says the same as {MANIFEST}"), found);
}

fn present(report: &mut Report, folder: &Path, manifest: &Manifest) {
    let found = match inventory(folder) {
        Ok(found) => found,
        Err(error) => {
            report.check("the folder can be listed", Err(words(error)));
            return;
        }
    };
    let missing = |file: &FileEntry| match found.files.get(&file.path) {
        None => Some(format!("{} is missing", file.path)),
        Some(bytes) if *bytes > LONGEST_FILE => Some(format!("{} is too long to be checked", file.path)),
        Some(bytes) if *bytes != file.bytes => {
            Some(format!("{} is {bytes} bytes long instead of {}", file.path, file.bytes))
        }
        Some(_) => None,
    };
    report.check(
        format!("all {} files are there, each as long as it was", manifest.files.len()),
        unless_any(manifest.files.iter().filter_map(missing).collect()),
    );
    let own = [MANIFEST, SUMS];
    let listed: BTreeSet<&str> = manifest.files.iter().map(|file| file.path.as_str()).chain(own).collect();
    let added = found.files.keys().filter(|path| !listed.contains(path.as_str())).chain(&found.strange);
    report.check("nothing was added", unless_any(added.cloned().collect()));
}

/// The journal, if its bytes are unbroken.
fn journal(report: &mut Report, folder: &Path, manifest: &Manifest) -> Option<Chain> {
    let what = "the journal's chain is unbroken from its first line to its last";
    let limit = manifest.file(JOURNAL).map_or(0, |file| file.bytes).min(LONGEST_JOURNAL);
    let chain = read(folder, JOURNAL, limit)
        .map_err(words)
        .and_then(|bytes| read_lines(&Bytes::from(bytes)).map_err(|error| error.to_string()))
        .and_then(|chain| match chain.tail.len() {
            0 => Ok(chain),
            left => Err(format!("{left} bytes after event {} belong to nothing", chain.head.next - 1)),
        });
    match chain {
        Ok(chain) => {
            report.check(what, Ok(()));
            Some(chain)
        }
        Err(why) => {
            report.check(what, Err(why));
            None
        }
    }
}

/// Every file's hash, in one pass over each; of a sample file also that of the part which the journal vouches for.
fn hashes(report: &mut Report, folder: &Path, manifest: &Manifest, story: Option<&Story<'_>>) {
    let (mut changed, mut unvouched) = (Vec::new(), Vec::new());
    for file in &manifest.files {
        let vouched =
            story.and_then(|story| story.samples.get(file.path.as_str())).filter(|_| !file.redacted);
        let prefix = vouched.map(|(_, bytes)| *bytes);
        match open(folder, &file.path).and_then(|reader| hash(reader, file.bytes.min(LONGEST_FILE), prefix)) {
            Ok(found) if found.bytes == file.bytes && found.sha256 == file.sha256 => {
                let agrees = |sha256: &str| found.prefix.is_some_and(|prefix| prefix.to_string() == sha256);
                if vouched.is_some_and(|(sha256, _)| !agrees(sha256)) {
                    unvouched.push(format!("{} is not what the journal says", file.path));
                }
            }
            Ok(_) => changed.push(format!("{} is not as it was sealed", file.path)),
            Err(error) => changed.push(format!("{} cannot be read: {error}", file.path)),
        }
    }
    report.check("every file's SHA-256 is the manifest's", unless_any(changed));
    let Some(story) = story else { return };
    for name in story.samples.keys() {
        match manifest.file(name) {
            None => unvouched.push(format!("{name:?} is not in the bundle")),
            Some(file) if file.redacted => {
                report.skip(format!("{name} is what the journal says"), "a secret was masked in it");
            }
            Some(_) => {}
        }
    }
    if !story.samples.is_empty() {
        report.check("the measurements are those that the journal vouches for", unless_any(unvouched));
    }
}

pub(super) fn words(error: impl Into<Error>) -> String {
    let error: Error = error.into();
    match std::error::Error::source(&error) {
        Some(source) => format!("{}: {source}", error.message()),
        None => error.message().to_owned(),
    }
}
