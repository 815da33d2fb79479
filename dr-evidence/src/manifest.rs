//! The list of a bundle's files, and its link to the bundle before.

use std::fmt;

use dr_core::event::{Ending, Mode, Suspension};
use dr_core::journal::Digest;
use dr_core::{RunId, Timestamp};
use serde::{Deserialize, Serialize};

/// The manifest's name in its bundle.
pub const MANIFEST: &str = "manifest.json";

/// The format's version. Adding is compatible, renaming is not.
pub const MANIFEST_VERSION: u32 = 1;

/// What a bundle holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Manifest {
    /// The format's version.
    pub version: u32,
    /// The release that sealed it.
    pub tool: String,
    /// Whose evidence it is.
    pub run: RunId,
    /// What the run was for.
    pub mode: Mode,
    /// How it ended; `None`: it has not.
    pub ending: Option<Ending>,
    /// Why its last drive stopped, if the run has not ended.
    pub suspended: Option<Suspension>,
    /// The run has not ended: this bundle is not linked, a later one will be.
    pub provisional: bool,
    /// When it was sealed; by default the time of the journal's last line, so that sealing again gives the same bytes.
    pub created: Timestamp,
    /// The linked bundle before.
    pub previous: Option<Link>,
    /// Every other file but `SHA256SUMS`, sorted by path.
    pub files: Vec<FileEntry>,
}

/// A file of a bundle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileEntry {
    /// Where it lies, relative to the bundle, with `/`.
    pub path: String,
    /// How long it is.
    pub bytes: u64,
    /// The SHA-256 of its bytes.
    pub sha256: Digest,
    /// A secret was masked in it, so it differs from what it was copied from.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub redacted: bool,
}

/// One link of the chain of bundles: enough to find out that a bundle is gone or is another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// Whose bundle.
    pub run: RunId,
    /// The SHA-256 of its `manifest.json`.
    pub manifest_sha256: Digest,
}

impl Link {
    /// From its parts.
    pub fn new(run: RunId, manifest_sha256: Digest) -> Self {
        Self { run, manifest_sha256 }
    }
}

impl fmt::Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (manifest {})", self.run, self.manifest_sha256)
    }
}

impl Manifest {
    /// The file of that path.
    pub fn file(&self, path: &str) -> Option<&FileEntry> {
        self.files.iter().find(|file| file.path == path)
    }

    /// `SHA256SUMS` as it has to be, byte for byte, beside this manifest: `sha256sum -c SHA256SUMS` reads it.
    pub(crate) fn sums(&self, manifest_sha256: Digest) -> String {
        let own = (MANIFEST, manifest_sha256);
        let mut lines: Vec<(&str, Digest)> =
            self.files.iter().map(|file| (file.path.as_str(), file.sha256)).chain([own]).collect();
        lines.sort_unstable();
        lines.iter().map(|(path, sha256)| format!("{sha256}  {path}\n")).collect()
    }
}
