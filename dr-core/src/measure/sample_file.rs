//! Samples on disk: lines appended to one file, with the running hash that the journal keeps.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;

use sha2::{Digest, Sha256};

use super::log::{LedgerLog, ProbeLog, Sitting, line};
use super::sample::{LedgerSample, Sample};
use crate::error::{Error, ErrorKind, Result};
use crate::resource::Redactor;

/// Takes a prober's samples. Its errors are told to whoever watches and never stop the asking.
pub trait SampleSink: fmt::Debug + Send {
    /// A process begins to measure.
    fn begin(&mut self, sitting: &Sitting) -> Result<()>;

    /// Takes one sample. Samples come as their questions are settled, not in the order of their due times.
    fn put(&mut self, sample: &Sample) -> Result<()>;

    /// Makes everything durable that was put, and says how far that is if it is a file. The prober calls it each
    /// second.
    fn sync(&mut self) -> Result<Option<SampleMark>>;
}

/// Takes a ledger's rows. Its errors stop the ledger: a row that is not recorded is not written.
pub trait RowSink: fmt::Debug + Send {
    /// A process begins to write.
    fn begin(&mut self, sitting: &Sitting) -> Result<()>;

    /// Takes one row's state. It is durable when this returns.
    fn put(&mut self, sample: &LedgerSample) -> Result<()>;
}

const PENDING_AT_MOST: usize = 64 * 1024;

/// How far a file is durable: what [`crate::event::Event::Samples`] says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SampleMark {
    /// The file's name, without its folder.
    pub file: String,
    /// SHA-256 of its first `bytes` bytes, in hex.
    pub sha256: String,
    /// How many bytes.
    pub bytes: u64,
}

/// A file of samples, as NDJSON. Writes block: it belongs on the measuring thread and not on the engine's.
///
/// Bytes that are there are never changed, so that every mark stays true: after a crash the next sitting begins on a
/// new line behind whatever the dead process left.
///
/// A file whose sync has failed takes nothing more: nobody knows which of its bytes are on the disk.
#[derive(Debug)]
pub struct SampleFile {
    name: String,
    file: File,
    pending: Vec<u8>,
    hash: Sha256,
    bytes: u64,
    torn: bool,
    lost: Option<String>,
    redactor: Redactor,
}

impl SampleFile {
    /// Opens or makes the file, and goes on behind what is there.
    ///
    /// # Errors
    /// If it cannot be opened, read or its folder made durable.
    pub fn open(path: &Path) -> Result<Self> {
        let failed = |error: std::io::Error| {
            Error::new(ErrorKind::Unknown, "the sample file cannot be opened")
                .on(path.display().to_string())
                .because(error)
        };
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)
            .map_err(failed)?;
        let mut hash = Sha256::new();
        let mut bytes = 0;
        let mut last = b'\n';
        let mut block = vec![0; 64 * 1024];
        loop {
            let read = file.read(&mut block).map_err(failed)?;
            let Some(end) = block[..read].last() else { break };
            last = *end;
            hash.update(&block[..read]);
            bytes += read as u64;
        }
        file.seek(SeekFrom::Start(bytes)).map_err(failed)?;
        if let Some(folder) = path.parent() {
            let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
            File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed)?;
        }
        let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
        Ok(Self {
            name,
            file,
            pending: Vec::new(),
            hash,
            bytes,
            torn: last != b'\n',
            lost: None,
            redactor: Redactor::default(),
        })
    }

    /// With secrets masked before they reach the disk: a service may say in an answer what it was asked with.
    #[must_use]
    pub fn redacted_by(mut self, redactor: &Redactor) -> Self {
        self.redactor = redactor.clone();
        self
    }

    /// Makes everything durable and says how far that is.
    ///
    /// # Errors
    /// If the disk says no; the file takes nothing more then.
    pub fn mark(&mut self) -> Result<SampleMark> {
        self.durable()?;
        let sha256 = self.hash.clone().finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(SampleMark { file: self.name.clone(), sha256, bytes: self.bytes })
    }

    fn append(&mut self, bytes: &[u8]) -> Result<()> {
        if let Some(why) = &self.lost {
            return Err(self.error().with("since", why.clone()));
        }
        self.pending.extend_from_slice(bytes);
        if self.pending.len() < PENDING_AT_MOST { Ok(()) } else { self.durable() }
    }

    fn durable(&mut self) -> Result<()> {
        if let Some(why) = &self.lost {
            return Err(self.error().with("since", why.clone()));
        }
        let pending = std::mem::take(&mut self.pending);
        self.file.write_all(&pending).and_then(|()| self.file.sync_data()).map_err(|error| {
            self.lost = Some(error.to_string());
            self.error().because(error)
        })?;
        self.hash.update(&pending);
        self.bytes += pending.len() as u64;
        Ok(())
    }

    /// What holds no secret is not read twice. A line that is none any more would be lost, so that numbers are kept.
    fn masked(&self, line: Vec<u8>) -> Vec<u8> {
        let Ok(text) = std::str::from_utf8(&line) else { return line };
        if self.redactor.is_empty() || self.redactor.redact(text) == text {
            return line;
        }
        let Ok(mut value) = serde_json::from_slice(&line) else { return line };
        self.redactor.redact_values(&mut value);
        format!("{value}\n").into_bytes()
    }

    fn error(&self) -> Error {
        Error::new(ErrorKind::Unknown, "the sample file cannot be written").on(self.name.clone()).permanent()
    }

    fn sit_down(&mut self, sitting: &Sitting) -> Result<()> {
        let mut bytes = line(sitting)?;
        if std::mem::take(&mut self.torn) {
            bytes.insert(0, b'\n');
        }
        self.append(&bytes)?;
        self.durable()
    }
}

impl SampleSink for SampleFile {
    fn begin(&mut self, sitting: &Sitting) -> Result<()> {
        self.sit_down(sitting)
    }

    fn put(&mut self, sample: &Sample) -> Result<()> {
        let line = self.masked(line(sample)?);
        self.append(&line)
    }

    fn sync(&mut self) -> Result<Option<SampleMark>> {
        self.mark().map(Some)
    }
}

impl RowSink for SampleFile {
    fn begin(&mut self, sitting: &Sitting) -> Result<()> {
        self.sit_down(sitting)
    }

    fn put(&mut self, sample: &LedgerSample) -> Result<()> {
        let line = self.masked(line(sample)?);
        self.append(&line)?;
        self.durable()
    }
}

/// In memory, for an embedder that keeps no file.
impl SampleSink for ProbeLog {
    fn begin(&mut self, sitting: &Sitting) -> Result<()> {
        self.sittings.push((sitting.clone(), Vec::new()));
        Ok(())
    }

    fn put(&mut self, sample: &Sample) -> Result<()> {
        self.sitting().map(|samples| samples.push(sample.clone()))
    }

    fn sync(&mut self) -> Result<Option<SampleMark>> {
        Ok(None)
    }
}

/// In memory, for an embedder that keeps no file: nothing of it survives the process.
impl RowSink for LedgerLog {
    fn begin(&mut self, sitting: &Sitting) -> Result<()> {
        self.sittings.push((sitting.clone(), Vec::new()));
        Ok(())
    }

    fn put(&mut self, sample: &LedgerSample) -> Result<()> {
        self.sitting().map(|samples| samples.push(sample.clone()))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::Side;
    use crate::Timestamp;
    use crate::resource::{Answer, SeatKind, Secret};

    fn sitting() -> Sitting {
        Sitting { begun: Timestamp::from_millis(0), of: "shop".into(), every: Duration::from_millis(250) }
    }

    fn sample(due_ms: u64) -> Sample {
        let answer = Answer::none("refused", Duration::from_millis(3));
        Sample::new(Timestamp::from_millis(1_000), due_ms, SeatKind::Caching, answer)
    }

    fn hash(bytes: &[u8]) -> String {
        Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn a_mark_is_the_hash_of_the_bytes_on_disk() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("probes.ndjson");
        let mut file = SampleFile::open(&path).unwrap();
        SampleSink::begin(&mut file, &sitting()).unwrap();
        SampleSink::put(&mut file, &sample(0)).unwrap();
        let mark = file.mark().unwrap();
        let bytes = std::fs::read(&path).unwrap();
        assert_eq!(
            mark,
            SampleMark { file: "probes.ndjson".into(), sha256: hash(&bytes), bytes: bytes.len() as u64 }
        );
    }

    #[test]
    fn a_second_process_goes_on_behind_a_torn_line_and_keeps_the_first_ones_mark_true() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("probes.ndjson");
        let mut file = SampleFile::open(&path).unwrap();
        SampleSink::begin(&mut file, &sitting()).unwrap();
        SampleSink::put(&mut file, &sample(0)).unwrap();
        let first = file.mark().unwrap();
        drop(file);
        let mut left = std::fs::read(&path).unwrap();
        left.extend_from_slice(b"{\"v\":1,\"due\":\"19");
        std::fs::write(&path, &left).unwrap();

        let mut file = SampleFile::open(&path).unwrap();
        SampleSink::begin(&mut file, &sitting()).unwrap();
        SampleSink::put(&mut file, &sample(250)).unwrap();
        let second = file.mark().unwrap();
        let bytes = std::fs::read(&path).unwrap();
        assert_eq!(second.sha256, hash(&bytes));
        assert_eq!(first.sha256, hash(&bytes[..usize::try_from(first.bytes).unwrap()]));
        assert_eq!(ProbeLog::parse(&bytes).unwrap().len(), 2);
    }

    /// P28: an answer that says what it was asked with, in the file of samples.
    ///
    /// Found: samples were masked in the bundle and not on the disk.
    #[test]
    fn a_secret_in_an_answer_does_not_reach_the_disk() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("probes.ndjson");
        let redactor = Redactor::default();
        redactor.hide(&Secret::new("canary-1"));
        let mut file = SampleFile::open(&path).unwrap().redacted_by(&redactor);
        SampleSink::begin(&mut file, &sitting()).unwrap();
        let took = Duration::from_millis(3);
        let answer = Answer::bad("HTTP 500 for canary-1", Some(Side::new("canary-1")), took);
        let asked = Sample::new(Timestamp::from_millis(1_000), 250, SeatKind::Kept, answer);
        SampleSink::put(&mut file, &asked).unwrap();
        file.mark().unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(!text.contains("canary"), "{text}");
        assert_eq!(ProbeLog::parse(text.as_bytes()).unwrap().len(), 1);
    }
}
