//! Users that may do little, to see what happens without the right.

use std::time::Duration;

use dr_core::Result;
use k8s_openapi::api::authentication::v1::{TokenRequest, TokenRequestSpec};
use k8s_openapi::api::authorization::v1::{
    ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec,
};
use k8s_openapi::api::core::v1::ServiceAccount;
use k8s_openapi::api::rbac::v1::{
    ClusterRole, ClusterRoleBinding, PolicyRule, Role, RoleBinding, RoleRef, Subject,
};
use kube::api::{ObjectMeta, PostParams};
use kube::{Api, Client};
use tokio::time::{Instant, sleep};

use crate::access::Access;
use crate::error::KubeFault;

/// How long the server may take to know a new binding.
const WITHIN: Duration = Duration::from_secs(10);

/// What a user may do, and where.
///
/// ```
/// use dr_testkit_kube::Rights;
///
/// let rights = Rights::within("shop")
///     .allow("apps", &["deployments"], &["get", "list", "watch"])
///     .allow("", &["pods"], &["list"]);
/// # let _ = rights;
/// ```
#[derive(Debug, Clone)]
pub struct Rights {
    namespace: Option<String>,
    rules: Vec<PolicyRule>,
}

impl Rights {
    /// Rights in one namespace. None yet.
    pub fn within(namespace: impl Into<String>) -> Self {
        Self { namespace: Some(namespace.into()), rules: Vec::new() }
    }

    /// Rights everywhere. None yet.
    pub fn everywhere() -> Self {
        Self { namespace: None, rules: Vec::new() }
    }

    /// These verbs on these resources of an API group. A subresource is written `deployments/scale`, the core's group
    /// is empty.
    #[must_use]
    pub fn allow(mut self, group: &str, resources: &[&str], verbs: &[&str]) -> Self {
        let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        self.rules.push(PolicyRule {
            api_groups: Some(vec![group.to_owned()]),
            resources: Some(owned(resources)),
            verbs: owned(verbs),
            ..PolicyRule::default()
        });
        self
    }
}

impl Access {
    /// Makes a service account with exactly these rights, and returns when the server knows them. The access given must
    /// be an administrator's, and the name one that nobody has there yet. The rights live in a role of that name, which a
    /// test may change.
    pub async fn user(&self, name: &str, rights: Rights) -> Result<Self> {
        let client = self.client().await?;
        let home = rights.namespace.as_deref().unwrap_or("default");
        let account = ServiceAccount { metadata: named(name), ..ServiceAccount::default() };
        let accounts = Api::<ServiceAccount>::namespaced(client.clone(), home);
        let doing = || KubeFault::asked(format!("make the user {name}"));
        accounts.create(&PostParams::default(), &account).await.map_err(doing())?;
        bind(&client, name, home, &rights).await.map_err(doing())?;
        let asked =
            accounts.create_token_request(name, &PostParams::default(), &hour()).await.map_err(doing())?;
        let token = asked
            .status
            .and_then(|status| status.token)
            .ok_or_else(|| KubeFault::Garbled(format!("no token in the answer for {name}")))?;
        let user = self.with_token(token);
        if let Some(rule) = rights.rules.first() {
            knows(&user.client().await?, name, rights.namespace.as_deref(), rule).await?;
        }
        Ok(user)
    }
}

fn named(name: &str) -> ObjectMeta {
    ObjectMeta { name: Some(name.to_owned()), ..ObjectMeta::default() }
}

fn hour() -> TokenRequest {
    TokenRequest {
        spec: Some(TokenRequestSpec { expiration_seconds: Some(3600), ..TokenRequestSpec::default() }),
        ..TokenRequest::default()
    }
}

async fn bind(client: &Client, name: &str, home: &str, rights: &Rights) -> kube::Result<()> {
    let post = PostParams::default();
    let role_ref = |kind: &str| RoleRef {
        api_group: Some("rbac.authorization.k8s.io".to_owned()),
        kind: kind.to_owned(),
        name: name.to_owned(),
    };
    let subjects = Some(vec![Subject {
        kind: "ServiceAccount".to_owned(),
        name: name.to_owned(),
        namespace: Some(home.to_owned()),
        ..Subject::default()
    }]);
    let rules = Some(rights.rules.clone());
    match &rights.namespace {
        Some(namespace) => {
            let role = Role { metadata: named(name), rules };
            Api::<Role>::namespaced(client.clone(), namespace).create(&post, &role).await?;
            let binding = RoleBinding { metadata: named(name), role_ref: role_ref("Role"), subjects };
            Api::<RoleBinding>::namespaced(client.clone(), namespace).create(&post, &binding).await?;
        }
        None => {
            let role = ClusterRole { metadata: named(name), rules, ..ClusterRole::default() };
            Api::<ClusterRole>::all(client.clone()).create(&post, &role).await?;
            let binding =
                ClusterRoleBinding { metadata: named(name), role_ref: role_ref("ClusterRole"), subjects };
            Api::<ClusterRoleBinding>::all(client.clone()).create(&post, &binding).await?;
        }
    }
    Ok(())
}

/// Returns when the server grants the rule: its authorizer hears of a binding by a watch of its own.
async fn knows(
    client: &Client,
    name: &str,
    namespace: Option<&str>,
    rule: &PolicyRule,
) -> Result<(), KubeFault> {
    let first = |texts: &Option<Vec<String>>| texts.as_ref().and_then(|texts| texts.first().cloned());
    let resource = first(&rule.resources).unwrap_or_default();
    let (resource, subresource) = match resource.split_once('/') {
        Some((resource, subresource)) => (resource.to_owned(), Some(subresource.to_owned())),
        None => (resource, None),
    };
    let review = SelfSubjectAccessReview {
        spec: SelfSubjectAccessReviewSpec {
            resource_attributes: Some(ResourceAttributes {
                group: first(&rule.api_groups),
                resource: Some(resource),
                subresource,
                verb: rule.verbs.first().cloned(),
                namespace: namespace.map(str::to_owned),
                ..ResourceAttributes::default()
            }),
            ..SelfSubjectAccessReviewSpec::default()
        },
        ..SelfSubjectAccessReview::default()
    };
    let reviews = Api::<SelfSubjectAccessReview>::all(client.clone());
    let until = Instant::now() + WITHIN;
    loop {
        let answer = reviews
            .create(&PostParams::default(), &review)
            .await
            .map_err(KubeFault::asked(format!("ask what {name} may do")))?;
        if answer.status.is_some_and(|status| status.allowed) {
            return Ok(());
        }
        if Instant::now() >= until {
            return Err(KubeFault::Late { what: format!("the right of {name}"), within: WITHIN });
        }
        sleep(Duration::from_millis(5)).await;
    }
}
