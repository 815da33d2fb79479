//! A journal in a folder of this machine, owned by a lock.

use std::fs::{File, TryLockError};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use bytes::Bytes;
use rustix::fs::FallocateFlags;

use super::chain::{Chain, Head, read_lines};
use super::digest::Digest;
use super::filesystem::{Filesystem, failed, make_folder, private, sync_folder};
use super::syncer::Syncer;
use super::traits::{Durability, Journal, JournalError, Line};
use crate::event::{Actor, Entry, Seq};

/// The file of lines in a run's folder.
pub(super) const JOURNAL: &str = "journal.ndjson";
const LOCK: &str = "lock";
/// The largest journal that is read.
const MAX_JOURNAL: u64 = 512 << 20;

/// A journal of one file. Whoever holds this value holds the lock beside it; it is free again when the value is
/// dropped or its process dies.
#[derive(Debug)]
pub struct LocalJournal {
    path: PathBuf,
    file: File,
    head: Head,
    len: u64,
    closed: Option<String>,
    syncer: Syncer,
    _lock: File,
}

/// What taking a journal over had to put right.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Repair {
    /// The rest of a batch that was cut off: never part of the run, and kept.
    pub dropped: Option<Dropped>,
}

/// Bytes that followed the last commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dropped {
    /// Where they are kept, in the run's folder.
    pub file: String,
    /// How many.
    pub bytes: u64,
    /// Their hash.
    pub sha256: Digest,
}

/// A journal that was taken over, and what it holds.
#[derive(Debug)]
pub struct Taken {
    /// The journal, ours now.
    pub journal: LocalJournal,
    /// Every committed line.
    pub lines: Vec<Line>,
    /// What had to be put right.
    pub repair: Repair,
    /// The number of this ownership: one more than the last that wrote.
    pub epoch: u64,
}

impl LocalJournal {
    /// Begins a journal in `folder`, which is made if it is missing, and owns it.
    ///
    /// # Errors
    /// [`JournalError::Lost`] if somebody owns a journal there, [`JournalError::Refused`] if there is one already.
    pub fn create(folder: &Path, owner: &Actor, on: Filesystem) -> Result<Self, JournalError> {
        make_folder(folder).map_err(|error| failed("make", folder, error))?;
        on.admit(folder)?;
        let lock = lock(folder, owner)?;
        let path = folder.join(JOURNAL);
        let file = private().read(true).append(true).create_new(true).open(&path).map_err(|error| {
            if error.kind() == io::ErrorKind::AlreadyExists {
                JournalError::Refused { why: format!("{} is there already", path.display()) }
            } else {
                failed("create", &path, error)
            }
        })?;
        file.sync_all().map_err(|error| failed("sync", &path, error))?;
        sync_folder(folder).map_err(|error| failed("sync", folder, error))?;
        Self::over(path, file, Head::start(), 0, lock)
    }

    /// Takes over the journal in `folder`. What follows its last commit is moved to a file beside it.
    ///
    /// # Errors
    /// [`JournalError::NoSuchRun`] if there is none, [`JournalError::Lost`] if somebody owns it,
    /// [`JournalError::Damaged`] if anything before the last commit is not as it was written.
    pub fn own(folder: &Path, owner: &Actor, on: Filesystem) -> Result<Taken, JournalError> {
        let path = folder.join(JOURNAL);
        if !path.is_file() {
            return Err(no_such_run(folder));
        }
        on.admit(folder)?;
        let lock = lock(folder, owner)?;
        let mut file =
            private().read(true).append(true).open(&path).map_err(|error| failed("open", &path, error))?;
        let chain = read_lines(&read_whole(&mut file, &path)?)?;
        let repair = Repair { dropped: drop_tail(folder, &file, &chain)? };
        let journal = Self::over(path, file, chain.head, chain.committed_len as u64, lock)?;
        Ok(Taken { journal, lines: chain.lines, repair, epoch: chain.head.epoch + 1 })
    }

    /// Reads the journal in `folder` without owning it. An owner may be appending: what is not committed yet is in
    /// [`Chain::tail`].
    ///
    /// # Errors
    /// [`JournalError::NoSuchRun`] if there is none, [`JournalError::Damaged`] if it is not as it was written.
    pub fn read_only(folder: &Path) -> Result<Chain, JournalError> {
        let path = folder.join(JOURNAL);
        match File::open(&path) {
            Ok(mut file) => read_lines(&read_whole(&mut file, &path)?),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(no_such_run(folder)),
            Err(error) => Err(failed("open", &path, error)),
        }
    }

    fn over(path: PathBuf, file: File, head: Head, len: u64, lock: File) -> Result<Self, JournalError> {
        let syncer =
            file.try_clone().and_then(Syncer::start).map_err(|error| failed("sync", &path, error))?;
        Ok(Self { path, file, head, len, closed: None, syncer, _lock: lock })
    }

    fn io(&self, what: &str, source: io::Error) -> JournalError {
        failed(what, &self.path, source)
    }

    async fn try_append(&mut self, batch: &[Entry], how: Durability) -> Result<(), JournalError> {
        if let Some(error) = self.syncer.failure() {
            return Err(self.io("sync", error));
        }
        let (bytes, head) = self.head.encode(batch)?;
        if let Err(error) = self.file.write_all(&bytes) {
            // Best effort: a reader takes an unfinished batch for what it is, with or without this.
            let _ = self.file.set_len(self.len);
            return Err(self.io("append to", error));
        }
        self.head = head;
        self.len += bytes.len() as u64;
        match how {
            Durability::Lazy => self.syncer.soon(),
            Durability::Barrier => self.syncer.now().await,
        }
        .map_err(|error| self.io("sync", error))
    }

    fn try_reserve(&mut self, bytes: u64) -> Result<(), JournalError> {
        match rustix::fs::fallocate(&self.file, FallocateFlags::KEEP_SIZE, self.len, bytes) {
            Ok(()) => Ok(()),
            Err(rustix::io::Errno::OPNOTSUPP | rustix::io::Errno::NOSYS) => {
                let free =
                    rustix::fs::fstatvfs(&self.file).map_err(|error| self.io("look at", error.into()))?;
                let free = free.f_bavail.saturating_mul(free.f_frsize);
                enough(free, bytes).map_err(|error| self.io("reserve space in", error))
            }
            Err(error) => Err(self.io("reserve space in", error.into())),
        }
    }
}

#[async_trait]
impl Journal for LocalJournal {
    async fn append(&mut self, batch: &[Entry], how: Durability) -> Result<(), JournalError> {
        if let Some(why) = &self.closed {
            return Err(JournalError::Closed { why: why.clone() });
        }
        self.closed = Some("an append was cut off".to_owned());
        let result = self.try_append(batch, how).await;
        self.closed = result.as_ref().err().map(ToString::to_string);
        result
    }

    async fn read(&self, from: Seq) -> Result<Vec<Line>, JournalError> {
        let mut file = File::open(&self.path).map_err(|error| self.io("open", error))?;
        let mut lines = read_lines(&read_whole(&mut file, &self.path)?)?.lines;
        lines.retain(|line| line.entry.seq >= from);
        Ok(lines)
    }

    async fn reserve(&mut self, bytes: u64) -> Result<(), JournalError> {
        if bytes == 0 { Ok(()) } else { self.try_reserve(bytes) }
    }

    async fn release(&mut self) -> Result<(), JournalError> {
        self.append(&[], Durability::Barrier).await?;
        self.closed = Some("the run was released".to_owned());
        self._lock.unlock().map_err(|error| self.io("unlock", error))
    }
}

/// All that can be said where nothing can be reserved.
fn enough(free: u64, bytes: u64) -> io::Result<()> {
    if free < bytes { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
}

/// The lock is on a file that is never replaced, for a lock goes with the inode; it says who holds it.
fn lock(folder: &Path, owner: &Actor) -> Result<File, JournalError> {
    let path = folder.join(LOCK);
    let io = |what: &'static str| move |error| failed(what, &folder.join(LOCK), error);
    let mut file =
        private().read(true).write(true).create(true).truncate(false).open(&path).map_err(io("open"))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut text = String::new();
            let known = file.take(4096).read_to_string(&mut text).is_ok() && !text.trim().is_empty();
            let to = if known { text.trim().to_owned() } else { "another process".to_owned() };
            return Err(JournalError::Lost { to });
        }
        Err(TryLockError::Error(error)) => return Err(failed("lock", &path, error)),
    }
    file.set_len(0).map_err(io("write"))?;
    writeln!(file, "{owner}").map_err(io("write"))?;
    Ok(file)
}

fn read_whole(file: &mut File, path: &Path) -> Result<Bytes, JournalError> {
    read_at_most(MAX_JOURNAL, file, path)
}

fn read_at_most(most: u64, file: &mut File, path: &Path) -> Result<Bytes, JournalError> {
    let mut bytes = Vec::new();
    file.rewind().map_err(|error| failed("read", path, error))?;
    file.take(most + 1).read_to_end(&mut bytes).map_err(|error| failed("read", path, error))?;
    if bytes.len() as u64 > most {
        let why = format!("it is larger than {} MiB", most >> 20);
        return Err(JournalError::Damaged { at: 1, why });
    }
    Ok(bytes.into())
}

/// Keeps what follows the last commit, durably, and only then cuts it off.
fn drop_tail(folder: &Path, file: &File, chain: &Chain) -> Result<Option<Dropped>, JournalError> {
    if chain.tail.is_empty() {
        return Ok(None);
    }
    let mut number = 1_u32;
    let (name, mut side) = loop {
        let name = format!("journal.dropped-{number}");
        match private().write(true).create_new(true).open(folder.join(&name)) {
            Ok(side) => break (name, side),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => number += 1,
            Err(error) => return Err(failed("create", &folder.join(name), error)),
        }
    };
    let keep = |error| failed("write", &folder.join(&name), error);
    side.write_all(&chain.tail).map_err(keep)?;
    side.sync_all().map_err(keep)?;
    sync_folder(folder).map_err(|error| failed("sync", folder, error))?;
    let cut = |error| failed("repair", &folder.join(JOURNAL), error);
    file.set_len(chain.committed_len as u64).map_err(cut)?;
    file.sync_all().map_err(cut)?;
    Ok(Some(Dropped { file: name, bytes: chain.tail.len() as u64, sha256: Digest::of(&chain.tail) }))
}

fn no_such_run(folder: &Path) -> JournalError {
    let name = folder.file_name().unwrap_or(folder.as_os_str());
    JournalError::NoSuchRun { run: name.to_string_lossy().into_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_nothing_can_be_reserved_the_free_space_is_counted() {
        enough(8, 7).unwrap();
        enough(8, 8).unwrap();
        assert_eq!(enough(8, 9).unwrap_err().kind(), io::ErrorKind::StorageFull);
    }

    #[test]
    fn a_journal_that_is_too_large_is_not_read() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"eight by").unwrap();
        let mut read = |most| read_at_most(most, &mut file, Path::new("j"));
        assert_eq!(read(8).unwrap(), "eight by");
        assert!(matches!(read(7), Err(JournalError::Damaged { at: 1, .. })));
    }
}
