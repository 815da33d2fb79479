//! What a server offers, and in which version: asked, never assumed.

use std::collections::BTreeMap;

use dr_core::resource::Cx;
use dr_core::{Error, ErrorKind, Result};
use serde::Deserialize;

use crate::cluster::Cluster;

/// A kind of object as this server offers it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Kind {
    /// The API group; empty for the oldest one.
    pub(crate) group: String,
    /// The version.
    pub(crate) version: String,
    /// `deployments`.
    pub(crate) plural: String,
    /// `Deployment`.
    pub(crate) name: String,
}

impl Kind {
    pub(crate) fn new(group: &str, version: &str, plural: &str, name: &str) -> Self {
        Self {
            group: group.to_owned(),
            version: version.to_owned(),
            plural: plural.to_owned(),
            name: name.to_owned(),
        }
    }

    /// One of the oldest group, which is never offered in another version.
    pub(crate) fn core(plural: &str, name: &str) -> Self {
        Self::new("", "v1", plural, name)
    }

    /// `deployment`.
    pub(crate) fn word(&self) -> String {
        self.name.to_lowercase()
    }

    fn root(&self) -> String {
        if self.group.is_empty() {
            format!("/api/{}", self.version)
        } else {
            format!("/apis/{}/{}", self.group, self.version)
        }
    }

    /// Where those of a namespace are.
    pub(crate) fn path(&self, namespace: &str) -> String {
        format!("{}/namespaces/{namespace}/{}", self.root(), self.plural)
    }

    /// Where all of them are.
    pub(crate) fn everywhere(&self) -> String {
        format!("{}/{}", self.root(), self.plural)
    }

    /// Where one of them is.
    pub(crate) fn at(&self, namespace: &str, name: &str) -> String {
        format!("{}/{name}", self.path(namespace))
    }
}

/// What a server offers of one API group.
#[derive(Debug, Clone, Default)]
pub(crate) struct Served {
    group: String,
    /// Each version with what is in it, the server's preferred one first.
    versions: Vec<(String, Vec<Offered>)>,
}

#[derive(Debug, Clone, Deserialize)]
struct Offered {
    name: String,
    kind: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Group {
    name: String,
    versions: Vec<GroupVersion>,
    preferred_version: Option<GroupVersion>,
}

#[derive(Debug, Deserialize)]
struct GroupVersion {
    version: String,
}

#[derive(Debug, Deserialize)]
struct Groups {
    kind: String,
    groups: Vec<Group>,
}

#[derive(Debug, Deserialize)]
struct Offers {
    #[serde(default)]
    resources: Vec<Offered>,
}

impl Served {
    pub(crate) async fn ask(cx: &Cx, cluster: &Cluster, group: &str) -> Result<Self> {
        let mut served = Self { group: group.to_owned(), versions: Vec::new() };
        if group.is_empty() {
            let offers: Offers = cluster.get(cx, "/api/v1").await?;
            served.versions.push(("v1".to_owned(), offers.resources));
            return Ok(served);
        }
        // Not by asking for the group itself: a proxy's 404 would pass for the server's.
        for version in cluster.versions(cx, group).await? {
            let offers: Offers = cluster.get(cx, &format!("/apis/{group}/{version}")).await?;
            served.versions.push((version, offers.resources));
        }
        Ok(served)
    }

    /// A kind in the first of `versions` that offers it; with none given, in the one that the server prefers.
    pub(crate) fn find(&self, plural: &str, versions: &[&str]) -> Option<Kind> {
        let offered = |version: &str| {
            let (_, offers) = self.versions.iter().find(|(offered, _)| offered == version)?;
            let offer = offers.iter().find(|offer| offer.name == plural)?;
            Some(Kind::new(&self.group, version, plural, &offer.kind))
        };
        match versions {
            [] => self.versions.iter().find_map(|(version, _)| offered(version)),
            versions => versions.iter().find_map(|version| offered(version)),
        }
    }

    /// Whether a kind has a subresource.
    fn has(&self, kind: &Kind, subresource: &str) -> bool {
        let name = format!("{}/{subresource}", kind.plural);
        self.versions.iter().any(|(version, offers)| {
            *version == kind.version && offers.iter().any(|offer| offer.name == name)
        })
    }
}

/// The versions of each group, the preferred one first.
pub(crate) type Versions = BTreeMap<String, Vec<String>>;

impl Cluster {
    /// Asks which groups there are.
    pub(crate) async fn groups(&self, cx: &Cx) -> Result<Versions> {
        let found: Groups = self.get(cx, "/apis").await?;
        if found.kind != "APIGroupList" {
            let text = format!("`/apis` is a {}, and not what an API server says there", found.kind);
            return Err(Error::new(ErrorKind::Unknown, text).not_happened().on(self.side.as_str()));
        }
        let versions = |group: Group| {
            let preferred = group.preferred_version.map(|preferred| preferred.version);
            let mut versions: Vec<String> = group.versions.into_iter().map(|one| one.version).collect();
            versions.sort_by_key(|version| Some(version) != preferred.as_ref());
            (group.name, versions)
        };
        Ok(found.groups.into_iter().map(versions).collect())
    }

    /// A kind, if the server offers it.
    pub(crate) async fn kind(
        &self,
        cx: &Cx,
        group: &str,
        plural: &str,
        versions: &[&str],
    ) -> Result<Option<Kind>> {
        Ok(self.served(cx, group).await?.find(plural, versions))
    }

    /// A kind that can be scaled, by what a plan calls it: `deployments`, `rollouts.argoproj.io`.
    pub(crate) async fn scalable(&self, cx: &Cx, name: &str) -> Result<Kind> {
        let (plural, groups): (&str, Vec<&str>) = match name.split_once('.') {
            Some((plural, group)) => (plural, vec![group]),
            None => (name, vec!["apps", ""]),
        };
        for group in groups {
            let served = self.served(cx, group).await?;
            let Some(kind) = served.find(plural, &[]) else { continue };
            if served.has(&kind, "scale") {
                return Ok(kind);
            }
            return Err(Error::unsupported(format!("{name} cannot be scaled: it has no scale subresource"))
                .on(self.side.as_str()));
        }
        let text = format!("the server offers no {name}: its group and version were asked for");
        Err(Error::new(ErrorKind::NotFound, text).not_happened().on(self.side.as_str()))
    }

    /// CronJobs: `v1` since 1.21, `v1beta1` before and until 1.24.
    pub(crate) async fn cronjobs(&self, cx: &Cx) -> Result<Option<Kind>> {
        self.kind(cx, "batch", "cronjobs", &["v1", "v1beta1"]).await
    }

    /// PodDisruptionBudgets: `v1` since 1.21, `v1beta1` before and until 1.24.
    pub(crate) async fn disruption_budgets(&self, cx: &Cx) -> Result<Option<Kind>> {
        self.kind(cx, "policy", "poddisruptionbudgets", &["v1", "v1beta1"]).await
    }

    /// HorizontalPodAutoscalers: `v2` since 1.23; `v1` everywhere.
    pub(crate) async fn autoscalers(&self, cx: &Cx) -> Result<Option<Kind>> {
        self.kind(cx, "autoscaling", "horizontalpodautoscalers", &["v2", "v1"]).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn served(versions: &[&str]) -> Served {
        let offered = |name: &str| Offered { name: name.to_owned(), kind: "CronJob".to_owned() };
        let versions = versions.iter().map(|version| ((*version).to_owned(), vec![offered("cronjobs")]));
        Served { group: "batch".to_owned(), versions: versions.collect() }
    }

    #[test]
    fn the_newest_version_that_is_offered_is_used() {
        let versions = ["v1", "v1beta1"];
        let found = |offers: &[&str]| served(offers).find("cronjobs", &versions).map(|kind| kind.version);
        assert_eq!(found(&["v1beta1", "v1"]).as_deref(), Some("v1"));
        assert_eq!(found(&["v1beta1"]).as_deref(), Some("v1beta1"));
        assert_eq!(found(&["v2"]), None);
    }

    #[test]
    fn a_kind_knows_where_its_objects_are() {
        let kind = Kind::new("apps", "v1", "deployments", "Deployment");
        assert_eq!(kind.at("shop", "web"), "/apis/apps/v1/namespaces/shop/deployments/web");
        assert_eq!(Kind::core("pods", "Pod").path("shop"), "/api/v1/namespaces/shop/pods");
    }
}
