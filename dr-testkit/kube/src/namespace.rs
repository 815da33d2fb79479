//! A namespace for each test of a shared region.

use std::time::Duration;

use dr_core::Result;
use k8s_openapi::api::core::v1::{Namespace, ServiceAccount};
use kube::api::{ObjectMeta, PostParams};
use kube::runtime::wait::await_condition;
use kube::{Api, Client};
use tokio::time::timeout;

use crate::access::Access;
use crate::chance;
use crate::error::KubeFault;

/// How long the controllers may take to fill a new namespace with what pods need.
const WITHIN: Duration = Duration::from_secs(30);

impl Access {
    /// Makes a namespace that nobody else has, its name beginning with `prefix`, and returns when pods can be made in
    /// it: before its service account is there, the server refuses them.
    pub async fn namespace(&self, prefix: &str) -> Result<String> {
        let client = self.client().await?;
        let name = format!("{prefix}-{}", chance::suffix());
        let namespace = Namespace {
            metadata: ObjectMeta { name: Some(name.clone()), ..ObjectMeta::default() },
            ..Namespace::default()
        };
        Api::<Namespace>::all(client.clone())
            .create(&PostParams::default(), &namespace)
            .await
            .map_err(KubeFault::asked(format!("make the namespace {name}")))?;
        accepts_pods(&client, &name).await?;
        Ok(name)
    }
}

/// Returns when pods can be made in that namespace.
pub(crate) async fn accepts_pods(client: &Client, namespace: &str) -> Result<(), KubeFault> {
    // Until 1.23 the account must also have a token in a secret of its own.
    let version = client.apiserver_version().await.map_err(KubeFault::asked("ask for the version"))?;
    let minor: u32 =
        version.minor.trim_end_matches(|c: char| !c.is_ascii_digit()).parse().unwrap_or(u32::MAX);
    let with_secret = version.major == "1" && minor < 24;
    let ready = await_condition(
        Api::<ServiceAccount>::namespaced(client.clone(), namespace),
        "default",
        move |account: Option<&ServiceAccount>| {
            account.is_some_and(|account| {
                !with_secret || account.secrets.as_ref().is_some_and(|secrets| !secrets.is_empty())
            })
        },
    );
    match timeout(WITHIN, ready).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => Err(KubeFault::Garbled(format!("the watch of service accounts failed ({error})"))),
        Err(_) => Err(KubeFault::Late {
            what: format!("the service account of namespace {namespace}"),
            within: WITHIN,
        }),
    }
}
