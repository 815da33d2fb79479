//! The samples of an always-on prober: files by the hour, of which a run reads the last two. The outage did not begin
//! with the run, and neither does the measurement.

use std::path::{Path, PathBuf};

use dr_core::Timestamp;
use dr_core::measure::{LedgerLog, ProbeLog};

/// How many hours are kept.
const KEEP: usize = 2;

/// A folder of an always-on prober's files.
#[derive(Debug, Clone)]
pub(crate) struct Kept {
    folder: PathBuf,
}

impl Kept {
    /// The files in a folder of this machine.
    pub(crate) fn new(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into() }
    }

    /// Where they are.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The name of an hour: the book that its rows are kept under.
    pub(crate) fn hour(name: &str, now: Timestamp) -> String {
        format!("keep-{name}-{}", &now.compact()[..11])
    }

    /// How long this hour still lasts.
    pub(crate) fn rest_of_hour(now: Timestamp) -> std::time::Duration {
        let millis = u64::try_from(now.as_millis().rem_euclid(3_600_000)).unwrap_or(0);
        std::time::Duration::from_millis(3_600_000 - millis)
    }

    /// The file of an hour.
    pub(crate) fn file(&self, kind: &str, index: usize, hour: &str) -> PathBuf {
        self.folder.join(format!("{kind}-{index}-{hour}.ndjson"))
    }

    /// What the prober asked in the last hours.
    pub(crate) fn probes(&self, index: usize) -> Option<ProbeLog> {
        let mut bytes = Vec::new();
        for (_, path) in self.files("probes", index) {
            bytes.extend(std::fs::read(path).ok()?);
        }
        ProbeLog::parse(&bytes).ok().filter(|log| !log.is_empty())
    }

    /// What the ledger wrote in the last hours, with the books' names.
    pub(crate) fn ledgers(&self, index: usize) -> Vec<(String, LedgerLog)> {
        self.files("ledger", index)
            .into_iter()
            .filter_map(|(book, path)| Some((book, LedgerLog::parse(&std::fs::read(path).ok()?).ok()?)))
            .filter(|(_, log)| !log.is_empty())
            .collect()
    }

    /// The newest files of a kind, oldest first, with their hours' names.
    pub(crate) fn files(&self, kind: &str, index: usize) -> Vec<(String, PathBuf)> {
        let mut files = self.all(kind, index);
        files.split_off(files.len().saturating_sub(KEEP))
    }

    /// The hours that are no longer kept.
    pub(crate) fn outlived(&self, kind: &str, index: usize) -> Vec<(String, PathBuf)> {
        let mut files = self.all(kind, index);
        files.truncate(files.len().saturating_sub(KEEP));
        files
    }

    fn all(&self, kind: &str, index: usize) -> Vec<(String, PathBuf)> {
        let prefix = format!("{kind}-{index}-");
        let Ok(entries) = std::fs::read_dir(&self.folder) else { return Vec::new() };
        let mut files: Vec<(String, PathBuf)> = entries
            .filter_map(Result::ok)
            .filter_map(|entry| {
                let name = entry.file_name().into_string().ok()?;
                let hour = name.strip_prefix(&prefix)?.strip_suffix(".ndjson")?.to_owned();
                Some((hour, entry.path()))
            })
            .collect();
        files.sort();
        files
    }
}

/// How long a run waits for the prober's file to show the recovery that its own seats have seen.
pub(crate) const SHOWN_WITHIN: std::time::Duration = std::time::Duration::from_secs(3);
