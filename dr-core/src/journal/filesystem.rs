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
            Self::Local => {
                let magic = magic_of(folder).map_err(|error| failed("look at", folder, error))?;
                admit_disk(folder, magic)
            }
        }
    }
}

/// By which number Linux knows the file system of `folder`.
fn magic_of(folder: &Path) -> io::Result<u32> {
    let magic = rustix::fs::statfs(folder)?.f_type;
    Ok(u32::try_from(magic & 0xffff_ffff).unwrap_or_default())
}

fn admit_disk(folder: &Path, magic: u32) -> Result<(), JournalError> {
    match kind_of(magic) {
        Some(kind) => Err(JournalError::NetworkFileSystem {
            folder: folder.display().to_string(),
            kind: kind.to_owned(),
        }),
        None => Ok(()),
    }
}

/// The kind, if it is a file system that other machines may share. FUSE counts as one: sshfs is among them.
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
        0x1983_0326 => Some("BeeGFS"),
        0xaad7_aaea => Some("PanFS"),
        0xbeef_dead => Some("StorNext"),
        0x0000_564c => Some("NCP"),
        0x786f_4256 => Some("vboxsf"),
        0xbacb_acbc => Some("vmhgfs"),
        0x7c7c_6673 => Some("Parallels"),
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

    /// The numbers are those of Linux's `magic.h`; those that it lacks, from Lustre on, are as coreutils'
    /// `stat` has them.
    #[test]
    fn a_network_file_system_is_named_and_a_disk_is_not() {
        let networks = [
            ("NFS", 0x6969),
            ("SMB", 0x517B),
            ("SMB", 0xFF53_4D42),
            ("SMB", 0xFE53_4D42),
            ("FUSE", 0x6573_5546),
            ("9p", 0x0102_1997),
            ("Ceph", 0x00C3_6400),
            ("Lustre", 0x0BD0_0BD0),
            ("GPFS", 0x4750_4653),
            ("GFS2", 0x0116_1970),
            ("OCFS2", 0x7461_636F),
            ("AFS", 0x5346_414F),
            ("AFS", 0x6B41_4653),
            ("Coda", 0x7375_7245),
            ("BeeGFS", 0x1983_0326),
            ("PanFS", 0xAAD7_AAEA),
            ("StorNext", 0xBEEF_DEAD),
            ("NCP", 0x0000_564C),
            ("vboxsf", 0x786F_4256),
            ("vmhgfs", 0xBACB_ACBC),
            ("Parallels", 0x7C7C_6673),
        ];
        for (kind, magic) in networks {
            assert_eq!(kind_of(magic), Some(kind), "{magic:#x}");
        }
        for disk in [0xef53, 0x5846_5342, 0x9123_683e, 0x0102_1994, 0x794c_7630, 0x2fc1_2fc1] {
            assert_eq!(kind_of(disk), None);
        }
    }

    #[test]
    fn a_folder_on_a_network_file_system_is_not_admitted() {
        let refused = admit_disk(Path::new("/mnt/state"), 0x6969).unwrap_err().to_string();
        assert!(refused.contains("/mnt/state") && refused.contains("NFS"), "{refused}");
        admit_disk(Path::new("/mnt/state"), 0xef53).unwrap();
    }

    /// Every Linux has `/proc`, and none has it on a network.
    #[test]
    fn the_file_system_is_that_of_the_folder() {
        assert_eq!(magic_of(Path::new("/proc")).unwrap(), 0x9fa0);
        Filesystem::Local.admit(Path::new("/proc")).unwrap();
    }

    #[test]
    fn a_folder_that_cannot_be_looked_at_is_not_admitted() {
        let home = tempfile::tempdir().unwrap();
        let refused = Filesystem::Local.admit(&home.path().join("nowhere")).unwrap_err();
        assert!(matches!(refused, JournalError::Io { .. }), "{refused}");
    }

    #[test]
    fn a_file_in_the_place_of_a_folder_is_no_folder() {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("file");
        File::create(&file).unwrap();
        assert_eq!(make_folder(&file).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
    }

    /// As two processes do that make it at the same moment: it is missing at the first look and there at the second.
    #[test]
    fn a_folder_that_comes_to_be_meanwhile_is_as_good() {
        let home = tempfile::tempdir().unwrap();
        make_folder(&home.path().join("new/../state")).unwrap();
        assert!(home.path().join("state").is_dir());
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
