//! The unprivileged account that PostgreSQL runs as: it refuses to be root.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use dr_core::{Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};

/// A user of this machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Account {
    pub(crate) name: String,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
}

impl Account {
    /// Whom the servers of the two regions run as: nobody else, unless we are root. Then `postgres` and `nobody`, as
    /// far as there are both: two accounts tell the regions' packets apart, whichever address they leave from.
    pub(crate) fn for_servers() -> Result<[Option<Self>; 2]> {
        if !rustix::process::geteuid().is_root() {
            return Ok([None, None]);
        }
        let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
        match (find(&users, "postgres"), find(&users, "nobody")) {
            (Some(one), Some(other)) => Ok([Some(one), Some(other)]),
            (Some(one), None) | (None, Some(one)) => Ok([Some(one.clone()), Some(one)]),
            (None, None) => Err(Error::new(
                ErrorKind::NotFound,
                "there is no user `postgres` or `nobody` to run PostgreSQL as",
            )
            .not_happened()),
        }
    }

    /// Whether it may walk down to `path`.
    pub(crate) fn reaches(&self, path: &Path) -> bool {
        path.ancestors().filter(|ancestor| !ancestor.as_os_str().is_empty()).all(|ancestor| {
            fs::metadata(ancestor).is_ok_and(|meta| {
                let mode = meta.permissions().mode();
                let bits = if meta.uid() == self.uid {
                    mode >> 6
                } else if meta.gid() == self.gid {
                    mode >> 3
                } else {
                    mode
                };
                bits & 1 == 1
            })
        })
    }
}

fn find(users: &str, name: &str) -> Option<Account> {
    users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let found = fields.next()? == name;
        let uid = fields.nth(1)?.parse().ok()?;
        let gid = fields.next()?.parse().ok()?;
        found.then(|| Account { name: name.to_owned(), uid, gid })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_read_from_its_line() {
        let users = "root:x:0:0:root:/root:/bin/bash\npostgres:x:101:104:,,,:/var/lib/postgresql:/bin/bash\n";
        let account = find(users, "postgres").unwrap();
        assert_eq!((account.uid, account.gid), (101, 104));
        assert_eq!(find(users, "nobody"), None);
    }

    #[test]
    fn a_closed_home_is_not_reached() {
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o700)).unwrap();
        let stranger = Account { name: "stranger".to_owned(), uid: 4_000_000, gid: 4_000_000 };
        assert!(!stranger.reaches(folder.path()));
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        assert!(stranger.reaches(folder.path()));
    }
}
