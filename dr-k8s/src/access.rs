//! How an API server is reached, and as whom: a kubeconfig as kubectl reads it, or the account of the pod we run in.

use std::path::{Path, PathBuf};

use dr_core::resource::Redactor;
use kube::Client;
use kube::Config;
use kube::client::ClientBuilder;
use kube::config::{KubeConfigOptions, Kubeconfig};

use crate::config::Limits;
use crate::error::Fault;
use crate::login;

/// Where a side's credentials are.
#[derive(Clone)]
pub(crate) enum Access {
    /// A context of a kubeconfig.
    Context {
        /// The file that the plan names; else `KUBECONFIG`, else `~/.kube/config`.
        file: Option<PathBuf>,
        /// The context.
        context: String,
    },
    /// The service account of the pod that this process runs in.
    InCluster,
}

/// Where a server's connections are taken.
#[derive(Debug, Clone, Default)]
pub(crate) struct Door {
    pub(crate) host: String,
    pub(crate) port: u16,
}

impl Door {
    fn of(url: &hyper::Uri) -> Self {
        let port = url.port_u16().unwrap_or(if url.scheme_str() == Some("http") { 80 } else { 443 });
        let host = url.host().unwrap_or_default().trim_matches(['[', ']']).to_owned();
        Self { host, port }
    }
}

impl std::fmt::Debug for Access {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Context { context, .. } => write!(f, "Context({context})"),
            Self::InCluster => f.write_str("InCluster"),
        }
    }
}

impl Access {
    /// Makes a client: reads files, runs the credential plug-in, opens no connection.
    ///
    /// The plug-in may open a browser or hang, and blocks: it runs on a thread for such work. A call that is dropped
    /// leaves the plug-in to end by itself; it changes nothing.
    pub(crate) async fn client(&self, limits: &Limits, redactor: &Redactor) -> Result<(Client, Door), Fault> {
        let mut config = self.config().await?;
        login::hide(redactor, &config.auth_info);
        if config.proxy_url.is_some() {
            return Err(Fault::Access(
                "a proxy is set for this cluster (proxy-url or HTTPS_PROXY), which is not supported yet: give it a route of its own, or a tunnel".to_owned(),
            ));
        }
        config.connect_timeout = Some(limits.connect);
        // Watches read for as long as they like; every other call is bounded where it is made.
        config.read_timeout = None;
        // What may be repeated is decided where it is known what a repeat means.
        config.default_retry = false;
        let door = Door::of(&config.cluster_url);
        let made =
            tokio::task::spawn_blocking(move || ClientBuilder::try_from(config).map(ClientBuilder::build));
        match made.await {
            Ok(Ok(client)) => Ok((client, door)),
            Ok(Err(kube::Error::Auth(error))) => Err(Fault::Credentials(login::why(&error))),
            Ok(Err(error)) => Err(Fault::Access(chain(&error))),
            Err(_) => Err(Fault::Credentials("the plug-in's thread ended without an answer".to_owned())),
        }
    }

    async fn config(&self) -> Result<Config, Fault> {
        match self {
            Self::Context { file, context } => {
                let all = read(file.as_deref())?;
                let options =
                    KubeConfigOptions { context: Some(context.clone()), ..KubeConfigOptions::default() };
                let known: Vec<String> = all.contexts.iter().map(|one| format!("`{}`", one.name)).collect();
                if !all.contexts.iter().any(|one| one.name == *context) {
                    let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
                    return Err(Fault::Access(format!(
                        "the kubeconfig has no context `{context}`; it has {known}"
                    )));
                }
                Config::from_custom_kubeconfig(all, &options)
                    .await
                    .map_err(|error| Fault::Access(format!("context `{context}`: {}", chain(&error))))
            }
            Self::InCluster => Config::incluster().map_err(|error| {
                Fault::Access(format!("no service account of a pod is to be had here: {}", chain(&error)))
            }),
        }
    }
}

/// The kubeconfig as kubectl reads it: several files are merged, the first to say something wins, and files that
/// `KUBECONFIG` names but that are not there are passed over.
fn read(file: Option<&Path>) -> Result<Kubeconfig, Fault> {
    if let Some(file) = file {
        return read_one(file);
    }
    let named: Vec<PathBuf> = std::env::var_os("KUBECONFIG")
        .map(|value| std::env::split_paths(&value).filter(|path| !path.as_os_str().is_empty()).collect())
        .unwrap_or_default();
    if named.is_empty() {
        let home = std::env::home_dir().filter(|home| !home.as_os_str().is_empty());
        let home = home.ok_or_else(|| {
            Fault::Access("no kubeconfig: neither KUBECONFIG nor a home directory is set".to_owned())
        })?;
        return read_one(&home.join(".kube").join("config"));
    }
    merged(&named)
}

fn merged(named: &[PathBuf]) -> Result<Kubeconfig, Fault> {
    let there: Vec<&PathBuf> = named.iter().filter(|path| path.exists()).collect();
    if there.is_empty() {
        let named: Vec<String> = named.iter().map(|path| path.display().to_string()).collect();
        return Err(Fault::Access(format!("none of the kubeconfigs is there: {}", named.join(", "))));
    }
    there.into_iter().try_fold(Kubeconfig::default(), |all, path| {
        all.merge(read_one(path)?)
            .map_err(|error| Fault::Access(format!("{}: {}", path.display(), chain(&error))))
    })
}

fn read_one(path: &Path) -> Result<Kubeconfig, Fault> {
    Kubeconfig::read_from(path).map_err(|error| Fault::Access(chain(&error)))
}

/// An error with what is behind it, where that says more.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let more = cause.to_string();
        if !text.contains(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn file(folder: &Path, name: &str, context: &str, server: &str) -> PathBuf {
        let path = folder.join(name);
        let text = format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: {context}\n\
             contexts:\n- name: {context}\n  context: {{ cluster: c, user: u }}\n\
             clusters:\n- name: c\n  cluster: {{ server: \"{server}\" }}\n\
             users:\n- name: u\n  user: {{ token: t-{name} }}\n"
        );
        fs::write(&path, text).unwrap();
        path
    }

    #[test]
    fn several_files_are_merged_and_the_first_to_say_something_wins() {
        let folder = tempfile::tempdir().unwrap();
        let first = file(folder.path(), "a", "prod-us", "https://one:6443");
        let second = file(folder.path(), "b", "prod-eu", "https://two:6443");
        let all = merged(&[first, folder.path().join("absent"), second]).unwrap();
        let names: Vec<&str> = all.contexts.iter().map(|context| context.name.as_str()).collect();
        assert_eq!(names, ["prod-us", "prod-eu"]);
        let server = all.clusters[0].cluster.as_ref().and_then(|cluster| cluster.server.clone());
        assert_eq!(server.as_deref(), Some("https://one:6443"));
        assert_eq!(all.current_context.as_deref(), Some("prod-us"));
    }

    #[tokio::test]
    async fn a_context_that_is_not_there_is_named_with_those_that_are() {
        let folder = tempfile::tempdir().unwrap();
        let file = file(folder.path(), "a", "prod-us", "https://one:6443");
        let access = Access::Context { file: Some(file), context: "prod-eu".to_owned() };
        let error = access.client(&Limits::default(), &Redactor::default()).await.err().unwrap().to_string();
        assert!(error.contains("no context `prod-eu`; it has `prod-us`"), "{error}");
    }

    #[tokio::test]
    async fn a_plug_in_that_fails_is_a_matter_of_credentials() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("exec");
        let text = "apiVersion: v1\nkind: Config\n\
             contexts:\n- name: c\n  context: { cluster: c, user: u }\n\
             clusters:\n- name: c\n  cluster: { server: \"https://127.0.0.1:1\" }\n\
             users:\n- name: u\n  user: { exec: { apiVersion: client.authentication.k8s.io/v1, command: \"false\", interactiveMode: Never } }\n";
        fs::write(&path, text).unwrap();
        let access = Access::Context { file: Some(path), context: "c".to_owned() };
        let fault = access.client(&Limits::default(), &Redactor::default()).await.err().unwrap();
        assert!(matches!(fault, Fault::Credentials(_)), "{fault:?}");
    }

    /// P28: a plug-in that writes a token and then fails, or writes something else than it should.
    ///
    /// Found: the error held all that the plug-in wrote.
    #[tokio::test]
    async fn what_a_plug_in_wrote_is_not_told() {
        let folder = tempfile::tempdir().unwrap();
        for script in
            ["echo canary-1; echo expired >&2; exit 3", "echo '{token: canary-1'", "echo token: canary-1"]
        {
            let path = folder.path().join("exec");
            let text = format!(
                "apiVersion: v1\nkind: Config\n\
                 contexts:\n- name: c\n  context: {{ cluster: c, user: u }}\n\
                 clusters:\n- name: c\n  cluster: {{ server: \"https://127.0.0.1:1\" }}\n\
                 users:\n- name: u\n  user: {{ exec: {{ apiVersion: client.authentication.k8s.io/v1, command: sh, \
                 args: [-c, \"{script}\"], env: [{{ name: KEY, value: canary-2 }}], interactiveMode: Never }} }}\n"
            );
            fs::write(&path, text).unwrap();
            let access = Access::Context { file: Some(path), context: "c".to_owned() };
            let fault = access.client(&Limits::default(), &Redactor::default()).await.err().unwrap();
            assert!(matches!(fault, Fault::Credentials(_)), "{fault:?}");
            assert!(!fault.to_string().contains("canary"), "{fault}");
        }
    }
}
