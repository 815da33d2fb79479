//! Reading a bundle that somebody else may have prepared: no path leads out of it, no file is read without end.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};

use crate::error::EvidenceError;
use crate::manifest::{MANIFEST, MANIFEST_VERSION, Manifest};
use crate::{bundle::SUMS, manifest};

type Result<T> = std::result::Result<T, EvidenceError>;

/// The longest manifest that is read.
const LONGEST_MANIFEST: u64 = 64 << 20;
/// The most things in a folder that are looked at.
const MOST_ENTRIES: usize = 200_000;
/// How deep folders are followed.
const DEEPEST: usize = 16;

/// Opens a regular file of the bundle. A link is not followed and a pipe is not waited for.
pub(crate) fn open(folder: &Path, path: &str) -> io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = File::from(rustix::fs::open(folder.join(path), flags, Mode::empty())?);
    if file.metadata()?.is_file() { Ok(file) } else { Err(io::Error::other("it is no regular file")) }
}

/// A whole file of the bundle.
pub(crate) fn read(folder: &Path, path: &str, limit: u64) -> Result<Vec<u8>> {
    let full = folder.join(path);
    let mut bytes = Vec::new();
    open(folder, path)
        .and_then(|file| file.take(limit.saturating_add(1)).read_to_end(&mut bytes))
        .map_err(EvidenceError::io("read", &full))?;
    if bytes.len() as u64 > limit {
        return Err(EvidenceError::NoBundle {
            path: folder.to_owned(),
            why: format!("{path} is longer than {limit} bytes"),
        });
    }
    Ok(bytes)
}

/// The manifest and its bytes, its paths checked.
pub(crate) fn read_manifest(folder: &Path) -> Result<(Manifest, Vec<u8>)> {
    let no_bundle = |why: String| EvidenceError::NoBundle { path: folder.to_owned(), why };
    let bytes = read(folder, MANIFEST, LONGEST_MANIFEST)?;
    let manifest: Manifest = serde_json::from_slice(&bytes)
        .map_err(|error| no_bundle(format!("its {MANIFEST} cannot be understood: {error}")))?;
    if manifest.version > MANIFEST_VERSION {
        let version = manifest.version;
        return Err(no_bundle(format!(
            "its {MANIFEST} is of version {version}, which this release does not read"
        )));
    }
    let mut known = BTreeSet::from([manifest::MANIFEST, SUMS]);
    for file in &manifest.files {
        if !is_plain(&file.path) {
            return Err(no_bundle(format!(
                "its {MANIFEST} names {:?}, which is no path inside it",
                file.path
            )));
        }
        if !known.insert(&file.path) {
            return Err(no_bundle(format!("its {MANIFEST} names {:?} twice", file.path)));
        }
    }
    Ok((manifest, bytes))
}

/// Whether a manifest's path stays inside its folder and reads the same to every tool.
fn is_plain(path: &str) -> bool {
    let plain = |part: &str| {
        !part.is_empty()
            && part != "."
            && part != ".."
            && part.chars().all(|char| !char.is_control() && char != '\\' && char != ':')
    };
    path.len() <= 4_096 && path.split('/').count() <= DEEPEST && path.split('/').all(plain)
}

/// Every bundle in a folder of bundles, sorted by name: runs in the order in which they began. What has no manifest is
/// none, nor is a hidden folder: a draft that a killed process left.
///
/// # Errors
/// What the file system says about the folder.
pub fn bundles(folder: &Path) -> dr_core::Result<Vec<PathBuf>> {
    let failed = || EvidenceError::io("list", folder);
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed())? {
        let entry = entry.map_err(failed())?;
        let is_hidden = entry.file_name().as_encoded_bytes().starts_with(b".");
        if !is_hidden && entry.path().join(MANIFEST).is_file() {
            found.push(entry.path());
        }
    }
    found.sort();
    Ok(found)
}

/// What lies in a folder, by its path with `/`.
#[derive(Debug, Default)]
pub(crate) struct Inventory {
    /// Regular files with their lengths.
    pub(crate) files: BTreeMap<String, u64>,
    /// What has no place in a bundle: links, pipes, empty folders, names that are no text.
    pub(crate) strange: Vec<String>,
}

/// Looks at everything in a folder; nothing is opened, no link is followed.
pub(crate) fn inventory(folder: &Path) -> Result<Inventory> {
    let mut found = Inventory::default();
    let mut waiting = vec![(String::new(), 0)];
    while let Some((inside, depth)) = waiting.pop() {
        let here = folder.join(&inside);
        let failed = || EvidenceError::io("list", &here);
        let mut empty = true;
        for entry in fs::read_dir(&here).map_err(failed())? {
            let entry = entry.map_err(failed())?;
            empty = false;
            if found.files.len() + found.strange.len() + waiting.len() > MOST_ENTRIES {
                return Err(EvidenceError::NoBundle {
                    path: folder.to_owned(),
                    why: format!("more than {MOST_ENTRIES} things lie in it"),
                });
            }
            let name = entry.file_name();
            let path = match (name.to_str(), inside.as_str()) {
                (Some(name), "") => name.to_owned(),
                (Some(name), inside) => format!("{inside}/{name}"),
                (None, inside) => {
                    found.strange.push(format!("{inside}/{}", name.to_string_lossy()));
                    continue;
                }
            };
            let metadata = entry.metadata().map_err(EvidenceError::io("look at", &entry.path()))?;
            if metadata.is_file() {
                found.files.insert(path, metadata.len());
            } else if metadata.is_dir() && depth + 1 < DEEPEST {
                waiting.push((path, depth + 1));
            } else {
                found.strange.push(path);
            }
        }
        if empty && !inside.is_empty() {
            found.strange.push(inside);
        }
    }
    found.strange.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_paths_that_stay_inside_are_plain() {
        for path in ["plan.yaml", "state/eu/orders.before.json", "state/%2E.%2F/x"] {
            assert!(is_plain(path), "{path}");
        }
        for path in ["", "/etc/passwd", "../x", "a/../../x", "a//b", "a/", "./a", "a\nb", "c:\\x", "a\\b"] {
            assert!(!is_plain(path), "{path}");
        }
    }
}
