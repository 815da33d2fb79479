//! The workloads of a side that the plan means, and what stands around them.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use dr_core::resource::Cx;
use dr_core::{Error, ErrorKind, Result};

use crate::cluster::Cluster;
use crate::config::Selection;
use crate::discovery::Kind;
use crate::objects::{Autoscaler, Workload};

/// What a workload is called in plans and observations: `deployment/web`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Name {
    /// `deployment`.
    pub(crate) kind: String,
    /// `web`.
    pub(crate) name: String,
}

impl Name {
    pub(crate) fn new(kind: impl Into<String>, name: impl Into<String>) -> Self {
        Self { kind: kind.into(), name: name.into() }
    }

    /// Whether that is what somebody wrote: with its kind, or without it.
    pub(crate) fn is(&self, written: &str) -> bool {
        match written.split_once('/') {
            Some((kind, name)) => {
                name == self.name && (kind == self.kind || kind.strip_suffix('s') == Some(&self.kind))
            }
            None => written == self.name,
        }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.kind, self.name)
    }
}

/// One workload with its kind.
#[derive(Debug, Clone)]
pub(crate) struct Member {
    pub(crate) kind: Arc<Kind>,
    pub(crate) object: Workload,
}

impl Member {
    pub(crate) fn name(&self) -> Name {
        Name::new(self.kind.word(), &self.object.metadata.name)
    }

    /// How many are wanted. The server fills in one where nothing is said.
    pub(crate) fn desired(&self) -> u32 {
        self.object.spec.replicas.unwrap_or(1)
    }

    /// Where it is.
    pub(crate) fn path(&self, cluster: &Cluster) -> String {
        self.kind.at(&cluster.namespace, &self.object.metadata.name)
    }
}

/// The workloads of one side.
#[derive(Debug, Clone)]
pub(crate) struct Fleet {
    pub(crate) kinds: Vec<Arc<Kind>>,
    pub(crate) members: BTreeMap<Name, Member>,
}

impl Fleet {
    /// Reads them. A workload that the plan names and that is not there is an error, and so is a selection that
    /// covers nothing: what is done to nothing succeeds, and shows nothing.
    pub(crate) async fn read(
        cx: &Cx,
        cluster: &Cluster,
        kinds: &[String],
        selection: &Selection,
    ) -> Result<Self> {
        let fleet = Self::look(cx, cluster, kinds, selection).await?;
        if fleet.members.is_empty() {
            let what = match selection {
                Selection::Labels(labels) => format!("no workload with the labels {labels}"),
                Selection::All | Selection::Names(_) => "no workload".to_owned(),
            };
            let text = format!("{what} in {}: among {}", cluster.namespace, kinds.join(", "));
            return Err(Error::new(ErrorKind::NotFound, text).not_happened().on(cluster.side.as_str()));
        }
        Ok(fleet)
    }

    /// The same where it is no error that there is none.
    pub(crate) async fn look(
        cx: &Cx,
        cluster: &Cluster,
        kinds: &[String],
        selection: &Selection,
    ) -> Result<Self> {
        let labels = match selection {
            Selection::Labels(labels) => Some(labels.as_str()),
            Selection::All | Selection::Names(_) => None,
        };
        let mut fleet = Self { kinds: Vec::new(), members: BTreeMap::new() };
        for name in kinds {
            let kind = Arc::new(cluster.scalable(cx, name).await?);
            let (objects, _) = cluster.list::<Workload>(cx, &kind.path(&cluster.namespace), labels).await?;
            for object in objects {
                let member = Member { kind: Arc::clone(&kind), object };
                fleet.members.insert(member.name(), member);
            }
            fleet.kinds.push(kind);
        }
        if let Selection::Names(names) = selection {
            let kept = names.iter().map(|written| fleet.one(written, cluster));
            let kept: Vec<Name> = kept.collect::<Result<_>>()?;
            fleet.members.retain(|name, _| kept.contains(name));
        }
        Ok(fleet)
    }

    /// The one workload that somebody wrote.
    pub(crate) fn one(&self, written: &str, cluster: &Cluster) -> Result<Name> {
        let found: Vec<&Name> = self.members.keys().filter(|name| name.is(written)).collect();
        match found.as_slice() {
            [one] => Ok((*one).clone()),
            [] => {
                let text = format!("no workload `{written}` in {}", cluster.namespace);
                Err(Error::new(ErrorKind::NotFound, text).not_happened().on(cluster.side.as_str()))
            }
            several => {
                let several: Vec<String> = several.iter().map(|name| format!("`{name}`")).collect();
                let text = format!("`{written}` may be {}: write which", several.join(" or "));
                Err(Error::invalid(text).on(cluster.side.as_str()))
            }
        }
    }

    /// How many of each are wanted.
    pub(crate) fn desired(&self) -> BTreeMap<Name, u32> {
        self.members.iter().map(|(name, member)| (name.clone(), member.desired())).collect()
    }
}

/// The autoscalers of a namespace, by the workload that they act on.
pub(crate) async fn autoscalers(
    cx: &Cx,
    cluster: &Cluster,
) -> Result<Option<(Kind, BTreeMap<Name, Autoscaler>)>> {
    let Some(kind) = cluster.autoscalers(cx).await? else { return Ok(None) };
    let (all, _) = cluster.list::<Autoscaler>(cx, &kind.path(&cluster.namespace), None).await?;
    let by_target = all.into_iter().map(|one| {
        let target = &one.spec.scale_target_ref;
        (Name::new(target.kind.to_lowercase(), &target.name), one)
    });
    Ok(Some((kind, by_target.collect())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_workload_is_known_by_its_name_with_or_without_its_kind() {
        let name = Name::new("deployment", "web");
        for written in ["web", "deployment/web", "deployments/web"] {
            assert!(name.is(written), "{written}");
        }
        for written in ["api", "statefulset/web", "deployment/api"] {
            assert!(!name.is(written), "{written}");
        }
    }
}
