//! Kubeconfig files, as people write them.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use dr_core::Result;

use crate::access::{Access, Identity};
use crate::error::KubeFault;

/// Several accesses in one kubeconfig, each a context of the name given. The first one is the current context.
///
/// ```no_run
/// # async fn two() -> dr_core::Result<()> {
/// use dr_testkit_kube::{Contexts, KubeRegion, RegionOptions};
///
/// let (east, west) = tokio::try_join!(
///     KubeRegion::start(RegionOptions::new("east")),
///     KubeRegion::start(RegionOptions::new("west")),
/// )?;
/// let contexts = Contexts::new().with("primary", east.access()).with("dr", west.access());
/// contexts.write_to(std::path::Path::new("kubeconfig"))?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Default)]
pub struct Contexts(Vec<(String, Access)>);

impl Contexts {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// One more context.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, access: &Access) -> Self {
        self.0.push((name.into(), access.clone()));
        self
    }

    /// The file's text.
    pub fn to_yaml(&self) -> String {
        let contexts: Vec<(&str, &Access)> =
            self.0.iter().map(|(name, access)| (name.as_str(), access)).collect();
        write(&contexts)
    }

    /// Writes the file, for its owner's eyes only.
    pub fn write_to(&self, path: &Path) -> Result<()> {
        Ok(keep(path, &self.to_yaml())?)
    }
}

/// Writes what only its owner may read.
pub(crate) fn keep(path: &Path, text: &str) -> Result<(), KubeFault> {
    let doing = || format!("write {}", path.display());
    let _ = fs::remove_file(path);
    let file = File::options().write(true).create_new(true).mode(0o600).open(path);
    file.and_then(|mut file| file.write_all(text.as_bytes())).map_err(KubeFault::io(doing()))
}

pub(crate) fn write(contexts: &[(&str, &Access)]) -> String {
    let (mut clusters, mut users, mut entries) = (String::new(), String::new(), String::new());
    for (name, access) in contexts {
        let name = quoted(name);
        let _ = writeln!(
            clusters,
            "- name: {name}\n  cluster:\n    server: {}\n    certificate-authority-data: {}",
            quoted(&format!("https://{}", access.address())),
            base64(access.authority().as_bytes()),
        );
        let _ = writeln!(users, "- name: {name}\n  user:");
        let _ = match access.identity() {
            Identity::Token(token) => writeln!(users, "    token: {}", quoted(token)),
            Identity::Certificate { pem, key } => writeln!(
                users,
                "    client-certificate-data: {}\n    client-key-data: {}",
                base64(pem.as_bytes()),
                base64(key.as_bytes()),
            ),
        };
        let _ = writeln!(entries, "- name: {name}\n  context:\n    cluster: {name}\n    user: {name}");
    }
    let current = quoted(contexts.first().map_or("", |(name, _)| name));
    format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: {current}\nclusters:\n{clusters}users:\n{users}contexts:\n{entries}"
    )
}

/// A string as JSON writes it, which YAML reads as it stands.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn base64(bytes: &[u8]) -> String {
    data_encoding::BASE64.encode(bytes)
}
