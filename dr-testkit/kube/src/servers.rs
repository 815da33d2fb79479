//! Where the servers' programs are.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use dr_core::Result;

use crate::error::KubeFault;

/// Kubernetes' server programs and etcd, as installed on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Servers {
    pub(crate) api: PathBuf,
    pub(crate) controllers: PathBuf,
    pub(crate) etcd: PathBuf,
    version: (u32, u32),
}

impl Servers {
    /// Finds them where the ecosystem looks: `KUBEBUILDER_ASSETS`, `/usr/local/kubebuilder/bin`, then the cache that
    /// `scripts/kube.sh` fills. What is not there is an error that says so; it is looked for once in a process.
    pub fn find() -> Result<Self> {
        Ok(Self::locate()?)
    }

    pub(crate) fn locate() -> Result<Self, KubeFault> {
        static FOUND: OnceLock<Servers> = OnceLock::new();
        if let Some(found) = FOUND.get() {
            return Ok(found.clone());
        }
        let found = look(&folders())?;
        Ok(FOUND.get_or_init(|| found).clone())
    }

    /// Major and minor version of the API server.
    pub fn version(&self) -> (u32, u32) {
        self.version
    }
}

fn folders() -> Vec<PathBuf> {
    let cache = env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .or_else(|| env::var_os("HOME").map(|home| Path::new(&home).join(".cache")));
    env::var_os("KUBEBUILDER_ASSETS")
        .filter(|assets| !assets.is_empty())
        .map(PathBuf::from)
        .into_iter()
        .chain([PathBuf::from("/usr/local/kubebuilder/bin")])
        .chain(cache.map(|cache| cache.join("dr-kube-2")))
        .collect()
}

/// The first folder that holds both servers: builds for controllers' tests often lack the controller manager.
fn look(folders: &[PathBuf]) -> Result<Servers, KubeFault> {
    let missing = |program| KubeFault::NotInstalled { program, looked: folders.to_vec() };
    let folder = folders
        .iter()
        .find(|folder| {
            folder.join("kube-apiserver").is_file() && folder.join("kube-controller-manager").is_file()
        })
        .ok_or_else(|| missing("kube-apiserver with kube-controller-manager"))?;
    let etcd = folders
        .iter()
        .map(|folder| folder.join("etcd"))
        .chain([PathBuf::from("/usr/bin/etcd")])
        .find(|etcd| etcd.is_file())
        .ok_or_else(|| missing("etcd"))?;
    let api = folder.join("kube-apiserver");
    let version = version_of(&api)?;
    Ok(Servers { controllers: folder.join("kube-controller-manager"), version, api, etcd })
}

fn version_of(api: &Path) -> Result<(u32, u32), KubeFault> {
    let said = Command::new(api)
        .arg("--version")
        .output()
        .map_err(KubeFault::io(format!("ask {} for its version", api.display())))?;
    let said = String::from_utf8_lossy(&said.stdout).into_owned();
    parse_version(&said)
        .ok_or_else(|| KubeFault::Garbled(format!("{} says no version but `{}`", api.display(), said.trim())))
}

/// Reads `Kubernetes v1.20.2`.
fn parse_version(said: &str) -> Option<(u32, u32)> {
    let mut numbers = said.trim().rsplit_once('v')?.1.split('.');
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_that_are_not_there_name_the_script_that_brings_them() {
        let empty = tempfile::tempdir().unwrap();
        let error = dr_core::Error::from(look(&[empty.path().to_owned()]).unwrap_err());
        assert_eq!(error.kind(), dr_core::ErrorKind::NotFound);
        assert!(error.to_string().contains("run scripts/kube.sh"), "{error}");
    }

    #[test]
    fn a_version_is_read_as_the_server_prints_it() {
        assert_eq!(parse_version("Kubernetes v1.20.2\n"), Some((1, 20)));
        assert_eq!(parse_version("Kubernetes v1.34.1-eks-3f6c190"), Some((1, 34)));
        assert_eq!(parse_version("hello"), None);
    }
}
