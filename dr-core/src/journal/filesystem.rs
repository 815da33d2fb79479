//! Folders and files as the journal wants them: private, durable, on a disk of this machine.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;

use super::traits::JournalError;

/// On which file systems a run may be owned.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Filesystem {
    /// On disks of this machine: a lock keeps every other owner out.
    #[default]
    Local,
    /// On any, network file systems included. Whoever says so knows that only this machine uses the folder.
    Any,
}

impl Filesystem {
    /// Whether `folder` is on one of them.
    ///
    /// # Errors
    /// [`JournalError::NetworkFileSystem`] if it is not.
    pub(super) fn admit(self, folder: &Path) -> Result<(), JournalError> {
        match self {
            Self::Any => Ok(()),
            Self::Local => match network_kind(folder).map_err(|error| failed("look at", folder, error))? {
                Some(kind) => Err(JournalError::NetworkFileSystem {
                    folder: folder.display().to_string(),
                    kind: kind.to_owned(),
                }),
                None => Ok(()),
            },
        }
    }
}

/// The kind, if `folder` is on a file system that other machines may share. FUSE counts as one: sshfs is among them.
fn network_kind(folder: &Path) -> io::Result<Option<&'static str>> {
    let magic = rustix::fs::statfs(folder)?.f_type;
    Ok(kind_of(u32::try_from(magic & 0xffff_ffff).unwrap_or_default()))
}

fn kind_of(magic: u32) -> Option<&'static str> {
    match magic {
        0x0000_6969 => Some("NFS"),
        0x0000_517b | 0xff53_4d42 | 0xfe53_4d42 => Some("SMB"),
        0x6573_5546 => Some("FUSE"),
        0x0102_1997 => Some("9p"),
        0x00c3_6400 => Some("Ceph"),
        0x0bd0_0bd0 => Some("Lustre"),
        0x4750_4653 => Some("GPFS"),
        0x0116_1970 => Some("GFS2"),
        0x7461_636f => Some("OCFS2"),
        0x5346_414f | 0x6b41_4653 => Some("AFS"),
        0x7375_7245 => Some("Coda"),
        _ => None,
    }
}

/// Makes the folder and those above it, for this user alone, and makes that durable. One that is there is left as it is.
pub(super) fn make_folder(folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    let parent = folder.parent().filter(|parent| !parent.as_os_str().is_empty());
    if let Some(parent) = parent {
        make_folder(parent)?;
    }
    match DirBuilder::new().mode(0o700).create(folder) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && folder.is_dir() => {}
        other => other?,
    }
    sync_folder(parent.unwrap_or(Path::new(".")))
}

/// Makes durable which names a folder holds.
pub(super) fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Options for files that only this user reads and writes.
pub(super) fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.mode(0o600);
    options
}

/// A journal's error for a file that could not be used.
pub(super) fn failed(what: &str, path: &Path, source: io::Error) -> JournalError {
    JournalError::Io { what: format!("{what} {}", path.display()), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_file_system_is_named_and_a_disk_is_not() {
        assert_eq!(kind_of(0x6969), Some("NFS"));
        assert_eq!(kind_of(0xff53_4d42), Some("SMB"));
        assert_eq!(kind_of(0x6573_5546), Some("FUSE"));
        for disk in [0xef53, 0x5846_5342, 0x9123_683e, 0x0102_1994, 0x794c_7630, 0x2fc1_2fc1] {
            assert_eq!(kind_of(disk), None);
        }
    }

    #[test]
    fn new_folders_are_private_and_may_be_made_twice() {
        use std::os::unix::fs::PermissionsExt as _;
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join("a/b");
        make_folder(&folder).unwrap();
        make_folder(&folder).unwrap();
        assert_eq!(folder.metadata().unwrap().permissions().mode() & 0o777, 0o700);
        Filesystem::Any.admit(&folder).unwrap();
    }
}
