//! Slots in a folder: put-if-absent by hard link, replacement under a lock.

use std::fs::{self, File, TryLockError};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::time::Instant;

use super::digest::Digest;
use super::filesystem::{make_folder, private, sync_folder};
use super::key;
use super::slots::{Created, Slots, Tag};
use crate::error::{Error, ErrorKind, Result};

/// How long another process may hold the lock: it writes one small file under it.
const PATIENCE: Duration = Duration::from_secs(10);
const AGAIN: Duration = Duration::from_millis(2);
const LOCK: &str = ".lock";

/// A folder of small files. The disk is written by the calling thread: what is written is small, and done before the
/// call returns, so that dropping a call cannot leave a write behind.
#[derive(Debug, Clone)]
pub struct FolderSlots {
    root: PathBuf,
}

impl FolderSlots {
    /// The slots in `root`, which is made if it is missing.
    ///
    /// # Errors
    /// As the disk says.
    pub fn open(root: &Path) -> Result<Self> {
        make_folder(root).map_err(|error| failed("make", root, error))?;
        Ok(Self { root: root.to_owned() })
    }

    fn path(&self, key: &str) -> Result<PathBuf> {
        key::check(key)?;
        Ok(self.root.join(key))
    }

    /// A durable file beside `path` that nobody takes for a value.
    fn write_beside(&self, path: &Path, bytes: &[u8]) -> Result<PathBuf> {
        let folder = path.parent().unwrap_or(&self.root);
        make_folder(folder).map_err(|error| failed("make", folder, error))?;
        for number in 0_u32.. {
            let beside = folder.join(format!(".new-{}-{number}", std::process::id()));
            let mut file = match private().write(true).create_new(true).open(&beside) {
                Ok(file) => file,
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
                Err(error) => return Err(failed("create", &beside, error).not_happened()),
            };
            return match file.write_all(bytes).and_then(|()| file.sync_all()) {
                Ok(()) => Ok(beside),
                Err(error) => {
                    let _ = fs::remove_file(&beside);
                    Err(failed("write", path, error).not_happened())
                }
            };
        }
        Err(Error::new(ErrorKind::Conflict, "no free name").on(folder.display().to_string()).not_happened())
    }

    /// The lock under which values are replaced and removed.
    async fn lock(&self) -> Result<File> {
        let path = self.root.join(LOCK);
        let file = private()
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(|error| failed("open", &path, error).not_happened())?;
        let deadline = Instant::now() + PATIENCE;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(file),
                Err(TryLockError::WouldBlock) if Instant::now() < deadline => tokio::time::sleep(AGAIN).await,
                Err(TryLockError::WouldBlock) => {
                    let text = "another process holds the state store's lock";
                    return Err(Error::new(ErrorKind::Timeout, text)
                        .on(path.display().to_string())
                        .not_happened());
                }
                Err(TryLockError::Error(error)) => return Err(failed("lock", &path, error).not_happened()),
            }
        }
    }
}

#[async_trait]
impl Slots for FolderSlots {
    async fn create(&self, key: &str, bytes: Bytes) -> Result<Created> {
        let path = self.path(key)?;
        let beside = self.write_beside(&path, &bytes)?;
        let linked = fs::hard_link(&beside, &path);
        let _ = fs::remove_file(&beside);
        let created = match linked {
            Ok(()) => Created::Yes,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                let there = fs::read(&path).map_err(|error| failed("read", &path, error))?;
                if there == bytes { Created::Mine } else { Created::Other(there.into()) }
            }
            Err(error) => return Err(failed("create", &path, error).not_happened()),
        };
        sync_parent(&path)?;
        Ok(created)
    }

    async fn read(&self, key: &str) -> Result<Option<(Bytes, Tag)>> {
        let path = self.path(key)?;
        Ok(read(&path)?.map(|bytes| {
            let tag = tag(&bytes);
            (bytes.into(), tag)
        }))
    }

    async fn replace_if(&self, key: &str, expected: &Tag, bytes: Bytes) -> Result<bool> {
        let path = self.path(key)?;
        let _lock = self.lock().await?;
        if read(&path)?.is_none_or(|there| tag(&there) != *expected) {
            return Ok(false);
        }
        let beside = self.write_beside(&path, &bytes)?;
        fs::rename(&beside, &path).map_err(|error| failed("replace", &path, error))?;
        sync_parent(&path)?;
        Ok(true)
    }

    async fn remove_if(&self, key: &str, expected: &Tag) -> Result<bool> {
        let path = self.path(key)?;
        let _lock = self.lock().await?;
        match read(&path)? {
            None => Ok(true),
            Some(there) if tag(&there) == *expected => {
                fs::remove_file(&path).map_err(|error| failed("remove", &path, error))?;
                sync_parent(&path)?;
                Ok(true)
            }
            Some(_) => Ok(false),
        }
    }

    async fn list(&self, prefix: &str) -> Result<Vec<String>> {
        let folder = prefix.rsplit_once('/').map_or("", |(folder, _)| folder);
        if !folder.is_empty() {
            key::check(folder)?;
        }
        let mut keys = Vec::new();
        collect(&self.root.join(folder), folder, &mut keys)?;
        keys.retain(|key| key.starts_with(prefix));
        keys.sort();
        Ok(keys)
    }
}

fn collect(path: &Path, folder: &str, keys: &mut Vec<String>) -> Result<()> {
    let entries = match fs::read_dir(path) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(failed("list", path, error)),
    };
    for entry in entries {
        let entry = entry.map_err(|error| failed("list", path, error))?;
        let name = entry.file_name();
        let Some(name) = name.to_str().filter(|name| key::check(name).is_ok()) else { continue };
        let key = if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") };
        let kind = entry.file_type().map_err(|error| failed("list", path, error))?;
        if kind.is_dir() {
            collect(&entry.path(), &key, keys)?;
        } else if kind.is_file() {
            keys.push(key);
        }
    }
    Ok(())
}

fn read(path: &Path) -> Result<Option<Vec<u8>>> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed("read", path, error).not_happened()),
    }
}

fn tag(bytes: &[u8]) -> Tag {
    Tag(Digest::of(bytes).to_string())
}

fn sync_parent(path: &Path) -> Result<()> {
    let folder = path.parent().unwrap_or(path);
    sync_folder(folder).map_err(|error| failed("sync", folder, error))
}

fn failed(operation: &str, path: &Path, error: io::Error) -> Error {
    let kind = match error.kind() {
        io::ErrorKind::NotFound => ErrorKind::NotFound,
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => ErrorKind::Unauthorized,
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
            ErrorKind::Refused
        }
        _ => ErrorKind::Unknown,
    };
    Error::new(kind, "the state store's folder cannot be used")
        .during(operation)
        .on(path.display().to_string())
        .because(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_disk_says_decides_the_kind_of_the_error() {
        use rustix::io::Errno;
        for (said, kind) in [
            (Errno::NOENT, ErrorKind::NotFound),
            (Errno::ACCESS, ErrorKind::Unauthorized),
            (Errno::PERM, ErrorKind::Unauthorized),
            (Errno::ROFS, ErrorKind::Unauthorized),
            (Errno::NOSPC, ErrorKind::Refused),
            (Errno::DQUOT, ErrorKind::Refused),
            (Errno::FBIG, ErrorKind::Refused),
            (Errno::IO, ErrorKind::Unknown),
        ] {
            assert_eq!(failed("write", Path::new("state"), said.into()).kind(), kind, "{said}");
        }
    }
}
